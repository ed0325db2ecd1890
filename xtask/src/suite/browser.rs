//! The browser suite: the unmodified page library in a real browser against the built server.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::job;
use crate::paths::Paths;
use crate::suite;
use crate::tally::{Counts, Tally};

/// Bound for the whole suite.
const LIMIT: Duration = Duration::from_mins(10);

/// Runs the browser suite.
pub(crate) fn run(paths: &Paths) -> Tally {
    let steps = || {
        let report = paths.own().join("browser.tap");
        fs::create_dir_all(paths.own()).context("cannot make a folder for the report")?;
        let mut command = paths.command("node");
        command
            .args([
                "--test",
                "--test-reporter=spec",
                "--test-reporter-destination=stdout",
            ])
            .arg("--test-reporter=tap")
            .arg(format!("--test-reporter-destination={}", report.display()))
            .current_dir(paths.browser())
            .env("CROWDLINK_BIN", paths.built("crowdlink"));
        for file in test_files(paths)? {
            command.arg(file);
        }
        let status = job::run(&mut command, LIMIT)?;
        let text = fs::read_to_string(&report).context("the runner left no report")?;
        Ok((tap(&text)?, status))
    };
    suite::tally("browser", steps, Tally::of)
}

/// Names of the test files, which the runner would else look for in `node_modules` too.
fn test_files(paths: &Paths) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(paths.browser()).context("cannot list the browser suite")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".test.mjs") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Counts of the lines `# pass 3`, `# fail 1` at the end. What was skipped or cut short did not
/// show that anything works: it counts as failed.
fn tap(text: &str) -> Result<Counts> {
    let count = |name: &str| {
        let prefix = format!("# {name} ");
        let line = text
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix(&prefix));
        let digits = line.with_context(|| format!("the report does not tell {name}"))?;
        digits
            .trim()
            .parse::<u64>()
            .with_context(|| format!("{name} is not a number"))
    };
    let failed = count("fail")? + count("cancelled")? + count("skipped")? + count("todo")?;
    Ok(Counts {
        passed: count("pass")?,
        failed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skipped_test_counts_as_failed() {
        let text = "TAP version 13\n# tests 4\n# suites 0\n# pass 2\n# fail 1\n# cancelled 0\n# skipped 1\n# todo 0\n";
        assert_eq!(
            tap(text).unwrap(),
            Counts {
                passed: 2,
                failed: 2
            }
        );
    }

    #[test]
    fn a_report_that_was_cut_short_is_refused() {
        assert!(tap("TAP version 13\n# pass 2\n").is_err());
    }
}
