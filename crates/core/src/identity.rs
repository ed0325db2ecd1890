//! What the server tells a caller of itself (`spec 1.6`), and who shares identity (`spec 3.1`).

use std::net::IpAddr;

use crowdlink_protocol::{Stage, UserIds, UserIdsEntry, UserInfo};
use crowdlink_store::{Commit, Expect};
use serde::{Deserialize, Serialize};

use crate::broadcast::Target;
use crate::caller::{Caller, ID_BYTES_MAX};
use crate::core::Core;
use crate::error::Error;
use crate::guess::masked;
use crate::keys;
use crate::secret::hex;
use crate::table::{Table, encode, replace};
use crate::world::World;

/// Users seen with a shared identity.
const USERS: Table<User> = Table::new("user");
/// Opaque ids remembered of one user. The platform gives one; a second after sharing anew.
const OPAQUE_IDS_MAX: usize = 8;
/// Users of one page.
const USERS_PAGE_MAX: usize = 1_000;
/// What `next` is at the end, and `cursor` may be at the start.
const NO_CURSOR: &str = "0";

/// Tells a caller who it is. The time in it is stamped now; the edge stamps it again as late as it
/// can.
pub fn user_info(core: &Core, caller: &Caller, address: IpAddr) -> UserInfo {
    if let Some(user_id) = &caller.user_id {
        note_user(core, caller, user_id);
    }
    let registry = core.registry();
    let identity = caller.voter_identity();
    let parts = [
        "visualization",
        caller.stage.as_str(),
        caller.client_id().as_str(),
        identity,
    ];
    let pseudonym = registry.ring.pepper.keyed_hash(&parts);
    UserInfo {
        ip_address: masked(address, 24, 48).to_string(),
        registered: caller.user_id.is_some(),
        visualization_id: hex(&pseudonym).chars().take(32).collect(),
        user_id: caller.user_id.clone(),
        opaque_user_id: caller.opaque_user_id.clone(),
        channel_id: caller.channel_id.clone(),
        role: caller.role.to_string(),
        app_id: caller.client_id().to_string(),
        stage: caller.stage.to_string(),
        expires_at: caller.expires_at_ms,
        server_time: core.world.now_ms(),
    }
}

/// What is known of a user who shares identity.
#[derive(Debug, Default, Serialize, Deserialize)]
struct User {
    /// The opaque ids of the user's tokens, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    opaque: Vec<String>,
}

/// Remembers, once, that a user shares identity. Aside: the page waits for `user_info`, and must
/// get it also when the store is slow or gone (`spec 4.6`).
fn note_user(core: &Core, caller: &Caller, user_id: &str) {
    let Some((key, known)) = news_of_user(core, caller, user_id) else {
        return;
    };
    core.known_users.insert(known.clone(), ());
    let (world, known_users) = (core.world.clone(), core.known_users.clone());
    let opaque = caller.opaque_user_id.clone();
    tokio::spawn(async move {
        if let Err(error) = write_user(&world, &key, opaque).await {
            tracing::warn!(%error, "a user could not be noted");
            known_users.remove(&known);
        }
    });
}

/// Remembers under which opaque id a viewer who shares identity listens, before anybody whispers
/// to the user id. A fault of the store is logged: the viewer is served all the same.
pub async fn note_listener(core: &Core, caller: &Caller) {
    let Some(user_id) = &caller.user_id else {
        return;
    };
    let Some((key, known)) = news_of_user(core, caller, user_id) else {
        return;
    };
    match write_user(&core.world, &key, caller.opaque_user_id.clone()).await {
        Ok(()) => core.known_users.insert(known, ()),
        Err(error) => tracing::warn!(%error, "a user could not be noted"),
    }
}

/// The key of a user's record, and the name under which it is known that it was written; `None`
/// where it was.
fn news_of_user(core: &Core, caller: &Caller, user_id: &str) -> Option<(String, String)> {
    let key = USERS.key(caller.stage, caller.client_id(), &[user_id]);
    let opaque = caller.opaque_user_id.as_deref().unwrap_or_default();
    // No id holds a line break.
    let known = [&key, "\n", opaque].concat();
    core.known_users
        .get(&known)
        .is_none()
        .then_some((key, known))
}

