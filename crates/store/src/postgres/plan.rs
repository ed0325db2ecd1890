//! What a group of commits comes to, worked out in memory under the lock of the revision.

use std::collections::{BTreeMap, HashMap};

use crate::contract::{Check, Commit, StoreError, Write};

/// What a key will hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change<'a> {
    Put {
        value: &'a [u8],
        version: i64,
        expires_at_ms: Option<i64>,
    },
    Delete,
}

/// Version and expiry of a record.
pub(super) type Found = (i64, Option<i64>);

/// The commits of a group so far: each is judged as if those before it had happened already.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// Records the database holds, of those that are checked.
    found: HashMap<String, Found>,
    /// In the order of the keys, as the database keeps them.
    changes: BTreeMap<&'a str, Change<'a>>,
    /// The revision of the last commit that succeeded.
    revision: i64,
    succeeded: usize,
}

impl<'a> Plan<'a> {
    /// A group that begins after `revision`, on what was found under the keys it checks.
    pub(super) fn new(revision: i64, found: HashMap<String, Found>) -> Self {
        Self {
            found,
            changes: BTreeMap::new(),
            revision,
            succeeded: 0,
        }
    }

    /// Answers a commit with its revision, or with the first condition that does not hold; then it
    /// leaves no trace.
    pub(super) fn judge(&mut self, commit: &'a Commit, now_ms: i64) -> Result<u64, StoreError> {
        if let Some(failed) = commit
            .checks
            .iter()
            .find(|check| !self.holds(check, now_ms))
        {
            let key = failed.key.clone();
            return Err(StoreError::Conflict { key });
        }
        let version = self
            .revision
            .checked_add(1)
            .ok_or_else(|| StoreError::Unavailable("revisions are used up".into()))?;
        for write in &commit.writes {
            let (key, change) = match write {
                Write::Put {
                    key,
                    value,
                    expires_at_ms,
                } => {
                    let change = Change::Put {
                        value,
                        version,
                        expires_at_ms: *expires_at_ms,
                    };
                    (key, change)
                }
                Write::Delete { key } => (key, Change::Delete),
            };
            self.changes.insert(key, change);
        }
        self.revision = version;
        self.succeeded += 1;
        Ok(version.unsigned_abs())
    }

    fn holds(&self, check: &Check, now_ms: i64) -> bool {
        let record = match self.changes.get(check.key.as_str()) {
            Some(Change::Put {
                version,
                expires_at_ms,
                ..
            }) => Some((*version, *expires_at_ms)),
            Some(Change::Delete) => None,
            None => self.found.get(&check.key).copied(),
        };
        let live = record
            .filter(|(_, expires_at_ms)| expires_at_ms.is_none_or(|at_ms| now_ms < at_ms))
            .map(|(version, _)| version);
        check.expect.holds(live.map(i64::cast_unsigned))
    }

    /// Whether every commit was refused, so that nothing need be written.
    pub(super) fn is_void(&self) -> bool {
        self.succeeded == 0
    }

    /// Every key that changes, once.
    pub(super) fn changes(&self) -> impl Iterator<Item = (&'a str, Change<'a>)> {
        self.changes.iter().map(|(key, change)| (*key, *change))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Expect;

    fn plan<'a>(found: &[(&str, i64, Option<i64>)]) -> Plan<'a> {
        let found = found
            .iter()
            .map(|(key, version, until)| ((*key).to_owned(), (*version, *until)));
        Plan::new(10, found.collect())
    }

    fn conflict(key: &str) -> Result<u64, StoreError> {
        Err(StoreError::Conflict { key: key.into() })
    }

    #[test]
    fn a_commit_sees_those_before_it_and_not_those_that_were_refused() {
        let create = |key: &str, n: &str| {
            let check = Commit::new().check(key, Expect::Absent);
            check.put(key, n.to_owned(), None)
        };
        let commits = [
            create("a", "1"),
            create("a", "2"),
            Commit::new().check("a", Expect::Version(11)).delete("a"),
            create("a", "3"),
            Commit::new().check("b", Expect::Any).put("c", "4", None),
        ];
        let mut plan = plan(&[]);
        let answers: Vec<_> = commits.iter().map(|c| plan.judge(c, 0)).collect();
        let expected = [Ok(11), conflict("a"), Ok(12), Ok(13), conflict("b")];
        assert_eq!(answers, expected);
        let put = Change::Put {
            value: b"3",
            version: 13,
            expires_at_ms: None,
        };
        assert_eq!(plan.changes().collect::<Vec<_>>(), [("a", put)]);
    }

    #[test]
    fn what_expires_within_a_group_is_gone_for_the_commits_after_it() {
        let write = Commit::new().put("k", "1", Some(5));
        let check = Commit::new().check("k", Expect::Any);
        let found = Commit::new().check("old", Expect::Version(3));
        let mut plan = plan(&[("old", 3, Some(5))]);
        assert_eq!(plan.judge(&write, 4), Ok(11));
        assert_eq!(plan.judge(&check, 4), Ok(12));
        assert_eq!(plan.judge(&found, 4), Ok(13));
        assert_eq!(plan.judge(&check, 5), conflict("k"));
        assert_eq!(plan.judge(&found, 5), conflict("old"));
    }

    #[test]
    fn a_group_that_was_refused_as_a_whole_is_void_and_an_empty_commit_is_not() {
        let refused = Commit::new().check("k", Expect::Any).delete("k");
        let empty = Commit::new();
        let mut plan = plan(&[]);
        assert_eq!(plan.judge(&refused, 0), conflict("k"));
        assert!(plan.is_void());
        assert_eq!(plan.judge(&empty, 0), Ok(11));
        assert!(!plan.is_void());
        assert_eq!(plan.changes().count(), 0);
    }

    #[test]
    fn revisions_end_with_an_error_and_no_panic() {
        let mut plan = Plan::new(i64::MAX, HashMap::new());
        let commit = Commit::new();
        let answer = plan.judge(&commit, 0);
        assert!(matches!(answer, Err(StoreError::Unavailable(_))));
    }
}
