//! Tasks of the project: install, test, lint, fuzz, measure, run a cluster.
//!
//! `cargo xtask test` is the one command a newcomer needs: it installs what is missing, starts
//! private instances on free ports, and ends everything it started, also after a failure.
#![allow(
    clippy::print_stdout,
    reason = "a command-line tool speaks on its standard output"
)]

mod bench;
mod cluster;
mod debian;
mod fuzz;
mod job;
mod lint;
mod openapi;
mod paths;
mod setup;
mod stopwatch;
mod suite;
mod tally;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::paths::Paths;
use crate::tally::Tally;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tasks of the Crowdlink project")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what the tests need and is not there yet
    Setup,
    /// Run every suite: Rust tests, doc tests, Autobahn, browser
    Test(TestArguments),
    /// Run the WebSocket conformance suite against the echo server
    Autobahn(InstallArguments),
    /// Run the browser suite alone
    Browser(InstallArguments),
    /// Check format, lints, documentation, dependencies and tracked files
    Lint(InstallArguments),
    /// Fuzz one target of fuzz/ for a while
    Fuzz(fuzz::FuzzArguments),
    /// Measure the release server, such as `idle`
    Bench(bench::BenchArguments),
    /// Print what the REST ports take and answer, as an OpenAPI document
    Openapi(openapi::OpenapiArguments),
    /// Run a cluster on this machine until Ctrl-C: PostgreSQL, NATS and nodes
    Cluster(cluster::ClusterArguments),
}

#[derive(Args)]
struct InstallArguments {
    /// Trust that everything needed is installed
    #[arg(long)]
    no_install: bool,
}

#[derive(Args)]
struct TestArguments {
    #[command(flatten)]
    install: InstallArguments,
    /// Run only the Rust tests with these words in their names, and no other suite
    filter: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Err(error) = job::end_all_on_interrupt() {
        eprintln!("error: {error:#}");
        return ExitCode::FAILURE;
    }
    match run(arguments.task) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            if job::interrupted() {
                ExitCode::from(130)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

/// Runs one task; false where it ran and found failures.
fn run(task: Task) -> Result<bool> {
    let paths = Paths::discover()?;
    match task {
        Task::Setup => setup::for_tests(&paths).map(|()| true),
        Task::Test(arguments) => test(&paths, &arguments),
        Task::Autobahn(arguments) => {
            install(&arguments, || setup::for_autobahn(&paths))?;
            suite::build(&paths)?;
            Ok(report(&[suite::autobahn(&paths)]))
        }
        Task::Browser(arguments) => {
            install(&arguments, || setup::for_browser(&paths))?;
            suite::build(&paths)?;
            Ok(report(&[suite::browser(&paths)]))
        }
        Task::Lint(arguments) => {
            install(&arguments, || setup::for_lint(&paths))?;
            lint::run(&paths)
        }
        Task::Fuzz(arguments) => fuzz::run(&paths, &arguments),
        Task::Bench(arguments) => bench::run(&paths, &arguments),
        Task::Openapi(arguments) => openapi::run(&paths, &arguments),
        Task::Cluster(arguments) => cluster::run(&paths, &arguments),
    }
}

fn install(arguments: &InstallArguments, step: impl FnOnce() -> Result<()>) -> Result<()> {
    if arguments.no_install { Ok(()) } else { step() }
}

fn test(paths: &Paths, arguments: &TestArguments) -> Result<bool> {
    if !arguments.filter.is_empty() {
        install(&arguments.install, || setup::for_rust(paths))?;
        return Ok(report(&[suite::rust(paths, &arguments.filter)]));
    }
    install(&arguments.install, || setup::for_tests(paths))?;
    suite::build(paths)?;
    let suites: [fn(&Paths) -> Tally; 4] = [
        |paths| suite::rust(paths, &[]),
        suite::doc,
        suite::autobahn,
        suite::browser,
    ];
    let mut tallies = Vec::with_capacity(suites.len());
    for suite in suites {
        // A failed suite does not hide the next one's result, an interrupt ends the run.
        job::refuse_when_interrupted()?;
        tallies.push(suite(paths));
    }
    Ok(report(&tallies))
}

/// Prints a line for each suite and the closing line; false if anything failed.
fn report(tallies: &[Tally]) -> bool {
    println!();
    for tally in tallies {
        println!("{tally}");
    }
    let total = tally::total(tallies);
    println!("{} passed, {} failed", total.passed, total.failed);
    total.failed == 0
}
