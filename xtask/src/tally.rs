//! What a suite counted.

use std::fmt;
use std::time::Duration;

/// Passed and failed tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

/// The result of one suite.
#[derive(Debug)]
pub(crate) struct Tally {
    name: &'static str,
    counts: Counts,
    took: Duration,
    note: Option<String>,
}

impl Tally {
    /// What a suite counted. One that ran nothing has failed: nothing was shown to work.
    pub(crate) fn of(name: &'static str, counts: Counts, took: Duration) -> Self {
        if counts == Counts::default() {
            return Self::broken(name, "ran no test", took);
        }
        Self {
            name,
            counts,
            took,
            note: None,
        }
    }

    /// A suite that may have nothing to run yet.
    pub(crate) fn of_possibly_empty(name: &'static str, counts: Counts, took: Duration) -> Self {
        let note = (counts == Counts::default()).then(|| "nothing to run".to_owned());
        Self {
            name,
            counts,
            took,
            note,
        }
    }

    /// A suite that could not run to its end counts as one failure.
    pub(crate) fn broken(name: &'static str, why: impl Into<String>, took: Duration) -> Self {
        let counts = Counts {
            passed: 0,
            failed: 1,
        };
        Self {
            name,
            counts,
            took,
            note: Some(why.into()),
        }
    }

    /// Adds a failure that no single test stands for, such as a runner's exit code.
    pub(crate) fn fail(mut self, why: impl Into<String>) -> Self {
        self.counts.failed = self.counts.failed.max(1);
        self.note = Some(why.into());
        self
    }

    /// Adds a remark for the reader.
    pub(crate) fn remark(mut self, remark: String) -> Self {
        self.note = Some(remark);
        self
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { passed, failed } = self.counts;
        let seconds = self.took.as_secs_f64();
        write!(
            f,
            "{:<10} {passed:>6} ok {failed:>5} bad {seconds:>8.1} s",
            self.name
        )?;
        match &self.note {
            Some(note) => write!(f, "  {note}"),
            None => Ok(()),
        }
    }
}

/// Sums suites.
pub(crate) fn total(tallies: &[Tally]) -> Counts {
    tallies.iter().fold(Counts::default(), |sum, tally| Counts {
        passed: sum.passed + tally.counts.passed,
        failed: sum.failed + tally.counts.failed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_that_ran_nothing_has_failed() {
        let tally = Tally::of("empty", Counts::default(), Duration::ZERO);
        assert_eq!(
            total(&[tally]),
            Counts {
                passed: 0,
                failed: 1
            }
        );
    }

    #[test]
    fn a_bad_exit_code_fails_a_suite_whose_tests_all_passed() {
        let tally = Tally::of(
            "rust",
            Counts {
                passed: 3,
                failed: 0,
            },
            Duration::ZERO,
        );
        assert_eq!(
            total(&[tally.fail("exit code 1")]),
            Counts {
                passed: 3,
                failed: 1
            }
        );
    }

    #[test]
    fn suites_are_summed() {
        let one = Tally::of(
            "one",
            Counts {
                passed: 3,
                failed: 1,
            },
            Duration::ZERO,
        );
        let two = Tally::broken("two", "no browser", Duration::ZERO);
        assert_eq!(
            total(&[one, two]),
            Counts {
                passed: 3,
                failed: 2
            }
        );
    }
}
