//! The Rust tests, by nextest, and the examples in the documentation.

use std::fs;
use std::io::ErrorKind;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::job::{self, BUILD_LIMIT};
use crate::paths::Paths;
use crate::suite;
use crate::tally::{Counts, Tally};

/// Bound for building and running all of them.
const LIMIT: Duration = BUILD_LIMIT;

/// Runs the tests of all crates, or those with one of the words of `filter` in their names.
pub(crate) fn run(paths: &Paths, filter: &[String]) -> Tally {
    let steps = || {
        let report = paths.target.join("nextest").join("ci").join("junit.xml");
        // A report left by an earlier run must not be taken for this one's.
        if let Err(error) = fs::remove_file(&report)
            && error.kind() != ErrorKind::NotFound
        {
            return Err(error).context("cannot remove the last report");
        }
        let arguments = [
            "nextest",
            "run",
            "--workspace",
            "--all-features",
            "--profile",
            "ci",
        ];
        let status = job::run(paths.cargo(&arguments).args(filter), LIMIT)?;
        let Ok(text) = fs::read_to_string(&report) else {
            return Ok((Counts::default(), status));
        };
        Ok((junit(&text)?, status))
    };
    suite::tally("rust", steps, Tally::of)
}

/// Runs the examples in the documentation, which need not have any.
pub(crate) fn doc(paths: &Paths) -> Tally {
    let steps = || {
        let mut counts = Counts::default();
        let arguments = ["test", "--doc", "--workspace", "--all-features"];
        let status = job::lines(&mut paths.cargo(&arguments), LIMIT, |line| {
            println!("{line}");
            if let Some(found) = libtest(line) {
                counts.passed += found.passed;
                counts.failed += found.failed;
            }
        })?;
        Ok((counts, status))
    };
    suite::tally("doc", steps, Tally::of_possibly_empty)
}

/// Counts of nextest's report: `<testsuites name="…" tests="4" failures="1" errors="0" …>`.
fn junit(text: &str) -> Result<Counts> {
    let start = text
        .find("<testsuites")
        .context("the report has no test suites")?;
    let tag = text
        .get(start..)
        .and_then(|rest| rest.split('>').next())
        .unwrap_or_default();
    let total = attribute(tag, "tests")?;
    let failed = attribute(tag, "failures")? + attribute(tag, "errors")?;
    Ok(Counts {
        passed: total.saturating_sub(failed),
        failed,
    })
}

fn attribute(tag: &str, name: &str) -> Result<u64> {
    let (_, rest) = tag
        .split_once(&format!(" {name}=\""))
        .with_context(|| format!("the report does not tell {name}"))?;
    let digits = rest.split('"').next().unwrap_or_default();
    digits
        .parse()
        .with_context(|| format!("{name} of the report is not a number"))
}

/// Counts of `test result: ok. 2 passed; 0 failed; …`.
fn libtest(line: &str) -> Option<Counts> {
    let rest = line.strip_prefix("test result: ")?;
    let (_, rest) = rest.split_once(". ")?;
    let mut parts = rest.split("; ");
    let passed = parts.next()?.strip_suffix(" passed")?.parse().ok()?;
    let failed = parts.next()?.strip_suffix(" failed")?.parse().ok()?;
    Some(Counts { passed, failed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_and_errors_of_a_report_are_failed_tests() {
        let text = "<?xml version=\"1.0\"?>\n<testsuites name=\"a\" tests=\"9\" failures=\"2\" errors=\"1\" time=\"0.1\">\n<testsuite tests=\"5\"/>";
        assert_eq!(
            junit(text).unwrap(),
            Counts {
                passed: 6,
                failed: 3
            }
        );
    }

    #[test]
    fn a_report_without_counts_is_refused() {
        assert!(junit("<html>").is_err());
        assert!(junit("<testsuites name=\"a\">").is_err());
    }

    #[test]
    fn a_result_line_of_the_documentation_tests_is_read() {
        let line = "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(
            libtest(line),
            Some(Counts {
                passed: 2,
                failed: 1
            })
        );
        assert_eq!(libtest("running 3 tests"), None);
    }
}
