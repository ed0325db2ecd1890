//! Token families: a paired game, its refresh tokens and how they rotate (`spec 1.4`).
//!
//! A refresh token stays valid until a successor of it is used as a refresh token. So a family
//! needs to remember one token only, its *head*: the newest that was used. Valid are the head and
//! its children. Using a child makes it the head, which retires the old head and the siblings;
//! whatever else is presented is a replay, and revokes the family (`spec 6.1`).

use crowdlink_protocol::{ClientId, Stage};
use crowdlink_store::{Commit, Expect};
use serde::{Deserialize, Serialize};

use super::mint::access_token;
use super::revocation::{announce, revocation_write};
use crate::core::Core;
use crate::error::Error;
use crate::pairing::Paired;
use crate::random;
use crate::secret::{hex, sha256};
use crate::table::{Stored, Table, encode};
use crate::world::CONFLICT_TRIES_MAX;

pub(crate) const FAMILIES: Table<Family> = Table::new("family");
pub(crate) const FAMILIES_BY_CHANNEL: Table<serde_json::Value> = Table::new("family-by-channel");
pub(crate) const REFRESH_TOKENS: Table<RefreshRecord> = Table::new("refresh");

/// Longest text that is looked at as a refresh token, in bytes.
const REFRESH_BYTES_MAX: usize = 512;

/// A game paired by direction A.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Family {
    /// Its id.
    pub id: String,
    /// The channel, which is also the user.
    pub channel_id: String,
    /// What the game calls itself; empty if it did not say.
    pub game_id: String,
    /// Unix ms.
    pub paired_at: i64,
    /// Unix ms.
    pub last_seen: i64,
    /// Hash of the newest refresh token that was used as one; of the first before that.
    head: String,
}

/// A refresh token: only its hash is stored, as the key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RefreshRecord {
    fam: String,
    /// Hash of the token it was given for; none for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
}

fn hash_of(token: &str) -> String {
    hex(&sha256(token.as_bytes()))
}

fn expiry_ms(core: &Core) -> i64 {
    core.world
        .now_ms()
        .saturating_add_unsigned(core.lifetimes.refresh_ms)
}

/// Adds a new family to a commit; answers with what the game gets once it has happened.
pub(crate) fn create_family(
    core: &Core,
    stage: Stage,
    client_id: &ClientId,
    channel_id: &str,
    game_id: Option<&str>,
    commit: Commit,
) -> Result<(Commit, Paired), Error> {
    let now_ms = core.world.now_ms();
    let token = random::secret_text(&*core.world.random);
    let family = Family {
        id: core.world.id(),
        channel_id: channel_id.to_owned(),
        game_id: game_id.unwrap_or_default().to_owned(),
        paired_at: now_ms,
        last_seen: now_ms,
        head: hash_of(&token),
    };
    let record = RefreshRecord {
        fam: family.id.clone(),
        parent: None,
    };
    let commit = commit.check(
        FAMILIES.key(stage, client_id, &[&family.id]),
        Expect::Absent,
    );
    let commit = put_family(core, stage, client_id, &family, commit)?;
    let commit = put_refresh(core, stage, client_id, &token, &record, commit)?;
    Ok((
        commit,
        paired(core, stage, client_id, &family, Some(token))?,
    ))
}

fn put_family(
    core: &Core,
    stage: Stage,
    client_id: &ClientId,
    family: &Family,
    commit: Commit,
) -> Result<Commit, Error> {
    let expires = Some(expiry_ms(core));
    let index = FAMILIES_BY_CHANNEL.key(stage, client_id, &[&family.channel_id, &family.id]);
    let key = FAMILIES.key(stage, client_id, &[&family.id]);
    Ok(commit
        .put(index, "{}", expires)
        .put(key, encode(family)?, expires))
}

fn put_refresh(
    core: &Core,
    stage: Stage,
    client_id: &ClientId,
    token: &str,
    record: &RefreshRecord,
    commit: Commit,
) -> Result<Commit, Error> {
    let key = REFRESH_TOKENS.key(stage, client_id, &[&hash_of(token)]);
    Ok(commit.put(key, encode(record)?, Some(expiry_ms(core))))
}

/// What a game is told, and the fresh access token in it.
pub(crate) fn paired(
    core: &Core,
    stage: Stage,
    client_id: &ClientId,
    family: &Family,
    refresh: Option<String>,
) -> Result<Paired, Error> {
    Ok(Paired {
        jwt: access_token(core, stage, client_id, &family.channel_id, &family.id)?,
        refresh,
        channel_id: family.channel_id.clone(),
        revocable: crate::caller::Revocable {
            jti: None,
            fam: Some(family.id.clone()),
            grant: None,
        },
        expires_at_ms: core
            .world
            .now_ms()
            .saturating_add_unsigned(core.lifetimes.access_ms),
    })
}

