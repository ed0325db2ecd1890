//! `cargo xtask lint`: every check that reads the sources and runs none of them.

mod tracked;

use std::fs;
use std::process::Command;

use anyhow::Result;

use crate::job::{self, BUILD_LIMIT};
use crate::paths::Paths;
use crate::stopwatch::Stopwatch;

/// A check: its name, and whether it found nothing wrong.
type Check = (&'static str, fn(&Paths) -> Result<bool>);

const CHECKS: [Check; 6] = [
    ("tracked files", tracked::check),
    ("rustfmt", |paths| {
        passes(&mut paths.cargo(&["fmt", "--all", "--check"]))
    }),
    ("clippy", clippy),
    ("rustdoc", rustdoc),
    ("cargo-machete", |paths| {
        passes(
            paths
                .command("cargo-machete")
                .args(["crates", "services", "xtask"]),
        )
    }),
    ("cargo-deny", deny),
];

/// Runs all checks, so that one run shows everything; false if any found something.
pub(crate) fn run(paths: &Paths) -> Result<bool> {
    let mut lines = Vec::new();
    let mut fine = true;
    for (name, check) in CHECKS {
        job::refuse_when_interrupted()?;
        println!("\n== {name}");
        let watch = Stopwatch::start();
        let passed = check(paths).unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            false
        });
        fine &= passed;
        let verdict = if passed { "ok" } else { "FAILED" };
        lines.push(format!(
            "{name:<14} {verdict:<7} {:>6.1} s",
            watch.elapsed().as_secs_f64()
        ));
    }
    println!("\n{}", lines.join("\n"));
    Ok(fine)
}

fn passes(command: &mut Command) -> Result<bool> {
    Ok(job::run(command, BUILD_LIMIT)?.success())
}

fn clippy(paths: &Paths) -> Result<bool> {
    let arguments = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--quiet",
        "--",
    ];
    passes(paths.cargo(&arguments).args(["-D", "warnings"]))
}

fn rustdoc(paths: &Paths) -> Result<bool> {
    let arguments = [
        "doc",
        "--workspace",
        "--all-features",
        "--no-deps",
        "--quiet",
    ];
    passes(paths.cargo(&arguments).env("RUSTDOCFLAGS", "-D warnings"))
}

/// Advisories need a database that is fetched from outside the package registries, so they are
/// checked only where a copy is at hand. The output says when they were not.
fn deny(paths: &Paths) -> Result<bool> {
    let all = ["--workspace", "--all-features", "check"];
    let mut always = paths.command("cargo-deny");
    let fine = passes(always.args(all).args(["bans", "licenses", "sources"]))?;
    let copies = paths.root.join("target").join("advisory-db");
    if fs::read_dir(&copies).is_ok_and(|mut entries| entries.next().is_some()) {
        let mut advisories = paths.command("cargo-deny");
        return Ok(passes(advisories.args(all).args(["--disable-fetch", "advisories"]))? && fine);
    }
    println!("advisories: NOT CHECKED, no copy of the database in target/advisory-db.");
    println!("With a network: cargo deny fetch db, then run this again.");
    Ok(fine)
}
