//! Events to thousands of viewers of one channel: deliveries a second, how long they take, and what
//! a viewer costs, beside other servers of WebSockets in the same run.

mod events;
mod figures;
mod misbehaving;
mod peers;
mod pusher;
mod stand;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::core_use;
use crate::open_files;
use figures::Figures;
use misbehaving::{MANNERS_COUNT, Misbehaving};
use peers::{Kind, Programs};
use stand::{PUBLISHERS, Pace, Stand};

/// Sizes of a message, in bytes.
const SIZES: [usize; 2] = [256, 2_048];
/// Deliveries a second at which latency is measured.
const PACED_PER_S: u32 = 30_000;

#[derive(Args)]
pub(crate) struct FanoutArguments {
    /// The program `nats-server`; left out, it is not measured
    #[arg(long)]
    nats: Option<PathBuf>,
    /// The folder of the peers in JavaScript, installed; left out, those are not measured
    #[arg(long)]
    node_peers: Option<PathBuf>,
    /// The program `sockudo`; left out, it is not measured
    #[arg(long)]
    sockudo: Option<PathBuf>,
    /// Viewers of each server
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(300..=100_000))]
    viewers: u32,
    /// Length of one measurement, in seconds
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// How often to measure each, in turns
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Viewers that read nothing, that say nothing, that leave half-way, and that flood: so many of
    /// each beside those that behave; 0 leaves that measurement out
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    misbehaving: u32,
}

/// One line of the table: what was measured of one server in each round.
struct Row {
    kind: Kind,
    bytes: usize,
    pace: Pace,
    rounds: Vec<Figures>,
}

/// Measures and prints each round, the medians and the ratios. The servers run on one core, the load
/// on another. Three servers are up at a time, for the sake of the open files of this program: ours
/// and uWebSockets in each group.
pub(crate) fn run(program: &Path, arguments: &FanoutArguments) -> Result<()> {
    let viewers = usize::try_from(arguments.viewers)?;
    let programs = Programs {
        crowdlink: program.to_owned(),
        nats: arguments.nats.clone().unwrap_or_default(),
        node_peers: arguments.node_peers.clone().unwrap_or_default(),
        sockudo: arguments.sockudo.clone().unwrap_or_default(),
    };
    let cores = core_use::two()?;
    let time = Duration::from_secs(arguments.seconds);
    for group in groups(arguments) {
        open_files::raise(group.len() * (viewers + PUBLISHERS))?;
        measure(
            &group,
            &programs,
            (viewers, cores),
            (arguments.rounds, time),
        )?;
    }
    let each = usize::try_from(arguments.misbehaving)?;
    if each > 0 {
        open_files::raise(viewers + PUBLISHERS + MANNERS_COUNT * each)?;
        beside_misbehaving(&programs, (viewers, cores), (arguments.rounds, time), each)?;
    }
    Ok(())
}

/// Who is measured together: ours, uWebSockets, and one of the others.
fn groups(arguments: &FanoutArguments) -> Vec<Vec<Kind>> {
    let node_peers = arguments.node_peers.is_some();
    let mut always = vec![Kind::Crowdlink];
    if node_peers {
        always.push(Kind::UWebSockets);
    }
    let others = [
        (Kind::Nats, arguments.nats.is_some()),
        (Kind::Ws, node_peers),
        (Kind::Sockudo, arguments.sockudo.is_some()),
    ];
    let wanted = others.into_iter().filter(|(_, is_there)| *is_there);
    let mut groups: Vec<_> = wanted
        .map(|(kind, _)| [&always[..], &[kind]].concat())
        .collect();
    if groups.is_empty() {
        groups.push(always);
    }
    groups
}

