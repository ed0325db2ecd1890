//! Matches: several channels in one game (`spec 2.10`).
//!
//! A match is one record that ends with its last keepalive. It belongs to the channel that created
//! it; that one alone may change it (`spec 6.2`). Its polls are polls in each of its channels, with
//! a mark, and beside the match a pattern of each, for channels that join later.

mod ask;
mod read;

use std::collections::BTreeSet;

use crowdlink_protocol::{ClientId, Stage};
use crowdlink_store::{Commit, Expect};
use serde::{Deserialize, Serialize};

use crate::broadcast::{self, Outgoing};
use crate::caller::{ALL_CHANNELS, Caller, check_id};
use crate::core::Core;
use crate::error::Error;
use crate::keys;
use crate::table::{Stored, Table, encode};

pub(crate) use ask::TOPIC;
pub use ask::{MatchPollNews, MatchPollPlace, create_poll, delete_poll, reconfigure_poll};
pub use read::{MatchPollSnapshot, poll_snapshot, polls_of, settled_poll, subscribable};

/// Channels that are dealt with at the same time.
const AT_ONCE: usize = 16;

const MATCHES: Table<Match> = Table::new("match");

/// A match, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Match {
    /// The channel that created it.
    owner: String,
    /// Unique: a match that ended and one of the same id that came after share nothing.
    life: String,
    channels: BTreeSet<String>,
}

/// A match, to those who are told of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MatchPlace {
    /// The world.
    pub stage: Stage,
    /// The extension.
    pub client_id: ClientId,
    /// The channel that it belongs to.
    pub owner: String,
    /// Its id, which another channel's match may have had before.
    pub id: String,
}

impl MatchPlace {
    /// The match that an id names for a caller who owns it; whether there is one is not looked at.
    pub fn of(caller: &Caller, id: &str) -> Result<Self, Error> {
        check_match_id(id)?;
        Ok(Self {
            stage: caller.stage,
            client_id: caller.client_id().clone(),
            owner: caller.writable_channel(None)?.to_owned(),
            id: id.to_owned(),
        })
    }

    fn key(&self) -> String {
        MATCHES.key(self.stage, &self.client_id, &[&self.id])
    }

    /// What the keys of the polls of one life of it start with.
    fn polls(&self, life: &str) -> String {
        let mut prefix = keys::kind(self.stage, &self.client_id, "match-poll");
        prefix.push_str(life);
        prefix.push('/');
        prefix
    }

    /// Reads it; `None` where it is not there, or another channel's.
    async fn find(&self, core: &Core) -> Result<Option<Stored<Match>>, Error> {
        let found = MATCHES.get(&*core.world.store, &self.key()).await?;
        Ok(found.filter(|found| found.value.owner == self.owner))
    }

    /// Reads it for its owner: unknown 404, another channel's 403 (`spec 6.2`).
    async fn owned(&self, core: &Core) -> Result<Stored<Match>, Error> {
        let found = MATCHES.get(&*core.world.store, &self.key()).await?;
        let found = found.ok_or_else(|| Error::NotFound("There is no such match".into()))?;
        if found.value.owner == self.owner {
            Ok(found)
        } else {
            Err(not_owner())
        }
    }
}

fn not_owner() -> Error {
    Error::Forbidden("the match belongs to another channel".into())
}

fn check_match_id(id: &str) -> Result<(), Error> {
    if id.is_empty() {
        return Err(Error::invalid("id", "is required"));
    }
    check_id("id", id)
}

/// Refuses what can be no channels of a match.
fn check_channels(core: &Core, channels: &[String]) -> Result<(), Error> {
    if channels.len() > core.limits.match_channels_max {
        return Err(too_many(core));
    }
    channels.iter().try_for_each(|channel| {
        if channel.is_empty() || channel == ALL_CHANNELS {
            return Err(Error::invalid("channel_ids", "must be ids of channels"));
        }
        check_id("channel_ids", channel)
    })
}

fn too_many(core: &Core) -> Error {
    let channels_max = core.limits.match_channels_max;
    let expected = format!("must leave at most {channels_max} channels in the match");
    Error::invalid("channel_ids", expected)
}

