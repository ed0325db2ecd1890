//! Generations of rows. What belongs to one poll, ranking or set of codes is dropped at once,
//! however many rows it has: its head gets another run, and the rows of the old one, which nobody
//! reads any more, are removed later, a little at a time (DESIGN 3).
//!
//! What a feature must keep to:
//! - A *head* is one record, of at most [`HEAD_BYTES_MAX`], that names its runs somewhere in its
//!   JSON. Rows are read only by way of it. It may expire; rows do not.
//! - Rows stand under [`Run::rows`], at most [`ROW_BYTES_MAX`] each. Every commit that writes one
//!   checks the head, or, before there is a head, that the [`Watch`] of the run is still there.
//! - The commit that makes a head name a new run watches that run ([`watch`]); the commit that
//!   makes a head name it no more, or removes the head, does so again, with a time that is soon.

use crowdlink_protocol::{ClientId, Stage};
use crowdlink_store::{Commit, Expect, READ_BYTES_MAX, Store, VALUE_BYTES_MAX};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::keys;
use crate::table::{Stored, Table, encode};
use crate::world::World;

/// Largest head, in bytes.
pub(crate) const HEAD_BYTES_MAX: usize = 1024 * 1024;
/// Largest row, in bytes: a batch of them fits in one answer of the store.
pub(crate) const ROW_BYTES_MAX: usize = 128 * 1024;
/// How often runs are looked at.
pub(crate) const SWEEP_MS: u64 = 60_000;
/// Rows that one commit removes.
const SWEEP_BATCH_ROWS_MAX: usize = 500;
const _: () = assert!(HEAD_BYTES_MAX <= VALUE_BYTES_MAX);
const _: () = assert!(SWEEP_BATCH_ROWS_MAX * ROW_BYTES_MAX <= READ_BYTES_MAX);
/// Rows that one sweep removes. What is left waits for the next.
const SWEEP_ROWS_MAX: usize = 50_000;
/// Watches that one sweep looks at.
const SWEEP_WATCHES_MAX: usize = 1_000;
/// When a run is looked at again whose head does not expire, or expires any moment.
const LOOK_AGAIN_MS: i64 = 60 * 60 * 1_000;

/// Runs to look at, by the time when.
const DUE: &str = "runs/due/";
/// Runs whose rows are to be removed.
const DEAD: &str = "runs/dead/";
const WATCHES: Table<Watch> = Table::new("");

/// The id of one generation of rows: unique, never used again, sorted by when it began.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Run(String);

impl Run {
    /// A new one.
    pub(crate) fn new(world: &World) -> Self {
        Self(world.id())
    }

    /// The id, as a head must name it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// `stage/extension/kind/run/`, the prefix of its rows of one kind.
    pub(crate) fn rows(&self, stage: Stage, client_id: &ClientId, kind: &str) -> String {
        let mut prefix = keys::kind(stage, client_id, kind);
        prefix.push_str(&self.0);
        prefix.push('/');
        prefix
    }
}

/// What a run is and where it has rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Watch {
    pub(crate) run: Run,
    /// The key of the head.
    pub(crate) head: String,
    /// The prefixes of its rows, as [`Run::rows`] made them.
    pub(crate) rows: Vec<String>,
}

impl Watch {
    /// A run of the head at a key, with rows of some kinds.
    pub(crate) fn new(
        run: &Run,
        head: impl Into<String>,
        (stage, client_id): (Stage, &ClientId),
        kinds: &[&str],
    ) -> Self {
        let rows = |kind: &&str| run.rows(stage, client_id, kind);
        Self {
            run: run.clone(),
            head: head.into(),
            rows: kinds.iter().map(rows).collect(),
        }
    }

    /// Where it stands until `due_at_ms`. A commit that must not happen once the rows of the run
    /// may be gone expects [`Expect::Any`] here.
    pub(crate) fn due_key(&self, due_at_ms: i64) -> String {
        format!("{DUE}{:016}/{}", due_at_ms.max(0), self.run.as_str())
    }
}

/// Adds to a commit that the run is looked at from `due_at_ms` (Unix ms) on: does its head name it
/// then, it is looked at again when the head expires, else its rows go. The same run may be watched
/// more than once.
pub(crate) fn watch(commit: Commit, watch: &Watch, due_at_ms: i64) -> Result<Commit, Error> {
    Ok(commit.put(watch.due_key(due_at_ms), encode(watch)?, None))
}

/// What one sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    /// Runs that were due and found alive.
    pub(crate) alive: usize,
    /// Runs that were due and found dead.
    pub(crate) dead: usize,
    /// Rows removed.
    pub(crate) rows: usize,
}

/// Looks at the runs that are due, and removes rows of dead ones. Never changes what a reader sees.
pub(crate) async fn sweep(world: &World) -> Result<Swept, Error> {
    let mut swept = Swept::default();
    let now_ms = world.now_ms();
    let store = &*world.store;
    let due = WATCHES.scan(store, DUE, None, SWEEP_WATCHES_MAX).await?;
    let now_key = format!("{DUE}{:016}/~", now_ms.max(0));
    for watched in due.into_iter().take_while(|watched| watched.key < now_key) {
        if look(world, &watched, now_ms).await? {
            swept.alive += 1;
        } else {
            swept.dead += 1;
        }
    }
    let dead = WATCHES.scan(store, DEAD, None, SWEEP_WATCHES_MAX).await?;
    for watched in dead {
        for prefix in &watched.value.rows {
            swept.rows += clear(store, prefix, SWEEP_ROWS_MAX - swept.rows).await?;
            if swept.rows >= SWEEP_ROWS_MAX {
                return Ok(swept);
            }
        }
        store.commit(Commit::new().delete(&watched.key)).await?;
    }
    Ok(swept)
}

/// Whether the head still names a run; puts it off, or on the list of the dead. Whoever else did
/// so meanwhile was right too.
async fn look(world: &World, watched: &Stored<Watch>, now_ms: i64) -> Result<bool, Error> {
    let watch = &watched.value;
    let head = world.store.get(&watch.head).await?;
    let names = |json: &[u8]| {
        let run = watch.run.as_str().as_bytes();
        json.windows(run.len()).any(|part| part == run)
    };
    let head = head.filter(|head| names(&head.value));
    let commit = Commit::new()
        .check(&watched.key, Expect::Version(watched.version))
        .delete(&watched.key);
    let commit = if let Some(head) = &head {
        let soonest_ms = now_ms.saturating_add(LOOK_AGAIN_MS);
        let due_at_ms = head.expires_at_ms.unwrap_or(0).max(soonest_ms);
        commit.put(watch.due_key(due_at_ms), encode(watch)?, None)
    } else {
        let key = format!("{DEAD}{}", watch.run.as_str());
        commit.put(key, encode(watch)?, None)
    };
    world.try_commit(commit).await?;
    Ok(head.is_some())
}

/// Removes up to `rows_max` rows; how many there were.
async fn clear(store: &dyn Store, prefix: &str, rows_max: usize) -> Result<usize, Error> {
    let mut removed = 0;
    while removed < rows_max {
        let limit = SWEEP_BATCH_ROWS_MAX.min(rows_max - removed);
        let page = store.scan(prefix, None, limit).await?;
        if page.is_empty() {
            break;
        }
        removed += page.len();
        let whole = page.len() == limit;
        let commit = page
            .into_iter()
            .fold(Commit::new(), |commit, entry| commit.delete(entry.key));
        store.commit(commit).await?;
        if !whole {
            break;
        }
        tokio::task::yield_now().await;
    }
    Ok(removed)
}

#[cfg(test)]
mod tests;
