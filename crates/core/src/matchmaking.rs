//! Viewers who want to play along (`spec 2.11`, `spec 3.10`).

use crowdlink_protocol::{ClientId, Stage};
use crowdlink_store::Commit;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::caller::{Caller, check_id};
use crate::core::Core;
use crate::datastream::object;
use crate::error::Error;
use crate::purchases::Books;
use crate::table::{Table, encode};

/// Where the bus carries [`Joined`].
pub(crate) const TOPIC: &str = "matchmaking";
const QUEUE: Table<Candidate> = Table::new("matchmaking");
/// How long a viewer who waits is remembered: no stream is longer.
const WAITS_MS: u64 = 24 * 60 * 60 * 1_000;
/// Viewers of one answer.
const CANDIDATES_MAX: usize = 100;
/// What they sent, of one answer: a frame to a game stays under 4 MiB (`spec 2.1`).
const CANDIDATES_BYTES_MAX: usize = 1024 * 1024;
/// Viewers removed by one commit.
const REMOVED_AT_ONCE: usize = 1_000;
/// Commits of one `clear`: viewers who come meanwhile must not keep it busy for ever.
const CLEAR_COMMITS_MAX: usize = 1_000;

/// A viewer who wants to play.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Candidate {
    /// What the viewer sent.
    pub data: Box<RawValue>,
    /// The user id, or the opaque id of who does not share it.
    pub user_id: String,
    /// What people call the viewer.
    pub username: String,
    /// When the viewer joined (Unix ms).
    pub at_ms: i64,
    /// Bits that the viewer spent in the channel.
    pub bits: u64,
}

/// Told when a viewer joins.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Joined {
    /// The world.
    pub stage: Stage,
    /// The extension.
    pub client_id: ClientId,
    /// The channel.
    pub channel: String,
    /// Who.
    pub candidate: Candidate,
}

fn key(caller: &Caller, channel: &str, viewer: &str) -> String {
    QUEUE.key(caller.stage, caller.client_id(), &[channel, viewer])
}

/// Joins the queue of a channel, or says something else in it; the games hear of it.
pub async fn join(
    core: &Core,
    caller: &Caller,
    channel: Option<&str>,
    json: &[u8],
) -> Result<(), Error> {
    let (channel, viewer) = (caller.channel(channel)?, caller.viewer()?);
    let data = object(core, json, core.limits.matchmaking_bytes_max)?;
    let account = Books::of(caller, channel)
        .account(&core.world, viewer)
        .await?;
    let at_ms = core.world.now_ms();
    let candidate = Candidate {
        data,
        user_id: viewer.to_owned(),
        username: account.name.unwrap_or_else(|| viewer.to_owned()),
        at_ms,
        bits: account.bits,
    };
    let until_ms = at_ms.saturating_add_unsigned(WAITS_MS);
    let key = key(caller, channel, viewer);
    let commit = Commit::new().put(key, encode(&candidate)?, Some(until_ms));
    core.world.store.commit(commit).await?;
    let joined = Joined {
        stage: caller.stage,
        client_id: caller.client_id().clone(),
        channel: channel.to_owned(),
        candidate,
    };
    core.world.tell(TOPIC, &joined)
}

/// Leaves the queue of a channel, also where the caller is not in it.
pub async fn leave(core: &Core, caller: &Caller, channel: Option<&str>) -> Result<(), Error> {
    let (channel, viewer) = (caller.channel(channel)?, caller.viewer()?);
    let commit = Commit::new().delete(key(caller, channel, viewer));
    core.world.store.commit(commit).await?;
    Ok(())
}

/// Up to 100 viewers who wait in the game's channel, fewer where they sent a lot.
pub async fn waiting(core: &Core, caller: &Caller) -> Result<Vec<Candidate>, Error> {
    let prefix = key(caller, caller.broadcaster_channel()?, "");
    let store = &*core.world.store;
    let page = QUEUE.scan(store, &prefix, None, CANDIDATES_MAX).await?;
    let mut bytes = 0;
    let fits = |candidate: &Candidate| {
        bytes += candidate.data.get().len();
        bytes <= CANDIDATES_BYTES_MAX
    };
    let waiting = page.into_iter().map(|stored| stored.value);
    Ok(waiting.take_while(fits).collect())
}

/// Takes a viewer out of the queue of the game's channel, also one who is not in it.
pub async fn remove(core: &Core, caller: &Caller, user_id: &str) -> Result<(), Error> {
    let channel = caller.broadcaster_channel()?;
    check_id("id", user_id)?;
    let commit = Commit::new().delete(key(caller, channel, user_id));
    core.world.store.commit(commit).await?;
    Ok(())
}

/// Takes everybody out of the queue of the game's channel.
pub async fn clear(core: &Core, caller: &Caller) -> Result<(), Error> {
    let prefix = key(caller, caller.broadcaster_channel()?, "");
    let store = &*core.world.store;
    for _ in 0..CLEAR_COMMITS_MAX {
        let page = store.scan(&prefix, None, REMOVED_AT_ONCE).await?;
        let last = page.len() < REMOVED_AT_ONCE;
        let delete = |commit: Commit, entry: crowdlink_store::Entry| commit.delete(entry.key);
        store
            .commit(page.into_iter().fold(Commit::new(), delete))
            .await?;
        if last {
            return Ok(());
        }
    }
    Ok(())
}
