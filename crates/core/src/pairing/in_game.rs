//! Direction B: the PIN is shown in the game and typed into the extension (`spec 1.3` B).

use std::fmt;
use std::net::IpAddr;

use crowdlink_protocol::{ClientId, Stage};
use crowdlink_store::{Commit, Expect};
use serde::{Deserialize, Serialize};

use super::Channel;
use super::pin::{self, PinRecord};
use crate::caller::Caller;
use crate::core::Core;
use crate::error::Error;
use crate::table::{Table, encode};
use crate::tokens::{announce, authorize_jwt, pending_token, revocation_write};

const GRANTS: Table<GrantRecord> = Table::new("grant");
const GRANTS_BY_CHANNEL: Table<serde_json::Value> = Table::new("grant-by-channel");
/// Grants ended in one commit.
const REVOKED_AT_ONCE: usize = 1_000;

/// What a token of direction B hangs on. Goes with its PIN while pending, with its token once
/// active.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct GrantRecord {
    /// Unix ms.
    created_at: i64,
    /// Whose it is, once the PIN was redeemed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    channel_id: Option<String>,
}

/// How it stands with a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GrantStatus {
    /// Its PIN was not redeemed yet.
    Pending,
    /// It acts for a channel.
    Active {
        /// Which.
        channel_id: String,
    },
    /// It was revoked.
    Revoked,
}

/// What a game gets to show and to keep.
#[derive(Clone)]
pub struct GamePin {
    /// To be kept; pending until the PIN is redeemed.
    pub token: String,
    /// To be shown.
    pub pin: String,
}

impl fmt::Debug for GamePin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GamePin(…)")
    }
}