/// Measures ours alone and beside viewers that do not behave, in turns. That it ends says that no
/// viewer that behaves was closed or missed an event.
fn beside_misbehaving(
    programs: &Programs,
    (viewers, cores): (usize, (usize, usize)),
    (rounds, time): (u32, Duration),
    each: usize,
) -> Result<()> {
    let mut stand = Stand::start(Kind::Crowdlink, programs, viewers, cores)?;
    let pace = Pace::Every(pause(viewers)?);
    let bytes = SIZES[0];
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        let figures = stand.measure(bytes, pace, time)?;
        println!("round {round}: alone: {figures}");
        alone.push(figures);
        let misbehaving = Misbehaving::start(&stand.peer, each)?;
        let figures = stand.measure(bytes, pace, time)?;
        let flooded = misbehaving.flooded_bytes() / 1_000_000;
        println!("round {round}: beside {each} of each manner: {figures}, flood {flooded} MB");
        beside.push(figures);
    }
    let (alone, beside) = (Figures::median(&alone)?, Figures::median(&beside)?);
    println!("median: alone: {alone}");
    println!("median: beside those that do not behave: {beside}");
    println!(
        "misbehaving: p99 {:.2} of what it is alone, p50 {:.2}",
        beside.p99_ms / alone.p99_ms,
        beside.p50_ms / alone.p50_ms
    );
    Ok(())
}

/// From one event to the next, for so many deliveries a second.
fn pause(viewers: usize) -> Result<Duration> {
    Ok(Duration::from_secs(u64::try_from(viewers)?) / PACED_PER_S)
}

/// Measures the servers of a group in turns.
fn measure(
    kinds: &[Kind],
    programs: &Programs,
    (viewers, cores): (usize, (usize, usize)),
    (rounds, time): (u32, Duration),
) -> Result<()> {
    let started = kinds.iter().map(|kind| {
        let stand = Stand::start(*kind, programs, viewers, cores);
        stand.with_context(|| format!("{kind} with {viewers} viewers"))
    });
    let mut stands = started.collect::<Result<Vec<_>>>()?;
    for Stand {
        peer,
        bytes_per_connection,
        ..
    } in &stands
    {
        println!(
            "{:>11}: {bytes_per_connection} bytes of memory per connection",
            peer.kind
        );
    }
    let pause = pause(viewers)?;
    let paces = [
        Pace::InFlight(1),
        Pace::InFlight(PUBLISHERS),
        Pace::Every(pause),
    ];
    let mut rows: Vec<Row> = Vec::new();
    for round in 1..=rounds {
        for bytes in SIZES {
            for pace in paces {
                for stand in &mut stands {
                    let kind = stand.peer.kind;
                    let figures = stand.measure(bytes, pace, time);
                    let figures = figures.with_context(|| name(kind, bytes, pace))?;
                    println!("round {round}: {}: {figures}", name(kind, bytes, pace));
                    note(&mut rows, (kind, bytes, pace), figures);
                }
            }
        }
    }
    conclude(&rows)
}

fn name(kind: Kind, bytes: usize, pace: Pace) -> String {
    match pace {
        Pace::InFlight(count) => format!("{kind:>11}, {bytes:>4} bytes, {count:>2} in flight"),
        Pace::Every(_) => format!("{kind:>11}, {bytes:>4} bytes, {PACED_PER_S}/s"),
    }
}

fn note(rows: &mut Vec<Row>, (kind, bytes, pace): (Kind, usize, Pace), figures: Figures) {
    let same = |row: &&mut Row| (row.kind, row.bytes, row.pace) == (kind, bytes, pace);
    if let Some(row) = rows.iter_mut().find(same) {
        row.rounds.push(figures);
    } else {
        let rounds = vec![figures];
        rows.push(Row {
            kind,
            bytes,
            pace,
            rounds,
        });
    }
}

/// Prints the medians, and what ours is as a ratio to each peer of the same turns.
fn conclude(rows: &[Row]) -> Result<()> {
    println!();
    for row in rows {
        let figures = Figures::median(&row.rounds)?;
        println!("median: {}: {figures}", name(row.kind, row.bytes, row.pace));
    }
    for ours in rows.iter().filter(|row| row.kind == Kind::Crowdlink) {
        let mine = Figures::median(&ours.rounds)?;
        let others = rows.iter().filter(|row| {
            row.kind != Kind::Crowdlink && (row.bytes, row.pace) == (ours.bytes, ours.pace)
        });
        for row in others {
            let theirs = Figures::median(&row.rounds)?;
            println!(
                "fanout: {} to {}: {:.2} of deliveries/s, {:.2} per core second, p50 {:.2}, p99 {:.2}",
                name(ours.kind, ours.bytes, ours.pace).trim_start(),
                row.kind,
                mine.per_s / theirs.per_s,
                mine.per_core_s / theirs.per_core_s,
                mine.p50_ms / theirs.p50_ms,
                mine.p99_ms / theirs.p99_ms
            );
        }
    }
    Ok(())
}
