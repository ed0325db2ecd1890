//! The log of a poll: one row per voter and value, in the order of time.

use crowdlink_store::Commit;
use serde::{Deserialize, Serialize};

use super::ballot::{Ballot, Cast};
use super::place::PollPlace;
use super::records::{LOG, Rows};
use crate::caller::Caller;
use crate::core::Core;
use crate::error::Error;
use crate::table::encode;

/// Rows read at once.
const PAGE_ROWS_MAX: usize = 1_000;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// The voter identity.
    pub identifier: String,
    /// The opaque id, or `U` and the id where it is unknown.
    pub opaque: String,
    /// What was voted for.
    pub value: i64,
    /// When, or when last (Unix ms).
    pub timestamp: i64,
}

/// Moves the rows of a voter whose ballot changes.
pub(super) fn moved(
    mut commit: Commit,
    rows: &Rows,
    voter: &str,
    (before, now): (&Ballot, &Ballot),
) -> Result<Commit, Error> {
    let same = |a: &Cast, b: &Cast| (a.value, a.at_ms) == (b.value, b.at_ms);
    let in_neither = |ballot: &Ballot, cast: &Cast| !ballot.votes.iter().any(|b| same(cast, b));
    for cast in before.votes.iter().filter(|cast| in_neither(now, cast)) {
        commit = commit.delete(rows.log_row(voter, *cast));
    }
    for cast in now.votes.iter().filter(|cast| in_neither(before, cast)) {
        let row = LogEntry {
            identifier: voter.to_owned(),
            opaque: now.opaque.clone(),
            value: cast.value,
            timestamp: cast.at_ms,
        };
        commit = commit.put(rows.log_row(voter, *cast), encode(&row)?, None);
    }
    Ok(commit)
}

/// Reads a log page by page, the oldest rows first, as far as it went when reading began. A voter
/// who votes anew meanwhile moves beyond that.
#[derive(Debug)]
pub struct LogReader {
    /// The run's rows; none where the poll does not exist.
    prefix: Option<String>,
    after: Option<String>,
    until_ms: i64,
}

/// The log of a poll, for the extension's own server (`spec 3.6`).
pub async fn vote_log(
    core: &Core,
    caller: &Caller,
    channel: Option<&str>,
    id: &str,
) -> Result<LogReader, Error> {
    caller.require_trusted()?;
    let place = PollPlace::of(caller, channel, id)?;
    let head = core.polls.load(&place).await?.head;
    Ok(LogReader {
        prefix: head.map(|head| Rows::new(&place, &head.run).log),
        after: None,
        until_ms: core.world.now_ms(),
    })
}

impl LogReader {
    /// The next rows; none at the end.
    pub async fn next(&mut self, core: &Core) -> Result<Vec<LogEntry>, Error> {
        let Some(prefix) = &self.prefix else {
            return Ok(Vec::new());
        };
        let (store, after) = (&*core.world.store, self.after.as_deref());
        let page = LOG.scan(store, prefix, after, PAGE_ROWS_MAX).await?;
        let mut rows = Vec::with_capacity(page.len());
        for row in page {
            if row.value.timestamp > self.until_ms {
                self.prefix = None;
                break;
            }
            rows.push(row.value);
            self.after = Some(row.key);
        }
        Ok(rows)
    }
}
