//! Measurements of the real server, started as its users start it, on loopback alone. They end
//! only what they started. Run them by `cargo xtask bench`.
#![allow(
    clippy::print_stdout,
    reason = "a command-line tool speaks on its standard output"
)]

mod answers;
mod bare;
mod cluster;
mod core_use;
mod fanout;
mod game;
mod idle;
mod listening;
mod load;
mod memory;
mod open_files;
mod rest;
mod secure;
mod server;
mod socket;
mod statistics;
mod votes;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "bench", about = "Measurements of Crowdlink")]
struct Arguments {
    /// The server's program; the one beside this program if absent
    #[arg(long, global = true)]
    server: Option<PathBuf>,
    #[command(subcommand)]
    measurement: Measurement,
}

#[derive(Subcommand)]
enum Measurement {
    /// What an idle, authenticated connection of a game costs the server, in bytes
    Idle(idle::IdleArguments),
    /// Authorised requests a second on one core, as a ratio to a bare hyper server
    Rest(rest::RestArguments),
    /// Events to thousands of viewers of one channel, beside other servers of WebSockets
    Fanout(fanout::FanoutArguments),
    /// Durable votes a second, beside fdatasync and PocketBase
    Votes(votes::VotesArguments),
    /// Votes of callers of two nodes over one PostgreSQL, beside one transaction a vote, and how long
    /// an event takes from node to node
    Cluster(cluster::ClusterArguments),
    /// The bare hyper server: answers everything with the response in a file
    #[command(hide = true)]
    Bare {
        response: PathBuf,
        /// Put head and body together before they are written
        #[arg(long)]
        flat: bool,
    },
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    if let Measurement::Bare { response, flat } = &arguments.measurement {
        return bare::serve(response, *flat);
    }
    let server = match &arguments.server {
        Some(server) => server.clone(),
        None => std::env::current_exe()?.with_file_name("crowdlink"),
    };
    anyhow::ensure!(
        server.is_file(),
        "there is no program at {}",
        server.display()
    );
    let measured = match &arguments.measurement {
        Measurement::Idle(idle) => idle::run(&server, idle),
        Measurement::Fanout(fanout) => fanout::run(&server, fanout),
        Measurement::Rest(rest) => rest::run(&server, rest),
        Measurement::Votes(votes) => votes::run(&server, votes),
        Measurement::Cluster(cluster) => cluster::run(&server, cluster),
        Measurement::Bare { .. } => Ok(()),
    };
    measured.context("the measurement failed")
}