/// What is to be checked without a token.
#[derive(Clone, Copy)]
pub enum Checked<'a> {
    /// A PIN.
    Pin(&'a str),
    /// A token of direction B.
    Jwt(&'a str),
}

/// Reads a grant; `None` where none is left.
pub(crate) async fn read_grant(
    core: &Core,
    stage: Stage,
    client_id: &ClientId,
    grant: &str,
) -> Result<Option<GrantStatus>, Error> {
    if core.revocations.contains(grant) {
        return Ok(Some(GrantStatus::Revoked));
    }
    let key = GRANTS.key(stage, client_id, &[grant]);
    let record = GRANTS.get(&*core.world.store, &key).await?;
    Ok(record.map(|record| match record.value.channel_id {
        Some(channel_id) => GrantStatus::Active { channel_id },
        None => GrantStatus::Pending,
    }))
}

/// A game asks for a PIN and a token that waits for it.
pub async fn create_game_pin(
    core: &Core,
    stage: Stage,
    identifier: &str,
    address: IpAddr,
) -> Result<GamePin, Error> {
    let client_id = known_extension(core, stage, identifier).await?;
    core.rates.pin_address.take_for_address(address)?;
    core.rates
        .pin_extension
        .take(format!("{stage}/{client_id}"))?;
    let grant = core.world.id();
    let token = pending_token(core, stage, &client_id, &grant)?;
    let record = GrantRecord {
        created_at: core.world.now_ms(),
        channel_id: None,
    };
    let grant_key = GRANTS.key(stage, &client_id, &[&grant]);
    let pin_record = PinRecord::Grant(grant);
    let pin = pin::create(
        core,
        stage,
        &client_id,
        &pin_record,
        |commit, _, expires_at_ms| {
            Ok(commit.check(&grant_key, Expect::Absent).put(
                &grant_key,
                encode(&record)?,
                Some(expires_at_ms),
            ))
        },
    )
    .await?;
    Ok(GamePin { token, pin })
}

async fn known_extension(core: &Core, stage: Stage, identifier: &str) -> Result<ClientId, Error> {
    let client_id = ClientId::new(identifier).map_err(|_| Error::ExtensionNotFound)?;
    core.extension(stage, &client_id)
        .await?
        .ok_or(Error::ExtensionNotFound)?;
    Ok(client_id)
}

/// A broadcaster types a game's PIN: from now on the game's token acts for the channel.
pub async fn validate_pin(
    core: &Core,
    caller: &Caller,
    typed: &str,
    address: IpAddr,
) -> Result<(), Error> {
    let channel_id = caller.broadcaster_channel()?;
    let (stage, client_id) = (caller.stage, caller.client_id());
    let attempt = core.guesses.begin(core, stage, client_id, address)?;
    let outcome = activate(core, stage, client_id, channel_id, typed).await;
    attempt.settle(&outcome);
    outcome
}

async fn activate(
    core: &Core,
    stage: Stage,
    client_id: &ClientId,
    channel_id: &str,
    typed: &str,
) -> Result<(), Error> {
    let Some(found) = pin::find(core, stage, client_id, typed).await? else {
        return Err(Error::PinInvalid);
    };
    let PinRecord::Grant(grant) = &found.value else {
        return Err(Error::PinInvalid);
    };
    let key = GRANTS.key(stage, client_id, &[grant]);
    let Some(mut record) = GRANTS.get(&*core.world.store, &key).await? else {
        return Err(Error::PinInvalid);
    };
    record.value.channel_id = Some(channel_id.to_owned());
    let lifetime_ms = core.lifetimes.access_ms + core.lifetimes.clock_skew_ms;
    let until_ms = Some(record.value.created_at.saturating_add_unsigned(lifetime_ms));
    let index = GRANTS_BY_CHANNEL.key(stage, client_id, &[channel_id, grant]);
    let commit = pin::redeem(Commit::new(), &found)
        .check(&key, Expect::Version(record.version))
        .put(&key, encode(&record.value)?, until_ms)
        .put(index, "{}", until_ms);
    // Whoever comes second finds it used.
    core.world
        .try_commit(commit)
        .await?
        .map(|_| ())
        .ok_or(Error::PinInvalid)
}

/// Whether the channel has granted anything by direction B.
pub async fn pin_token_exists(core: &Core, caller: &Caller) -> Result<bool, Error> {
    let prefix = prefix_of(&Channel::of(caller)?);
    Ok(!core.world.store.scan(&prefix, None, 1).await?.is_empty())
}

/// Ends everything the caller's channel has granted by direction B, at once.
pub async fn revoke_game_pins(core: &Core, caller: &Caller) -> Result<(), Error> {
    end_game_pins(core, &Channel::of(caller)?).await
}

pub(super) async fn end_game_pins(core: &Core, channel: &Channel<'_>) -> Result<(), Error> {
    let prefix = prefix_of(channel);
    loop {
        let page = core
            .world
            .store
            .scan(&prefix, None, REVOKED_AT_ONCE)
            .await?;
        if page.is_empty() {
            return Ok(());
        }
        let mut commit = Commit::new();
        let mut revoked = Vec::with_capacity(page.len());
        for entry in page {
            // Ids are ours and need no decoding.
            let grant = entry.key.rsplit('/').next().unwrap_or_default().to_owned();
            commit = commit.delete(&entry.key).delete(GRANTS.key(
                channel.stage,
                channel.client_id,
                &[&grant],
            ));
            commit = revocation_write(core, commit, &grant)?;
            revoked.push(grant);
        }
        core.world.store.commit(commit).await?;
        for grant in revoked {
            announce(core, &grant);
        }
    }
}

fn prefix_of(channel: &Channel<'_>) -> String {
    let Channel {
        stage,
        client_id,
        channel_id,
    } = *channel;
    GRANTS_BY_CHANNEL.key(stage, client_id, &[channel_id]) + "/"
}

/// Tells, to anybody, whether a PIN waits to be redeemed or a token of direction B is good.
/// Whatever is not gets [`Error::CredentialInvalid`].
pub async fn check(
    core: &Core,
    stage: Stage,
    identifier: &str,
    checked: Checked<'_>,
    address: IpAddr,
) -> Result<(), Error> {
    let client_id = match known_extension(core, stage, identifier).await {
        Err(Error::ExtensionNotFound) => return Err(Error::CredentialInvalid),
        known => known?,
    };
    match checked {
        Checked::Pin(typed) => {
            let attempt = core.guesses.begin(core, stage, &client_id, address)?;
            let outcome = match pin::find(core, stage, &client_id, typed).await {
                Ok(Some(found)) if matches!(found.value, PinRecord::Grant(_)) => Ok(()),
                Ok(_) => Err(Error::CredentialInvalid),
                Err(error) => Err(error),
            };
            attempt.settle(&outcome);
            outcome
        }
        // No guess can hit a signature, and games poll this while they wait: it is no attempt.
        Checked::Jwt(jwt) => match authorize_jwt(core, stage, &client_id, jwt).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_ours() => Err(error),
            Err(_) => Err(Error::CredentialInvalid),
        },
    }
}
