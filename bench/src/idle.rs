//! The memory of an idle connection.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::game;
use crate::server::{Server, Wanted};

/// Connections before the first look: what is made once for all is made by then.
const WARM_UP: usize = 200;
/// Pause between two looks at the memory.
const LOOK_MS: u64 = 500;
/// Looks at most, until the memory stands still.
const LOOKS_MAX: u32 = 40;
/// Equal looks in a row that count as quiet.
const QUIET_LOOKS: u32 = 4;
/// Files of this program besides the connections.
const OTHER_FILES: u64 = 64;

#[derive(Args)]
pub(crate) struct IdleArguments {
    /// Connections at a time
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    connections: u32,
    /// How often to measure
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
}

/// Measures and prints each round and the median.
pub(crate) fn run(program: &Path, arguments: &IdleArguments) -> Result<()> {
    let connections = usize::try_from(arguments.connections)?;
    raise_open_files(u64::from(arguments.connections))?;
    let mut figures = Vec::new();
    for round in 1..=arguments.rounds {
        let figure = measure(program, connections)?;
        println!("round {round}: {figure} bytes of server memory per idle connection");
        figures.push(figure);
    }
    figures.sort_unstable();
    let median = figures.get(figures.len() / 2).context("no rounds")?;
    println!("idle: {connections} connections, median {median} bytes each");
    Ok(())
}

fn measure(program: &Path, connections: usize) -> Result<u64> {
    let most = ((connections + WARM_UP) * 2).to_string();
    let wanted = Wanted {
        edge: "sandbox-gamelink",
        tokens: 1,
        secret: None,
        flags: &[
            "--log-level=warn",
            "--limits-connections-per-address-max",
            &most,
            "--limits-connections-per-extension-max",
            &most,
        ],
    };
    let server = Server::start(program, &wanted)?;
    let token = server.tokens.first().context("no token")?;
    let mut open = Vec::with_capacity(connections + WARM_UP);
    for index in 0..WARM_UP {
        open.push(game::connect(server.address, index, token)?);
    }
    let before = quiet(&server)?;
    for index in WARM_UP..WARM_UP + connections {
        open.push(game::connect(server.address, index, token)?);
    }
    let after = quiet(&server)?;
    Ok(after.saturating_sub(before) / u64::try_from(connections)?)
}

/// The memory once it stands still, in bytes.
fn quiet(server: &Server) -> Result<u64> {
    let (mut last, mut equal) = (server.pss_bytes()?, 0);
    for _ in 0..LOOKS_MAX {
        sleep(Duration::from_millis(LOOK_MS));
        let now = server.pss_bytes()?;
        equal = if now == last { equal + 1 } else { 0 };
        last = now;
        if equal >= QUIET_LOOKS {
            return Ok(now);
        }
    }
    anyhow::bail!("the server's memory does not stand still")
}

fn raise_open_files(connections: u64) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let wanted = connections + u64::try_from(WARM_UP)? + OTHER_FILES;
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let raised = Rlimit {
        current: Some(wanted),
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised)
        .with_context(|| format!("{wanted} open files are needed; see `ulimit -Hn`"))
}