/// Creates a match without channels. One that the caller has already is kept as it is, for another
/// while.
pub async fn create(core: &Core, caller: &Caller, id: &str) -> Result<(), Error> {
    let place = MatchPlace::of(caller, id)?;
    let mut attempt = 1;
    loop {
        let found = MATCHES.get(&*core.world.store, &place.key()).await?;
        let written = match found {
            Some(found) if found.value.owner != place.owner => return Err(not_owner()),
            Some(found) => write(core, &found, &found.value, true).await?,
            None => {
                let new = Match {
                    owner: place.owner.clone(),
                    life: core.world.id(),
                    channels: BTreeSet::new(),
                };
                let key = place.key();
                let commit = Commit::new().check(&key, Expect::Absent).put(
                    key,
                    encode(&new)?,
                    Some(ends_at_ms(core)),
                );
                core.world.try_commit(commit).await?
            }
        };
        if written.is_some() {
            return Ok(());
        }
        core.world.pause_before_retry(attempt).await?;
        attempt += 1;
    }
}

/// A match lives for another while (`spec 5`: 15 minutes).
pub async fn keepalive(core: &Core, caller: &Caller, id: &str) -> Result<(), Error> {
    let place = MatchPlace::of(caller, id)?;
    change(core, &place, true, |_| Ok(())).await.map(|_| ())
}

/// Adds channels to a match: what it asks and has not ended is asked there too. Whose they are, and
/// whether they exist, is not looked at.
pub async fn add_channels(
    core: &Core,
    caller: &Caller,
    id: &str,
    channels: &[String],
) -> Result<(), Error> {
    let place = MatchPlace::of(caller, id)?;
    let _turn = core.match_turns.wait(&place.key()).await;
    // Before any other refusal: who may not is told nothing else.
    place.owned(core).await?;
    check_channels(core, channels)?;
    let (before, after) = change(core, &place, false, |now| {
        now.channels.extend(channels.iter().cloned());
        if now.channels.len() > core.limits.match_channels_max {
            return Err(too_many(core));
        }
        Ok(())
    })
    .await?;
    let joined = after.channels.difference(&before.channels);
    ask::ask_in(core, &place, &after.life, joined).await
}

/// Removes channels from a match, also such as are not in it. What it asks ends there.
pub async fn remove_channels(
    core: &Core,
    caller: &Caller,
    id: &str,
    channels: &[String],
) -> Result<(), Error> {
    let place = MatchPlace::of(caller, id)?;
    let _turn = core.match_turns.wait(&place.key()).await;
    place.owned(core).await?;
    check_channels(core, channels)?;
    let (before, after) = change(core, &place, false, |now| {
        for channel in channels {
            now.channels.remove(channel);
        }
        Ok(())
    })
    .await?;
    let left = before.channels.difference(&after.channels);
    ask::stop_in(core, &place, &after.life, left).await
}

/// Sends an event to the viewers of all channels of a match.
pub async fn broadcast(
    core: &Core,
    caller: &Caller,
    id: &str,
    outgoing: Outgoing<'_>,
) -> Result<(), Error> {
    let found = MatchPlace::of(caller, id)?.owned(core).await?;
    broadcast::by_match(core, caller, &found.value.channels, outgoing)
}

fn ends_at_ms(core: &Core) -> i64 {
    let now_ms = core.world.now_ms();
    now_ms.saturating_add_unsigned(core.lifetimes.match_ms)
}

/// Changes a match of the caller; as it was, and as it is.
async fn change(
    core: &Core,
    place: &MatchPlace,
    renew: bool,
    apply: impl Fn(&mut Match) -> Result<(), Error>,
) -> Result<(Match, Match), Error> {
    let mut attempt = 1;
    loop {
        let found = place.owned(core).await?;
        let mut now = found.value.clone();
        apply(&mut now)?;
        let same = now == found.value && !renew;
        if same || write(core, &found, &now, renew).await?.is_some() {
            return Ok((found.value, now));
        }
        core.world.pause_before_retry(attempt).await?;
        attempt += 1;
    }
}

async fn write(
    core: &Core,
    found: &Stored<Match>,
    now: &Match,
    renew: bool,
) -> Result<Option<u64>, Error> {
    let expires_at_ms = if renew {
        Some(ends_at_ms(core))
    } else {
        found.expires_at_ms
    };
    let commit = Commit::new()
        .check(&found.key, Expect::Version(found.version))
        .put(&found.key, encode(now)?, expires_at_ms);
    core.world.try_commit(commit).await
}
