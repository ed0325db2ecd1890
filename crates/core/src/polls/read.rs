//! What polls tell.

use std::sync::Arc;

use crowdlink_protocol::{ClientId, PollConfig, PollReport, PollStatus, Stage, VoteStatistics};
use crowdlink_store::{SCAN_PAGE_RECORDS_MAX, Store};

use super::Polls;
use super::head::{Definition, Head, status_at};
use super::place::{KIND, PollPlace, scope_prefix};
use super::records::{BALLOTS, DEFINITIONS, HEADS, Rows};
use super::vote::{Operation, Voted};
use crate::caller::Caller;
use crate::core::Core;
use crate::error::Error;
use crate::keys;
use crate::table::Stored;

/// When a poll begins and ends, and which opening of it that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollTimes {
    /// Its run, and how often it was opened in it: another one is another life.
    pub opening: (String, u64),
    /// Unix ms; 0 for none.
    pub starts_at_ms: i64,
    /// Unix ms; 0 for none.
    pub ends_at_ms: i64,
    /// Whether somebody told what it asks.
    pub defined: bool,
    /// The newest commit that changed the poll itself, see [`super::PollNews`].
    pub version: u64,
}

impl PollTimes {
    pub(super) fn of(head: &Head, version: u64) -> Self {
        Self {
            opening: (head.run.as_str().to_owned(), head.opened),
            starts_at_ms: head.starts_at_ms,
            ends_at_ms: head.ends_at_ms,
            defined: head.defined,
            version,
        }
    }

    /// How far the poll is at a moment (Unix ms).
    pub const fn status(&self, now_ms: i64) -> PollStatus {
        status_at((self.starts_at_ms, self.ends_at_ms), now_ms)
    }

    /// When it begins or ends next (Unix ms).
    pub fn next_turn_ms(&self, now_ms: i64) -> Option<i64> {
        let turns = [self.starts_at_ms, self.ends_at_ms].into_iter();
        let ahead = turns.filter(|at_ms| *at_ms > now_ms).min();
        ahead.filter(|_| self.status(now_ms) != PollStatus::Expired)
    }
}

/// A poll as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct PollSnapshot {
    /// When it begins and ends.
    pub times: PollTimes,
    /// As games and viewers are told.
    pub report: PollReport,
    /// Its numbers.
    pub numbers: VoteStatistics,
    /// The newest commit that it shows, see [`super::PollNews`].
    pub version: u64,
    /// The newest commit of votes that its numbers count; 0 without one.
    pub votes_version: u64,
    /// The moment it shows (Unix ms): its status is of then.
    pub at_ms: i64,
    /// Whether a match asks it: then games of its channel are not told (`spec 6.2`).
    pub of_match: bool,
}

/// The report on a poll (`spec 2.6`); 404 where there is neither poll nor vote.
pub async fn report(
    core: &Core,
    caller: &Caller,
    channel: Option<&str>,
    id: &str,
) -> Result<PollReport, Error> {
    let place = PollPlace::of(caller, channel, id)?;
    let found = core.polls.snapshot(&place).await?;
    found
        .filter(|poll| poll.times.defined || poll.numbers.count != 0)
        .map(|poll| poll.report)
        .ok_or_else(no_poll)
}

/// The definition of a poll (`vote_config`, `spec 3.6`); 404 where there is none.
pub async fn config(
    core: &Core,
    caller: &Caller,
    channel: Option<&str>,
    id: &str,
) -> Result<PollConfig, Error> {
    let place = PollPlace::of(caller, channel, id)?;
    let head = core.polls.load(&place).await?.head.ok_or_else(no_poll)?;
    let definition = core.polls.definition(&place, &head).await?;
    Ok(head.config(id, definition, core.world.now_ms()))
}

/// The numbers of a poll and what the caller voted for; zeros where nothing exists (`spec 3.6`).
pub async fn votes(
    core: &Core,
    caller: &Caller,
    channel: Option<&str>,
    id: &str,
) -> Result<Voted, Error> {
    let place = PollPlace::of(caller, channel, id)?;
    let loaded = core.polls.load(&place).await?;
    let vote = match (&loaded.head, caller.voter_identity()) {
        (None, _) | (_, "") => None,
        (Some(head), voter) => {
            let key = Rows::new(&place, &head.run).ballot(voter);
            let ballot = BALLOTS.get(&*core.world.store, &key).await?;
            ballot.and_then(|ballot| ballot.value.vote())
        }
    };
    Ok(Voted {
        numbers: Arc::new(loaded.total().statistics().into()),
        vote,
    })
}

/// A poll for those who were found fit to be told of it; `None` where there is none.
pub async fn snapshot(core: &Core, place: &PollPlace) -> Result<Option<PollSnapshot>, Error> {
    core.polls.snapshot(place).await
}

/// The same, with every vote counted that was on its way on this node.
pub async fn settled(core: &Core, place: &PollPlace) -> Result<Option<PollSnapshot>, Error> {
    core.polls.submit(place, Operation::Settle).await?;
    core.polls.snapshot(place).await
}

/// The polls of a channel, or of an extension's every channel, and when they begin and end.
pub async fn times_of(
    core: &Core,
    (stage, client_id): (Stage, &ClientId),
    channel: Option<&str>,
) -> Result<Vec<(PollPlace, PollTimes)>, Error> {
    let prefix = match channel {
        Some(_) => scope_prefix(stage, client_id, channel),
        None => keys::kind(stage, client_id, KIND),
    };
    let heads = all_heads(&*core.world.store, &prefix).await?;
    let polls = heads.into_iter().filter_map(|head| {
        let place = PollPlace::of_key(stage, client_id, &head.key)?;
        Some((place, PollTimes::of(&head.value, head.version)))
    });
    Ok(polls.collect())
}

/// Every head whose key starts with `prefix`, by key.
pub(super) async fn all_heads(store: &dyn Store, prefix: &str) -> Result<Vec<Stored<Head>>, Error> {
    let mut found: Vec<Stored<Head>> = Vec::new();
    loop {
        let last = found.last().map(|head| head.key.as_str());
        let page = HEADS
            .scan(store, prefix, last, SCAN_PAGE_RECORDS_MAX)
            .await?;
        let full = page.len() == SCAN_PAGE_RECORDS_MAX;
        found.extend(page);
        if !full {
            return Ok(found);
        }
    }
}

fn no_poll() -> Error {
    Error::NotFound("There is no such poll".into())
}

impl Polls {
    /// What a poll asks.
    pub(super) async fn definition(
        &self,
        place: &PollPlace,
        head: &Head,
    ) -> Result<Definition, Error> {
        if !head.defined {
            return Ok(Definition::default());
        }
        let key = Rows::new(place, &head.run).definition;
        let stored = DEFINITIONS.get(&*self.world.store, &key).await?;
        Ok(stored.map(|stored| stored.value).unwrap_or_default())
    }

    async fn snapshot(&self, place: &PollPlace) -> Result<Option<PollSnapshot>, Error> {
        let loaded = self.load(place).await?;
        let total = loaded.total();
        let (Some(head), Some(version)) = (loaded.head, loaded.version) else {
            return Ok(None);
        };
        let definition = self.definition(place, &head).await?;
        let at_ms = self.world.now_ms();
        let shown = head.shown(&place.id, definition, at_ms);
        let numbers = total.statistics();
        Ok(Some(PollSnapshot {
            times: PollTimes::of(&head, version),
            report: PollReport::new(shown, head.defined, &numbers),
            numbers,
            version: loaded.newest,
            votes_version: loaded.votes_version,
            at_ms,
            of_match: head.of_match.is_some(),
        }))
    }
}
