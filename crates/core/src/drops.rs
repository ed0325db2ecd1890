//! Drops: what the platform gave to users, and what games have handed out (`spec 2.12`).
//!
//! An entitlement belongs to the channel that the extension's server names, or to none, and then
//! every game of the extension sees it.

use crowdlink_store::{Commit, Expect};
use serde::{Deserialize, Serialize};

use crate::caller::Caller;
use crate::core::Core;
use crate::error::Error;
use crate::state::check_count;
use crate::table::{Table, encode};
use crate::world::CONFLICT_TRIES_MAX;

const DROPS: Table<Entitlement> = Table::new("drop");
/// Drops of one answer.
const DROPS_MAX: usize = 1_000;
/// Longest id.
const ID_BYTES_MAX: usize = 128;
/// Where entitlements stand that belong to no channel. No channel is called so: it is empty.
const EVERY_CHANNEL: &str = "";

/// Whether a game has handed it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Fulfillment {
    /// The user has it, the game has not given it.
    Claimed,
    /// The game has given it.
    Fulfilled,
}

impl Fulfillment {
    const ALL: [Self; 2] = [Self::Claimed, Self::Fulfilled];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Claimed => "CLAIMED",
            Self::Fulfilled => "FULFILLED",
        }
    }
}

/// One entitlement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entitlement {
    /// Its id.
    pub id: String,
    /// What it is.
    pub benefit_id: String,
    /// Whose it is.
    pub user_id: String,
    /// For which game.
    pub game_id: String,
    /// Whether it was handed out.
    pub fulfillment_status: Fulfillment,
    /// Who gave it.
    #[serde(default = "platform")]
    pub service: String,
    /// When it changed last (Unix ms).
    #[serde(default)]
    pub updated_ms: i64,
}

fn platform() -> String {
    "twitch".to_owned()
}

impl Entitlement {
    fn check(&self) -> Result<(), Error> {
        let texts = [
            ("id", &self.id),
            ("benefit_id", &self.benefit_id),
            ("user_id", &self.user_id),
            ("game_id", &self.game_id),
            ("service", &self.service),
        ];
        for (field, text) in texts {
            if text.is_empty() || text.len() > ID_BYTES_MAX || text.chars().any(char::is_control) {
                let expected =
                    format!("must be 1 to {ID_BYTES_MAX} bytes without control characters");
                return Err(Error::invalid(field, expected));
            }
        }
        Ok(())
    }
}

fn key(caller: &Caller, channel: &str, status: Fulfillment, id: &str) -> String {
    let parts = [channel, status.as_str(), id];
    DROPS.key(caller.stage, caller.client_id(), &parts)
}

/// Upserts entitlements, all or none: of a channel where the caller names one, else of all.
pub async fn upsert(
    core: &Core,
    caller: &Caller,
    channel: Option<&str>,
    drops: Vec<Entitlement>,
) -> Result<(), Error> {
    caller.require_trusted()?;
    check_count(core, "the body", drops.len())?;
    let named = channel.filter(|channel| !channel.is_empty());
    let channel = named
        .or(caller.channel_id.as_deref())
        .unwrap_or(EVERY_CHANNEL);
    let now_ms = core.world.now_ms();
    let mut commit = Commit::new();
    for (index, mut drop) in drops.into_iter().enumerate() {
        drop.check()
            .map_err(|error| Error::Document(format!("[{index}].{}", error.reason())))?;
        drop.updated_ms = now_ms;
        for status in Fulfillment::ALL {
            let key = key(caller, channel, status, &drop.id);
            commit = if status == drop.fulfillment_status {
                commit.put(key, encode(&drop)?, None)
            } else {
                commit.delete(key)
            };
        }
    }
    core.world.store.commit(commit).await?;
    Ok(())
}

/// Up to 1,000 entitlements for a game's channel, by their id; of one status or, with `None`, the
/// claimed ones first.
pub async fn list(
    core: &Core,
    caller: &Caller,
    status: Option<Fulfillment>,
) -> Result<Vec<Entitlement>, Error> {
    let channel = caller.broadcaster_channel()?;
    let store = &*core.world.store;
    let mut found = Vec::new();
    for wanted in Fulfillment::ALL {
        if status.is_some_and(|status| status != wanted) {
            continue;
        }
        for place in [channel, EVERY_CHANNEL] {
            let prefix = key(caller, place, wanted, "");
            let page = DROPS
                .scan(store, &prefix, None, DROPS_MAX - found.len())
                .await?;
            found.extend(page.into_iter().map(|stored| stored.value));
        }
    }
    Ok(found)
}

/// Notes that a game has handed a drop out; 404 where there is none. Doing so again is fine.
pub async fn fulfil(core: &Core, caller: &Caller, id: &str) -> Result<(), Error> {
    let channel = caller.broadcaster_channel()?;
    let unknown = || Error::NotFound("There is no drop of this id".into());
    if id.is_empty() || id.len() > ID_BYTES_MAX {
        return Err(unknown());
    }
    let store = &*core.world.store;
    for attempt in 1..=CONFLICT_TRIES_MAX {
        let mut claimed = None;
        for place in [channel, EVERY_CHANNEL] {
            let fulfilled = key(caller, place, Fulfillment::Fulfilled, id);
            if DROPS.get(store, &fulfilled).await?.is_some() {
                return Ok(());
            }
            let from = key(caller, place, Fulfillment::Claimed, id);
            if let Some(stored) = DROPS.get(store, &from).await? {
                claimed = Some((stored, fulfilled));
                break;
            }
        }
        let (stored, to) = claimed.ok_or_else(unknown)?;
        let mut drop = stored.value.clone();
        drop.fulfillment_status = Fulfillment::Fulfilled;
        drop.updated_ms = core.world.now_ms();
        let commit = Commit::new()
            .check(&stored.key, Expect::Version(stored.version))
            .delete(&stored.key)
            .put(to, encode(&drop)?, None);
        if core.world.try_commit(commit).await?.is_some() {
            return Ok(());
        }
        core.world.pause_before_retry(attempt).await?;
    }
    Err(Error::Internal("the drop kept changing".to_owned()))
}
