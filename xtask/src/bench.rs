//! `cargo xtask bench`: measurements of the release server.

use std::time::Duration;

use anyhow::Result;
use clap::Args;

use crate::job::{self, BUILD_LIMIT};
use crate::paths::Paths;
use crate::setup;

/// Longest measurement.
const MEASUREMENT_LIMIT: Duration = Duration::from_mins(15);

/// What to measure.
#[derive(Args)]
pub(crate) struct BenchArguments {
    /// A measurement of the program `bench` with its options, such as `idle --rounds 1`
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    measurement: Vec<String>,
}

/// Builds the server and the measuring program as they ship, then measures; false if that failed.
pub(crate) fn run(paths: &Paths, arguments: &BenchArguments) -> Result<bool> {
    let build = [
        "build",
        "--release",
        "-p",
        "crowdlink-server",
        "-p",
        "bench",
    ];
    job::must(&mut paths.cargo(&build), BUILD_LIMIT)?;
    let program = paths.released("bench");
    let mut command = paths.command(&program.to_string_lossy());
    command.args(&arguments.measurement);
    match arguments.measurement.first().map(String::as_str) {
        Some("votes") => {
            setup::for_bench(paths)?;
            let peer = paths.peers().join("bin").join("pocketbase");
            command.arg("--pocketbase").arg(peer);
        }
        Some("cluster") => setup::for_cluster()?,
        Some("fanout") => {
            setup::for_bench(paths)?;
            setup::for_fanout(paths)?;
            let nats = paths.peers().join("bin").join("nats-server");
            command.arg("--nats").arg(nats);
            command.arg("--node-peers").arg(paths.node_peers());
            let sockudo = paths.tools().join("bin").join("sockudo");
            command.arg("--sockudo").arg(sockudo);
        }
        _ => {}
    }
    Ok(job::run(&mut command, MEASUREMENT_LIMIT)?.success())
}
