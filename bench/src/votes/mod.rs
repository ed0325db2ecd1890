//! Durable votes a second, over HTTP, with a token each: beside the disk's own rate of fdatasync and
//! PocketBase inserting under a unique index.

mod disk;
pub(crate) mod load;
mod pocketbase;
pub(crate) mod voters;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::core_use;
use crate::server::{Server, Wanted};
use crate::statistics::median;
use load::{Figures, Load};
use pocketbase::PocketBase;
use voters::Voters;

/// Polls where there are many.
const POLLS: u64 = 100;
/// Connections of each measurement.
const CONNECTIONS: [usize; 2] = [64, 512];

#[derive(Args)]
pub(crate) struct VotesArguments {
    /// The program `pocketbase`; left out, it is not measured
    #[arg(long)]
    pocketbase: Option<PathBuf>,
    /// Length of one measurement, in seconds
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// How often to measure each, in turns
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How many connections; each number is a measurement of its own
    #[arg(long, value_delimiter = ',', default_values_t = CONNECTIONS, value_parser = connections_of)]
    connections: Vec<usize>,
    /// Who votes for what; left out, all of them
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Voting::ALL)]
    voting: Vec<Voting>,
}

/// How many connections a measurement may have.
fn connections_of(text: &str) -> Result<usize, String> {
    let number = text
        .parse()
        .ok()
        .filter(|number| (1..=10_000).contains(number));
    number.ok_or_else(|| "a number from 1 to 10000".to_owned())
}

/// Who votes for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Voting {
    /// Everybody once, on one poll.
    OnePoll,
    /// Everybody once, on a hundred polls.
    ManyPolls,
    /// The same voters again and again, each time for something else.
    ChangingMinds,
}

impl Voting {
    const ALL: [Self; 3] = [Self::OnePoll, Self::ManyPolls, Self::ChangingMinds];

    const fn name(self) -> &'static str {
        match self {
            Self::OnePoll => "one poll",
            Self::ManyPolls => "100 polls",
            Self::ChangingMinds => "changing minds",
        }
    }
}

/// One row of the table.
#[derive(Debug)]
struct Row {
    name: String,
    rounds: Vec<Figures>,
}

/// Measures and prints each round and the medians. The servers run on one core, the load on another.
pub(crate) fn run(program: &Path, arguments: &VotesArguments) -> Result<()> {
    let (for_servers, for_load) = core_use::two()?;
    core_use::stay_on(for_servers)?;
    let secret = voters::SECRET_BASE64;
    let wanted = Wanted {
        edges: &["production-rest"],
        tokens: 0,
        secret: Some(secret),
        shared: None,
        flags: &[
            "--rates-rest-requests-per-s-max=1000000",
            "--rates-rest-requests-burst-max=1000000",
            "--rates-votes-per-s-max=1000000",
            "--rates-votes-burst-max=1000000",
        ],
    };
    let server = Server::start(program, &wanted)?;
    let pocketbase = arguments.pocketbase.as_deref();
    let pocketbase = pocketbase.map(PocketBase::start).transpose()?;
    core_use::stay_on(for_load)?;
    let time = Duration::from_secs(arguments.seconds);
    let voters = Voters::new(server.address)?;
    let mut rows: Vec<Row> = Vec::new();
    let mut syncs = Vec::new();
    for round in 1..=arguments.rounds {
        syncs.push(disk::syncs_per_s(Duration::from_secs(1))?);
        for connections in arguments.connections.iter().copied() {
            let load = |requests| Load {
                requests,
                connections,
                time,
            };
            for voting in arguments.voting.iter().copied() {
                let name = format!("crowdlink, {}, {connections} connections", voting.name());
                let requests = voters.requests(voting, round, connections);
                let figures = load(requests).run(&[(server.address, server.id())])?;
                note(&mut rows, round, name, figures);
            }
            if let Some(peer) = &pocketbase {
                let name = format!("pocketbase, insert, {connections} connections");
                let figures = load(peer.requests()).run(&[(peer.address, peer.id())])?;
                note(&mut rows, round, name, figures);
            }
        }
    }
    conclude(&rows, &syncs)
}

fn note(rows: &mut Vec<Row>, round: u32, name: String, figures: Figures) {
    println!("round {round}: {name}: {figures}");
    if let Some(row) = rows.iter_mut().find(|row| row.name == name) {
        row.rounds.push(figures);
    } else {
        let rounds = vec![figures];
        rows.push(Row { name, rounds });
    }
}

/// Prints the medians, and each as a ratio to the peers of the same run.
fn conclude(rows: &[Row], syncs: &[f64]) -> Result<()> {
    let sync = median(syncs, |sync| *sync)?;
    println!("\nmedian: fdatasync: {sync:.0}/s");
    for row in rows {
        let figures = Figures::median(&row.rounds)?;
        let mut line = format!("median: {}: {figures}", row.name);
        write!(line, "; {:.1} x fdatasync", figures.answers.per_s / sync)?;
        let connections = row.name.rsplit(", ").next().unwrap_or_default();
        let peer = rows
            .iter()
            .find(|peer| peer.name.starts_with("pocketbase") && peer.name.ends_with(connections));
        if let Some(peer) = peer.filter(|peer| peer.name != row.name) {
            let theirs = Figures::median(&peer.rounds)?;
            let ratio = figures.answers.per_s / theirs.answers.per_s;
            write!(line, ", {ratio:.1} x PocketBase")?;
        }
        println!("{line}");
    }
    Ok(())
}