async fn write_user(world: &World, key: &str, opaque: Option<String>) -> Result<(), Error> {
    let mut attempt = 0;
    loop {
        let stored = USERS.get(&*world.store, key).await?;
        let commit = match stored {
            None => {
                let user = User {
                    opaque: opaque.iter().cloned().collect(),
                };
                Commit::new()
                    .check(key, Expect::Absent)
                    .put(key, encode(&user)?, None)
            }
            Some(stored) => {
                let mut ids = stored.value.opaque.clone();
                let Some(new) = opaque.as_ref().filter(|new| !ids.contains(new)) else {
                    return Ok(());
                };
                if ids.len() >= OPAQUE_IDS_MAX {
                    ids.remove(0);
                }
                ids.push(new.clone());
                replace(Commit::new(), &stored, &User { opaque: ids })?
            }
        };
        if world.try_commit(commit).await?.is_some() {
            return Ok(());
        }
        attempt += 1;
        world.pause_before_retry(attempt).await?;
    }
}

/// The targets as viewers listen to them: who is named by a user id is reached by the opaque ids
/// of that viewer (`spec 4.1`), known to all nodes. None is named twice.
pub(crate) async fn reached(
    core: &Core,
    caller: &Caller,
    targets: Vec<Target>,
) -> Result<Vec<Target>, Error> {
    let mut keys = Vec::new();
    for target in &targets {
        if let Target::Whisper(id) = target
            && is_user_id(id)
        {
            keys.push(USERS.key(caller.stage, caller.client_id(), &[id]));
        }
    }
    let mut records = Vec::new();
    if !keys.is_empty() {
        records = core.world.store.get_many(&keys).await?;
    }
    let mut records = records.into_iter();
    let mut reached = Vec::with_capacity(targets.len());
    let mut named = std::collections::HashSet::new();
    for target in targets {
        let record = match &target {
            Target::Whisper(id) if is_user_id(id) => records.next().flatten(),
            Target::Whisper(_) | Target::Broadcast => None,
        };
        let user: User = match record {
            Some(record) => serde_json::from_slice(&record.value)?,
            None => User::default(),
        };
        // In the sandbox a page may also listen under the id as the sender wrote it (spec 4.2).
        let as_written = user.opaque.is_empty() || caller.stage == Stage::Sandbox;
        let opaque = user.opaque.into_iter().map(Target::Whisper);
        for target in as_written.then_some(target).into_iter().chain(opaque) {
            if named.insert(target.to_string()) {
                reached.push(target);
            }
        }
    }
    Ok(reached)
}

/// Whether an id is one of a user who shares identity: opaque ids begin with a letter
/// (`spec 1.1`).
fn is_user_id(id: &str) -> bool {
    id.bytes().all(|byte| byte.is_ascii_digit())
}

/// A page of the users who share identity, for the extension's own server. Start with no cursor;
/// go on with `next` until it is `"0"`.
pub async fn user_ids(
    core: &Core,
    caller: &Caller,
    cursor: Option<&str>,
) -> Result<UserIds, Error> {
    caller.require_trusted()?;
    if cursor.is_some_and(|cursor| cursor.len() > ID_BYTES_MAX) {
        return Err(Error::invalid("cursor", "must be a `next` of this call"));
    }
    let prefix = keys::kind(caller.stage, caller.client_id(), "user");
    let after = cursor
        .filter(|cursor| !cursor.is_empty() && *cursor != NO_CURSOR)
        .map(|user_id| USERS.key(caller.stage, caller.client_id(), &[user_id]));
    let page = core
        .world
        .store
        .scan(&prefix, after.as_deref(), USERS_PAGE_MAX + 1)
        .await?;
    let ids: Vec<String> = page
        .iter()
        .take(USERS_PAGE_MAX)
        .filter_map(|entry| entry.key.strip_prefix(&prefix).and_then(keys::unsegment))
        .collect();
    let more = page.len() > USERS_PAGE_MAX;
    let next = if more {
        ids.last().cloned().unwrap_or_default()
    } else {
        NO_CURSOR.to_owned()
    };
    let results = ids
        .into_iter()
        .map(|twitch_id| UserIdsEntry { twitch_id })
        .collect();
    Ok(UserIds { next, results })
}
