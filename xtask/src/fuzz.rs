//! `cargo xtask fuzz`: one target of `fuzz/` for a bounded time.

use std::env;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;

use crate::job::{self, BUILD_LIMIT};
use crate::paths::Paths;
use crate::setup;

/// What to fuzz and for how long.
#[derive(Args)]
pub(crate) struct FuzzArguments {
    /// Name of a target in fuzz/fuzz_targets
    target: String,
    /// How long to fuzz after the build
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
}

/// Builds and runs the target; false if it found a failing input.
///
/// The stable toolchain does: coverage comes from ordinary code generation options. Only the
/// address sanitizer would need a nightly one, and it has little to find in code without `unsafe`.
pub(crate) fn run(paths: &Paths, arguments: &FuzzArguments) -> Result<bool> {
    let file = paths
        .root
        .join("fuzz/fuzz_targets")
        .join(format!("{}.rs", arguments.target));
    if !file.is_file() {
        bail!("there is no fuzz target {}", arguments.target);
    }
    setup::for_fuzz(paths)?;
    let mut command = command(paths);
    command
        .arg(&arguments.target)
        .args(["--sanitizer", "none", "--"]);
    command.arg(format!("-max_total_time={}", arguments.seconds));
    let limit = BUILD_LIMIT + Duration::from_secs(u64::from(arguments.seconds));
    Ok(job::run(&mut command, limit)?.success())
}

fn command(paths: &Paths) -> Command {
    let mut command = paths.command("cargo");
    // Its target folder is the fuzz crate's own: the options change every dependency's build.
    command.args(["fuzz", "run"]).env_remove("CARGO_TARGET_DIR");
    // What cargo set for this tool would be taken for the fuzz crate's.
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PKG_") {
            command.env_remove(name);
        }
    }
    command
}