/// Exchanges a refresh token for a new access and a new refresh token.
///
/// [`Error::RefreshInvalid`] only where the token is truly invalid; a fault of ours is
/// [`Error::Internal`], and the edge must then say nothing (`spec 1.4`).
pub async fn refresh(
    core: &Core,
    stage: Stage,
    client_id: &ClientId,
    token: &str,
    game_id: Option<&str>,
) -> Result<Paired, Error> {
    if token.len() > REFRESH_BYTES_MAX {
        return Err(Error::RefreshInvalid);
    }
    let hash = hash_of(token);
    let key = REFRESH_TOKENS.key(stage, client_id, &[&hash]);
    for attempt in 1..=CONFLICT_TRIES_MAX {
        let store = &*core.world.store;
        let record = REFRESH_TOKENS
            .get(store, &key)
            .await?
            .ok_or(Error::RefreshInvalid)?;
        let family_key = FAMILIES.key(stage, client_id, &[&record.value.fam]);
        let family = FAMILIES
            .get(store, &family_key)
            .await?
            .ok_or(Error::RefreshInvalid)?;
        let is_child = record.value.parent.as_deref() == Some(&family.value.head);
        if family.value.head != hash && !is_child {
            tracing::warn!(%stage, %client_id, family = family.value.id, "refresh token replayed");
            if revoke_family(core, stage, client_id, &family).await? {
                return Err(Error::RefreshInvalid);
            }
        } else if game_differs(&family.value, game_id) {
            return Err(Error::RefreshInvalid);
        } else if let Some(paired) =
            rotate(core, stage, client_id, &family, (&hash, game_id)).await?
        {
            return Ok(paired);
        }
        core.world.pause_before_retry(attempt).await?;
    }
    Err(Error::Internal("the family kept changing".into()))
}

/// A refresh token is bound to the game it was given to; a game need not say which it is.
fn game_differs(family: &Family, game_id: Option<&str>) -> bool {
    game_id.is_some_and(|game_id| !family.game_id.is_empty() && family.game_id != game_id)
}

/// `None` when the family changed meanwhile.
async fn rotate(
    core: &Core,
    stage: Stage,
    client_id: &ClientId,
    family: &Stored<Family>,
    (used, game_id): (&str, Option<&str>),
) -> Result<Option<Paired>, Error> {
    let successor = random::secret_text(&*core.world.random);
    let mut changed = family.value.clone();
    used.clone_into(&mut changed.head);
    changed.last_seen = core.world.now_ms();
    if let Some(game_id) = game_id {
        game_id.clone_into(&mut changed.game_id);
    }
    let record = RefreshRecord {
        fam: changed.id.clone(),
        parent: Some(used.to_owned()),
    };
    let commit = Commit::new().check(&family.key, Expect::Version(family.version));
    let commit = put_family(core, stage, client_id, &changed, commit)?;
    let commit = put_refresh(core, stage, client_id, &successor, &record, commit)?;
    // Minted before the commit: what can fail must not leave a rotation without an answer.
    let answer = paired(core, stage, client_id, &changed, Some(successor))?;
    Ok(core.world.try_commit(commit).await?.map(|_| answer))
}

/// Ends a family: its refresh and access tokens stop working and its sockets close. `false` when
/// it changed meanwhile.
pub(crate) async fn revoke_family(
    core: &Core,
    stage: Stage,
    client_id: &ClientId,
    family: &Stored<Family>,
) -> Result<bool, Error> {
    let Family { id, channel_id, .. } = &family.value;
    let commit = Commit::new()
        .check(&family.key, Expect::Version(family.version))
        .delete(&family.key)
        .delete(FAMILIES_BY_CHANNEL.key(stage, client_id, &[channel_id, id]));
    let commit = revocation_write(core, commit, id)?;
    if core.world.try_commit(commit).await?.is_none() {
        return Ok(false);
    }
    announce(core, id);
    Ok(true)
}

/// Ends a family by its id, for an operator.
pub async fn revoke_family_by_id(
    core: &Core,
    stage: Stage,
    client_id: &ClientId,
    fam: &str,
) -> Result<(), Error> {
    let key = FAMILIES.key(stage, client_id, &[fam]);
    for attempt in 1..=CONFLICT_TRIES_MAX {
        let family = FAMILIES
            .get(&*core.world.store, &key)
            .await?
            .ok_or_else(|| Error::NotFound("No such family".into()))?;
        if revoke_family(core, stage, client_id, &family).await? {
            return Ok(());
        }
        core.world.pause_before_retry(attempt).await?;
    }
    Err(Error::Internal("the family kept changing".into()))
}

/// Notes that a family's game was there just now. Best effort.
pub(crate) async fn note_seen(
    core: &Core,
    stage: Stage,
    client_id: &ClientId,
    fam: &str,
) -> Result<(), Error> {
    let key = FAMILIES.key(stage, client_id, &[fam]);
    let Some(family) = FAMILIES.get(&*core.world.store, &key).await? else {
        return Ok(());
    };
    let changed = Family {
        last_seen: core.world.now_ms(),
        ..family.value.clone()
    };
    let commit = crate::table::replace(Commit::new(), &family, &changed)?;
    core.world.try_commit(commit).await.map(|_| ())
}
