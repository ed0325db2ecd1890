//! The list of paired games, and how a broadcaster ends them (`spec 6.1`). Direction A only.

use crowdlink_protocol::{ClientId, Grant, Stage};
use crowdlink_store::Commit;

use super::Channel;
use super::in_extension::{PINS_BY_CHANNEL, pin_key};
use super::in_game::end_game_pins;
use crate::caller::{Caller, ID_BYTES_MAX};
use crate::core::Core;
use crate::error::Error;
use crate::table::Stored;
use crate::tokens::{FAMILIES, FAMILIES_BY_CHANNEL, Family, revoke_family};
use crate::world::CONFLICT_TRIES_MAX;

/// Most paired games that are listed.
const GRANTS_LISTED_MAX: usize = 1_000;

/// The games paired with the caller's channel, the oldest first.
pub async fn grants(core: &Core, caller: &Caller) -> Result<Vec<Grant>, Error> {
    let families = families(core, &Channel::of(caller)?).await?;
    Ok(families
        .into_iter()
        .map(|Stored { value: family, .. }| Grant {
            connected: core.presence.is_connected(&family.id),
            id: family.id,
            game_id: family.game_id,
            paired_at: family.paired_at,
            last_seen: family.last_seen,
        })
        .collect())
}

async fn families(core: &Core, channel: &Channel<'_>) -> Result<Vec<Stored<Family>>, Error> {
    let Channel {
        stage,
        client_id,
        channel_id,
    } = *channel;
    let prefix = FAMILIES_BY_CHANNEL.key(stage, client_id, &[channel_id]) + "/";
    let store = &*core.world.store;
    let index = FAMILIES_BY_CHANNEL
        .scan(store, &prefix, None, GRANTS_LISTED_MAX)
        .await?;
    let mut families = Vec::with_capacity(index.len());
    for entry in index {
        let id = entry.key.rsplit('/').next().unwrap_or_default();
        let key = FAMILIES.key(stage, client_id, &[id]);
        families.extend(FAMILIES.get(store, &key).await?);
    }
    Ok(families)
}

/// Ends one paired game: its tokens are worth nothing and its sockets close.
pub async fn revoke_one(core: &Core, caller: &Caller, id: &str) -> Result<(), Error> {
    let channel_id = caller.broadcaster_channel()?;
    let unknown = || Error::NotFound("No such game is paired with this channel".into());
    if id.len() > ID_BYTES_MAX {
        return Err(unknown());
    }
    let key = FAMILIES.key(caller.stage, caller.client_id(), &[id]);
    for attempt in 1..=CONFLICT_TRIES_MAX {
        let family = FAMILIES
            .get(&*core.world.store, &key)
            .await?
            .ok_or_else(unknown)?;
        if family.value.channel_id != channel_id {
            return Err(unknown());
        }
        if revoke_family(core, caller.stage, caller.client_id(), &family).await? {
            return Ok(());
        }
        core.world.pause_before_retry(attempt).await?;
    }
    Err(Error::Internal("the family kept changing".into()))
}

/// Ends every paired game of the caller's channel, and its PINs that nobody has redeemed yet.
pub async fn revoke_all(core: &Core, caller: &Caller) -> Result<(), Error> {
    end_games(core, &Channel::of(caller)?).await
}

/// Ends everything that a channel has granted in either direction, for an operator.
pub async fn revoke_channel(
    core: &Core,
    stage: Stage,
    client_id: &ClientId,
    channel_id: &str,
) -> Result<(), Error> {
    let channel = Channel {
        stage,
        client_id,
        channel_id,
    };
    end_games(core, &channel).await?;
    end_game_pins(core, &channel).await
}

async fn end_games(core: &Core, channel: &Channel<'_>) -> Result<(), Error> {
    // PINs first: none may become a game while the games are ended.
    end_pins(core, channel).await?;
    for attempt in 1..=CONFLICT_TRIES_MAX {
        let families = families(core, channel).await?;
        if families.is_empty() {
            return Ok(());
        }
        for family in families {
            revoke_family(core, channel.stage, channel.client_id, &family).await?;
        }
        core.world.pause_before_retry(attempt).await?;
    }
    Err(Error::Internal("games kept pairing".into()))
}

async fn end_pins(core: &Core, channel: &Channel<'_>) -> Result<(), Error> {
    let Channel {
        stage,
        client_id,
        channel_id,
    } = *channel;
    let prefix = PINS_BY_CHANNEL.key(stage, client_id, &[channel_id]) + "/";
    let index = core
        .world
        .store
        .scan(&prefix, None, GRANTS_LISTED_MAX)
        .await?;
    if index.is_empty() {
        return Ok(());
    }
    let commit = index.into_iter().fold(Commit::new(), |commit, entry| {
        commit
            .delete(pin_key(stage, client_id, &entry.key))
            .delete(entry.key)
    });
    core.world.store.commit(commit).await?;
    Ok(())
}

/// Notes that a paired game was connected until now. Best effort, for the list alone.
pub async fn note_seen(
    core: &Core,
    stage: Stage,
    client_id: &ClientId,
    fam: &str,
) -> Result<(), Error> {
    crate::tokens::note_seen(core, stage, client_id, fam).await
}
