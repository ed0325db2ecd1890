//! The log of a poll: one row per voter and value, in the order of time.
//!
//! What one commit counted is one record, so that a vote costs no row of its own. A vote that was
//! replaced stays in it; the ballots tell which ones count.

use std::collections::{HashSet, VecDeque};

use crowdlink_store::Commit;
use serde::{Deserialize, Serialize};

use super::ballot::{Ballot, Cast, usual_opaque};
use super::place::PollPlace;
use super::records::{BALLOTS, LOG, Rows};
use crate::caller::Caller;
use crate::core::Core;
use crate::error::Error;
use crate::table::encode;

/// Rows after which a page ends.
const PAGE_ROWS: usize = 1_000;
/// Records read at once: each is one commit of votes, of at most 256 operations.
const PAGE_RECORDS_MAX: usize = 64;

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

/// The votes of one commit, all given at one moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct LogRecord {
    /// Unix ms.
    at_ms: i64,
    /// Voter and value.
    votes: Vec<(String, i64)>,
}

impl LogRecord {
    pub(super) const fn new(at_ms: i64) -> Self {
        Self {
            at_ms,
            votes: Vec::new(),
        }
    }

    /// Adds what is new in a ballot.
    pub(super) fn add(&mut self, voter: &str, (before, now): (&Ballot, &Ballot)) {
        let same = |a: &Cast, b: &Cast| (a.value, a.at_ms) == (b.value, b.at_ms);
        let is_new = |cast: &&Cast| !before.votes.iter().any(|other| same(cast, other));
        let new = now.votes.iter().filter(is_new);
        self.votes
            .extend(new.map(|cast| (voter.to_owned(), cast.value)));
    }

    /// Adds it to the commit of its votes. `number` tells it from the others of its node.
    pub(super) fn put(
        &self,
        commit: Commit,
        rows: &Rows,
        (node, number): (u32, u64),
    ) -> Result<Commit, Error> {
        if self.votes.is_empty() {
            return Ok(commit);
        }
        let key = rows.log_record(self.at_ms, node, number);
        Ok(commit.put(key, encode(self)?, None))
    }
}

/// Reads a log page by page, the oldest rows first, as far as it went when reading began. A voter
/// who votes anew meanwhile moves beyond that.
#[derive(Debug)]
pub struct LogReader {
    /// The run's rows; none where the poll does not exist.
    rows: Option<Rows>,
    ended: bool,
    after: Option<String>,
    until_ms: i64,
    /// Read, and not told yet.
    ahead: VecDeque<LogRecord>,
    /// What was told of the latest moment: of a voter who changes his mind twice in one millisecond two
    /// records may tell the same.
    told: (i64, HashSet<(String, i64)>),
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
        rows: head.map(|head| Rows::new(&place, &head.run)),
        ended: false,
        after: None,
        until_ms: core.world.now_ms(),
        ahead: VecDeque::new(),
        told: (0, HashSet::new()),
    })
}

impl LogReader {
    /// The next rows; none at the end.
    pub async fn next(&mut self, core: &Core) -> Result<Vec<LogEntry>, Error> {
        loop {
            let votes = self.next_votes(core).await?;
            if votes.is_empty() {
                return Ok(Vec::new());
            }
            let rows = self.counting(core, votes).await?;
            if !rows.is_empty() {
                return Ok(rows);
            }
        }
    }

    /// The next votes that were given, with their moments; none at the end.
    async fn next_votes(&mut self, core: &Core) -> Result<Vec<(i64, String, i64)>, Error> {
        let mut votes = Vec::new();
        while votes.len() < PAGE_ROWS {
            if self.ahead.is_empty() && !self.read_ahead(core).await? {
                break;
            }
            let Some(LogRecord { at_ms, votes: of }) = self.ahead.pop_front() else {
                break;
            };
            if at_ms > self.until_ms {
                // Whatever comes behind is later, too.
                self.ahead.clear();
                self.ended = true;
                break;
            }
            votes.extend(of.into_iter().map(|(voter, value)| (at_ms, voter, value)));
        }
        Ok(votes)
    }

    /// Whether there was more to read.
    async fn read_ahead(&mut self, core: &Core) -> Result<bool, Error> {
        let Some(rows) = self.rows.as_ref().filter(|_| !self.ended) else {
            return Ok(false);
        };
        let (store, after) = (&*core.world.store, self.after.as_deref());
        let page = LOG.scan(store, &rows.log, after, PAGE_RECORDS_MAX).await?;
        for record in page {
            self.after = Some(record.key);
            self.ahead.push_back(record.value);
        }
        Ok(!self.ahead.is_empty())
    }

    /// Those of the votes that still stand in their ballots, each once.
    async fn counting(
        &mut self,
        core: &Core,
        votes: Vec<(i64, String, i64)>,
    ) -> Result<Vec<LogEntry>, Error> {
        let Some(rows) = &self.rows else {
            return Ok(Vec::new());
        };
        let keys = votes.iter().map(|(_, voter, _)| rows.ballot(voter));
        let ballots = BALLOTS.get_many(&*core.world.store, keys.collect()).await?;
        let mut counting = Vec::with_capacity(votes.len());
        for ((at_ms, voter, value), ballot) in votes.into_iter().zip(ballots) {
            let stands = |ballot: &Ballot| ballot.has(value, at_ms);
            let Some(ballot) = ballot.filter(|ballot| stands(&ballot.value)) else {
                continue;
            };
            if self.told.0 != at_ms {
                self.told = (at_ms, HashSet::new());
            }
            if self.told.1.insert((voter.clone(), value)) {
                let opaque = ballot.value.opaque;
                counting.push(LogEntry {
                    opaque: opaque.unwrap_or_else(|| usual_opaque(&voter)),
                    identifier: voter,
                    value,
                    timestamp: at_ms,
                });
            }
        }
        Ok(counting)
    }
}
