//! The Autobahn cases against the server's own WebSocket code, by its echo example.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, ErrorKind};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::job::{self, Job};
use crate::paths::Paths;
use crate::stopwatch::Stopwatch;
use crate::suite;
use crate::tally::{Counts, Tally};

/// All cases of the suite, compression included. Fewer results mean a broken run.
const CASES: usize = 517;

/// Bound for all cases; they take ten seconds on two cores.
const LIMIT: Duration = Duration::from_mins(5);

/// Cases at once. More than the cores would only measure the machine.
const PARALLEL: &str = "2";

/// How a case ended and how its connection was closed.
type Outcome = (String, String);

/// Runs every case against a fresh echo server.
pub(crate) fn run(paths: &Paths) -> Tally {
    let mut kinds = BTreeMap::new();
    let watch = Stopwatch::start();
    let steps = || {
        let outcomes = play(paths)?;
        for outcome in outcomes.values() {
            *kinds.entry(outcome.clone()).or_insert(0_u64) += 1;
        }
        Ok((judge(&outcomes), ExitStatus::default()))
    };
    let tally = suite::tally("autobahn", steps, Tally::of);
    println!(
        "{} s for all cases and the start",
        watch.elapsed().as_secs()
    );
    if kinds.is_empty() {
        tally
    } else {
        tally.remark(describe(&kinds))
    }
}

/// Runs the cases, prints those that failed, and gives each one's outcome.
fn play(paths: &Paths) -> Result<BTreeMap<String, Outcome>> {
    let report = paths.own().join("autobahn");
    if let Err(error) = fs::remove_dir_all(&report)
        && error.kind() != ErrorKind::NotFound
    {
        return Err(error).context("cannot remove the last report");
    }
    let (server, address) = echo_server(paths)?;
    let suite = paths.venv().join("bin").join("kosoku");
    let mut command = paths.command(&suite.to_string_lossy());
    command
        .args(["--parallelism", PARALLEL, "--outdir"])
        .arg(&report);
    // Its exit code counts cases of the optional compression as failures, its text lists each.
    command.arg(format!("ws://{address}")).stderr(Stdio::null());
    let played = job::run(&mut command, LIMIT);
    drop(server);
    let status = played?;
    let index = fs::read_to_string(report.join("index.json"))
        .with_context(|| format!("the conformance suite left no report ({status})"))?;
    let outcomes = read(&serde_json::from_str(&index)?)?;
    for (case, outcome) in outcomes.iter().filter(|(_, outcome)| !passed(outcome)) {
        if !unimplemented(outcome) {
            println!("case {case}: {}, close {}", outcome.0, outcome.1);
        }
    }
    Ok(outcomes)
}

fn echo_server(paths: &Paths) -> Result<(Job, String)> {
    let program = paths.built("examples").join("echo_server");
    let mut command = paths.command(&program.to_string_lossy());
    command
        .args(["--addr", "127.0.0.1:0"])
        .stdout(Stdio::piped());
    let mut server = Job::start(&mut command, LIMIT)?;
    let mut line = String::new();
    server.stdout()?.read_line(&mut line)?;
    let address = line
        .trim()
        .strip_prefix("ready ")
        .context("the echo server did not start")?;
    Ok((server, address.to_owned()))
}

/// Outcomes of the index `{"<server>":{"1.1.1":{"behavior":"OK","behaviorClose":"OK",…},…}}`.
fn read(index: &Value) -> Result<BTreeMap<String, Outcome>> {
    let servers = index.as_object().context("the index is not an object")?;
    let cases = servers
        .values()
        .next()
        .and_then(Value::as_object)
        .context("no server in it")?;
    let text = |case: &Value, key| case.get(key).and_then(Value::as_str).map(str::to_owned);
    let mut outcomes = BTreeMap::new();
    for (name, case) in cases {
        let outcome = text(case, "behavior").zip(text(case, "behaviorClose"));
        outcomes.insert(
            name.clone(),
            outcome.with_context(|| format!("case {name}"))?,
        );
    }
    if outcomes.len() != CASES {
        bail!("{} of {CASES} cases have a result", outcomes.len());
    }
    Ok(outcomes)
}

fn passed((behaviour, close): &Outcome) -> bool {
    let fine = |text: &str| matches!(text, "OK" | "NON-STRICT" | "INFORMATIONAL");
    fine(behaviour) && fine(close)
}

/// Compression is optional to accept (spec 2.1): such a case is neither passed nor failed.
fn unimplemented((behaviour, close): &Outcome) -> bool {
    behaviour == "UNIMPLEMENTED" && close == "OK"
}

fn judge(outcomes: &BTreeMap<String, Outcome>) -> Counts {
    let passed = outcomes.values().filter(|outcome| passed(outcome)).count();
    let left_out = outcomes
        .iter()
        .filter(|(case, outcome)| unimplemented(outcome) && is_compression(case))
        .count();
    let failed = outcomes.len() - passed - left_out;
    Counts {
        passed: passed as u64,
        failed: failed as u64,
    }
}

/// Groups 12 and 13 offer `permessage-deflate`.
fn is_compression(case: &str) -> bool {
    case.starts_with("12.") || case.starts_with("13.")
}

fn describe(kinds: &BTreeMap<Outcome, u64>) -> String {
    let parts: Vec<String> = kinds
        .iter()
        .map(|((behaviour, close), count)| {
            if behaviour == close || close == "OK" {
                format!("{behaviour} {count}")
            } else {
                format!("{behaviour} (close {close}) {count}")
            }
        })
        .collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(behaviour: &str, close: &str) -> Outcome {
        (behaviour.to_owned(), close.to_owned())
    }

    #[test]
    fn a_failed_close_fails_a_case_that_behaved() {
        let outcomes = BTreeMap::from([
            ("1.1.1".to_owned(), outcome("OK", "OK")),
            ("1.1.2".to_owned(), outcome("OK", "WRONG CODE")),
            ("1.1.3".to_owned(), outcome("FAILED", "OK")),
            ("6.4.1".to_owned(), outcome("NON-STRICT", "OK")),
        ]);
        assert_eq!(
            judge(&outcomes),
            Counts {
                passed: 2,
                failed: 2
            }
        );
    }

    #[test]
    fn only_compression_may_be_unimplemented() {
        let outcomes = BTreeMap::from([
            ("12.1.1".to_owned(), outcome("UNIMPLEMENTED", "OK")),
            ("1.1.2".to_owned(), outcome("UNIMPLEMENTED", "OK")),
        ]);
        assert_eq!(
            judge(&outcomes),
            Counts {
                passed: 0,
                failed: 1
            }
        );
    }

    #[test]
    fn an_index_with_missing_cases_is_refused() {
        let index =
            serde_json::json!({"server": {"1.1.1": {"behavior": "OK", "behaviorClose": "OK"}}});
        assert!(read(&index).unwrap_err().to_string().contains("1 of 517"));
    }
}
