//! Answers that wait for one ranking are counted in one commit.

use std::collections::{BTreeMap, HashMap};

use crowdlink_store::{Commit, Expect};

use super::{COUNTS, HEADS, Head, Place, ROWS_KIND, Rows, VOTERS};
use crate::combine::Apply;
use crate::error::Error;
use crate::runs::{self, Run, Watch};
use crate::table::{Stored, encode};
use crate::world::{CONFLICT_TRIES_MAX, World};

/// What waits for a ranking.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    /// A voter names a key.
    Answer {
        /// Who.
        voter: String,
        /// The key.
        key: String,
    },
    /// Every answer before is forgotten.
    Clear,
}

/// The key that a voter had before.
type Original = Option<String>;

/// Counts the answers of one ranking.
pub(crate) struct Counter {
    world: World,
    lifetime_ms: u64,
    place: Place,
}

impl Apply<Operation, Original> for Counter {
    async fn apply(&mut self, batch: &[Operation]) -> Vec<Result<Original, Error>> {
        let together = |one: &Operation, next: &Operation| {
            matches!(
                (one, next),
                (Operation::Answer { .. }, Operation::Answer { .. })
            )
        };
        let mut outcomes = Vec::with_capacity(batch.len());
        for part in batch.chunk_by(together) {
            match self.commit(part).await {
                Ok(originals) => outcomes.extend(originals.into_iter().map(Ok)),
                Err(error) => outcomes.extend(part.iter().map(|_| Err(error.clone()))),
            }
        }
        outcomes
    }
}

impl Counter {
    pub(crate) const fn new(world: World, lifetime_ms: u64, place: Place) -> Self {
        Self {
            world,
            lifetime_ms,
            place,
        }
    }

    async fn commit(&self, part: &[Operation]) -> Result<Vec<Original>, Error> {
        for attempt in 1..=CONFLICT_TRIES_MAX {
            let head = HEADS.get(&*self.world.store, &self.place.head).await?;
            let (commit, originals) = match part {
                [Operation::Clear] => (self.clear(head)?, vec![None]),
                answers => self.count(head, answers).await?,
            };
            if commit.writes.is_empty() || self.world.try_commit(commit).await?.is_some() {
                return Ok(originals);
            }
            self.world.pause_before_retry(attempt).await?;
        }
        Ok(Vec::new())
    }

    fn watch_of(&self, run: &Run) -> Watch {
        let extension = (self.place.stage, &self.place.client_id);
        Watch::new(run, &*self.place.head, extension, &[ROWS_KIND])
    }

    fn clear(&self, head: Option<Stored<Head>>) -> Result<Commit, Error> {
        let Some(head) = head else {
            return Ok(Commit::new());
        };
        let commit = Commit::new()
            .check(&head.key, Expect::Version(head.version))
            .delete(&head.key);
        runs::watch(commit, &self.watch_of(&head.value.run), self.world.now_ms())
    }

    async fn count(
        &self,
        head: Option<Stored<Head>>,
        answers: &[Operation],
    ) -> Result<(Commit, Vec<Original>), Error> {
        let expires_at_ms = self
            .world
            .now_ms()
            .saturating_add_unsigned(self.lifetime_ms);
        let mut commit = Commit::new();
        let (head, expect) = if let Some(head) = head {
            (head.value, Expect::Version(head.version))
        } else {
            let run = Run::new(&self.world);
            commit = runs::watch(commit, &self.watch_of(&run), expires_at_ms)?;
            (Head { run }, Expect::Absent)
        };
        let key = &self.place.head;
        commit = commit
            .check(key, expect)
            .put(key, encode(&head)?, Some(expires_at_ms));
        let rows = self.place.rows(&head.run);
        let mut draft = Draft {
            voters: self.voters(&rows, answers).await?,
            changes: BTreeMap::new(),
        };
        let originals = answers.iter().map(|answer| draft.take(answer)).collect();
        for (voter, kept) in &draft.voters {
            if let Some(key) = &kept.now
                && kept.was != kept.now
            {
                commit = commit.put(rows.voter(voter), encode(key)?, None);
            }
        }
        let commit = self.recount(commit, &rows, &draft.changes).await?;
        Ok((commit, originals))
    }

    /// What the voters of a batch answered before.
    async fn voters<'a>(
        &self,
        rows: &Rows,
        answers: &'a [Operation],
    ) -> Result<HashMap<&'a str, Kept>, Error> {
        let voter = |answer: &'a Operation| match answer {
            Operation::Answer { voter, .. } => Some(&**voter),
            Operation::Clear => None,
        };
        let mut voters: Vec<&str> = answers.iter().filter_map(voter).collect();
        voters.sort_unstable();
        voters.dedup();
        let keys = voters.iter().map(|voter| rows.voter(voter)).collect();
        let there = VOTERS.get_many(&*self.world.store, keys).await?;
        let kept = |there: Option<Stored<String>>| {
            let was = there.map(|there| there.value);
            let now = was.clone();
            Kept { was, now }
        };
        let voters = voters.into_iter().zip(there.into_iter().map(kept));
        Ok(voters.collect())
    }

    /// Adds changes of counts to a commit: the count itself, and its place in the order.
    async fn recount(
        &self,
        mut commit: Commit,
        rows: &Rows,
        changes: &BTreeMap<String, i64>,
    ) -> Result<Commit, Error> {
        let changes = || changes.iter().filter(|(_, change)| **change != 0);
        let keys = changes().map(|(key, _)| rows.count(key)).collect();
        let counts = COUNTS.get_many(&*self.world.store, keys).await?;
        for ((key, change), count) in changes().zip(counts) {
            let before = count.map_or(0, |count| count.value);
            let after = u32::try_from(i64::from(before).saturating_add(*change)).unwrap_or(0);
            if before > 0 {
                commit = commit.delete(rows.score(before, key));
            }
            commit = if after == 0 {
                commit.delete(rows.count(key))
            } else {
                let json = encode(&after)?;
                commit.put(rows.count(key), json.clone(), None).put(
                    rows.score(after, key),
                    json,
                    None,
                )
            };
        }
        Ok(commit)
    }
}

/// A voter's key, as the store has it and as a batch leaves it.
#[derive(Clone, Debug, Default)]
struct Kept {
    was: Option<String>,
    now: Option<String>,
}

/// A ranking while a batch is counted.
struct Draft<'a> {
    voters: HashMap<&'a str, Kept>,
    /// By how much the count of a key changes.
    changes: BTreeMap<String, i64>,
}

impl Draft<'_> {
    fn take(&mut self, answer: &Operation) -> Original {
        let Operation::Answer { voter, key } = answer else {
            return None;
        };
        let kept = self.voters.get_mut(&**voter)?;
        let original = kept.now.replace(key.clone());
        if let Some(original) = &original {
            *self.changes.entry(original.clone()).or_default() -= 1;
        }
        *self.changes.entry(key.clone()).or_default() += 1;
        original
    }
}
