//! Direction A: the PIN is shown in the extension and typed into the game (`spec 1.3` A).

use std::net::IpAddr;

use crowdlink_protocol::{ClientId, Stage};
use crowdlink_store::Commit;

use super::Paired;
use super::pin::{self, PinRecord};
use crate::caller::Caller;
use crate::core::Core;
use crate::error::Error;
use crate::keys;
use crate::table::Table;
use crate::tokens::create_family;

/// The live PINs of a channel, so that they can be ended with its games.
pub(super) const PINS_BY_CHANNEL: Table<serde_json::Value> = Table::new("pin-by-channel");

/// Makes a PIN for the channel of a broadcaster.
pub async fn create_pin(core: &Core, caller: &Caller) -> Result<String, Error> {
    let channel_id = caller.broadcaster_channel()?;
    let (stage, client_id) = (caller.stage, caller.client_id());
    core.rates
        .pin_channel
        .take(format!("{stage}/{client_id}/{channel_id}"))?;
    let record = PinRecord::Channel(channel_id.to_owned());
    pin::create(
        core,
        stage,
        client_id,
        &record,
        |commit, key, expires_at_ms| {
            let index = index_key(stage, client_id, channel_id, key);
            Ok(commit.put(index, "{}", Some(expires_at_ms)))
        },
    )
    .await
}

/// Where the index of a channel names a PIN's key.
fn index_key(stage: Stage, client_id: &ClientId, channel_id: &str, pin_key: &str) -> String {
    let hash = pin_key.rsplit('/').next().unwrap_or_default();
    PINS_BY_CHANNEL.key(stage, client_id, &[channel_id, hash])
}

/// The PIN's key that a record of the index stands for.
pub(super) fn pin_key(stage: Stage, client_id: &ClientId, index_key: &str) -> String {
    let hash = index_key.rsplit('/').next().unwrap_or_default();
    format!("{}{hash}", keys::kind(stage, client_id, "pin"))
}

/// A game redeems a PIN: it becomes a family of the PIN's channel, once.
pub async fn redeem_pin(
    core: &Core,
    stage: Stage,
    client_id: &ClientId,
    (typed, address): (&str, IpAddr),
    game_id: Option<&str>,
) -> Result<Paired, Error> {
    let attempt = core.guesses.begin(core, stage, client_id, address)?;
    let outcome = redeem(core, stage, client_id, typed, game_id).await;
    attempt.settle(&outcome);
    outcome
}

async fn redeem(
    core: &Core,
    stage: Stage,
    client_id: &ClientId,
    typed: &str,
    game_id: Option<&str>,
) -> Result<Paired, Error> {
    let Some(found) = pin::find(core, stage, client_id, typed).await? else {
        return Err(Error::PinInvalid);
    };
    let PinRecord::Channel(channel_id) = &found.value else {
        return Err(Error::PinInvalid);
    };
    let commit = pin::redeem(Commit::new(), &found)
        .delete(index_key(stage, client_id, channel_id, &found.key));
    let (commit, paired) = create_family(core, stage, client_id, channel_id, game_id, commit)?;
    // Whoever comes second finds it used.
    core.world
        .try_commit(commit)
        .await?
        .map(|_| paired)
        .ok_or(Error::PinInvalid)
}
