//! What the server tells a caller of itself (`spec 1.6`), and who shares identity (`spec 3.1`).

use std::net::IpAddr;
use std::sync::Arc;

use crowdlink_protocol::{UserIds, UserIdsEntry, UserInfo};
use crowdlink_store::{Commit, Expect};

use crate::caller::{Caller, ID_BYTES_MAX};
use crate::core::Core;
use crate::error::Error;
use crate::guess::masked;
use crate::keys;
use crate::secret::hex;
use crate::table::Table;

/// Users seen with a shared identity.
const USERS: Table<serde_json::Value> = Table::new("user");
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

/// Remembers, once, that a user shares identity. Aside: the page waits for `user_info`, and must
/// get it also when the store is slow or gone (`spec 4.6`).
fn note_user(core: &Core, caller: &Caller, user_id: &str) {
    let key = USERS.key(caller.stage, caller.client_id(), &[user_id]);
    if core.known_users.get(&key).is_some() {
        return;
    }
    core.known_users.insert(key.clone(), ());
    let (world, known) = (core.world.clone(), Arc::clone(&core.known_users));
    tokio::spawn(async move {
        let commit = Commit::new()
            .check(&key, Expect::Absent)
            .put(&key, "{}", None);
        // A conflict means that the user was noted before.
        if let Err(error) = world.try_commit(commit).await {
            tracing::warn!(%error, "a user could not be noted");
            known.remove(&key);
        }
    });
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
