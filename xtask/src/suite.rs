//! The suites of `cargo xtask test`. Each gives a tally, whatever happens.

mod autobahn;
mod browser;
mod rust;

use std::process::ExitStatus;
use std::time::Duration;

use anyhow::Result;

pub(crate) use self::autobahn::run as autobahn;
pub(crate) use self::browser::run as browser;
pub(crate) use self::rust::{doc, run as rust};
use crate::job::{self, BUILD_LIMIT};
use crate::paths::Paths;
use crate::stopwatch::Stopwatch;
use crate::tally::{Counts, Tally};

/// Builds what the suites start, with the features of the Rust tests so that nothing is built twice.
pub(crate) fn build(paths: &Paths) -> Result<()> {
    let arguments = [
        "build",
        "--workspace",
        "--all-features",
        "--bins",
        "--examples",
    ];
    job::must(&mut paths.cargo(&arguments), BUILD_LIMIT)
}

/// Runs a suite's steps, and makes a tally of what they counted and how the runner ended.
fn tally(
    name: &'static str,
    steps: impl FnOnce() -> Result<(Counts, ExitStatus)>,
    make: fn(&'static str, Counts, Duration) -> Tally,
) -> Tally {
    println!("\n== {name}");
    let watch = Stopwatch::start();
    match steps() {
        Ok((counts, status)) if status.success() => make(name, counts, watch.elapsed()),
        Ok((counts, status)) => make(name, counts, watch.elapsed()).fail(status.to_string()),
        Err(error) => Tally::broken(name, format!("{error:#}"), watch.elapsed()),
    }
}
