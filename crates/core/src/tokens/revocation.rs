//! What was revoked, in memory (`spec 1.4`): within a second on this node, five across a cluster.
//!
//! A revocation is a record in a log ordered by time. Each node reads what is new in it once a
//! second; the bus only makes it faster.

use std::collections::HashMap;

use bytes::Bytes;
use crowdlink_store::{Commit, Store};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use crate::bus::Message;
use crate::core::Core;
use crate::error::Error;
use crate::random;
use crate::table::encode;
use crate::world::World;

/// The log.
const LOG: &str = "registry/revoked/";
/// Where the bus carries ids that were revoked.
pub(crate) const TOPIC: &str = "revoked";
/// Records read at once.
const PAGE_RECORDS: usize = 1_000;
/// How far back the log is read again: clocks of nodes differ, and commits overtake each other.
const OVERLAP_MS: i64 = 60_000;

#[derive(Serialize, Deserialize)]
struct Revoked {
    /// A token's, a family's or a grant's id.
    id: String,
    /// When nothing is left that could still be refused (Unix ms).
    until: i64,
}

/// Ids that are worth nothing any more.
#[derive(Debug, Default)]
pub(crate) struct Revocations {
    until_by_id: RwLock<HashMap<String, i64>>,
}

impl Revocations {
    pub(crate) fn contains(&self, id: &str) -> bool {
        self.until_by_id.read().contains_key(id)
    }

    /// Notes a revocation; whether it was news.
    fn note(&self, id: &str, until_ms: i64) -> bool {
        if self.contains(id) {
            return false;
        }
        self.until_by_id
            .write()
            .insert(id.to_owned(), until_ms)
            .is_none()
    }

    /// Notes what the bus tells.
    pub(crate) fn hear(&self, id: &str, until_ms: i64) {
        self.note(id, until_ms);
    }

    /// Forgets what has expired by itself.
    pub(crate) fn forget_expired(&self, now_ms: i64) {
        self.until_by_id
            .write()
            .retain(|_, until_ms| now_ms < *until_ms);
    }
}

/// Adds the record of a revocation to a commit. [`announce`] it once the commit has happened.
pub(crate) fn revocation_write(core: &Core, commit: Commit, id: &str) -> Result<Commit, Error> {
    let until = until_ms(core);
    let record = encode(&Revoked {
        id: id.to_owned(),
        until,
    })?;
    Ok(commit.put(format!("{LOG}{}", core.world.id()), record, Some(until)))
}

/// No token lives longer than an access token and the skew.
pub(crate) fn until_ms(core: &Core) -> i64 {
    let longest = core.lifetimes.access_ms.max(core.lifetimes.authtoken_ms);
    core.world
        .now_ms()
        .saturating_add_unsigned(longest + core.lifetimes.clock_skew_ms)
}

/// Makes a committed revocation take effect: here at once, elsewhere by the bus.
pub(crate) fn announce(core: &Core, id: &str) {
    if core.revocations.note(id, until_ms(core)) {
        core.world.bus.publish(Message {
            topic: TOPIC.to_owned(),
            payload: Bytes::copy_from_slice(id.as_bytes()),
        });
    }
}

/// Revokes one token by its id (`jti`), a family or a grant.
pub async fn revoke(core: &Core, id: &str) -> Result<(), Error> {
    if id.is_empty() || id.len() > 200 {
        return Err(Error::invalid(
            "id",
            "must be the id of a token, 1 to 200 bytes long",
        ));
    }
    let commit = revocation_write(core, Commit::new(), id)?;
    core.world.store.commit(commit).await?;
    announce(core, id);
    Ok(())
}

/// Reads what is new in the log; announces it on this node's bus, so that sockets close.
/// Answers with the time from which on to read next.
pub(crate) async fn catch_up(core: &Core, since_ms: i64) -> Result<i64, Error> {
    let from_ms = since_ms.saturating_sub(OVERLAP_MS).max(0);
    let mut after = format!("{LOG}{}", random::lowest_id(from_ms));
    let mut newest_ms = since_ms;
    loop {
        let page = read_page(&core.world, &after).await?;
        let Some((last, _)) = page.last() else {
            return Ok(newest_ms);
        };
        after.clone_from(last);
        for (key, revoked) in &page {
            announce(core, &revoked.id);
            let made_ms = key.strip_prefix(LOG).and_then(random::id_time_ms);
            newest_ms = newest_ms.max(made_ms.unwrap_or(0));
        }
    }
}

async fn read_page(world: &World, after: &str) -> Result<Vec<(String, Revoked)>, Error> {
    let store: &dyn Store = &*world.store;
    let page = store.scan(LOG, Some(after), PAGE_RECORDS).await?;
    page.into_iter()
        .map(|entry| Ok((entry.key, serde_json::from_slice(&entry.record.value)?)))
        .collect()
}
