//! Leases: what must happen once in a cluster is done by the node that holds a record of the store
//! (DESIGN 3).
//!
//! A lease that its holder does not renew ends by itself, by the time of the store, and the next one
//! takes it. A second record says up to when the holder has done its work, so that whoever follows
//! knows what may be left.

use crowdlink_protocol::{ClientId, Stage};
use crowdlink_store::{Commit, Expect};
use serde::{Deserialize, Serialize};

use crate::core::Core;
use crate::error::Error;
use crate::table::{Stored, Table, encode};
use crate::world::CONFLICT_TRIES_MAX;

/// Who holds what; a record ends when the lease does.
const LEASES: Table<Lease> = Table::new("lease");
/// What holders did; stays a while longer.
const DONE: Table<Lease> = Table::new("lease-done");
/// How long it stays known what a holder did, after its lease has ended.
pub const REMEMBERED_MS: u64 = 60_000;

/// What a lease is for: one kind of work in one place of an extension.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LeaseOf {
    /// The world.
    pub stage: Stage,
    /// The extension.
    pub client_id: ClientId,
    /// The kind of work: `platform-pubsub`.
    pub work: &'static str,
    /// The place: a channel, or `all`.
    pub place: String,
}

/// Both records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Lease {
    holder: String,
    done_until_ms: i64,
}

/// What is known of the one who held a lease last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Last {
    /// Whether it was this node.
    pub was_me: bool,
    /// Everything that it heard of before is done (Unix ms, by its clock).
    pub done_until_ms: i64,
}

/// Whose a lease is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// This node's. Of the one before nothing is known where its lease ended [`REMEMBERED_MS`] ago.
    Held(Option<Last>),
    /// Another node's.
    Other(Last),
}

impl LeaseOf {
    fn keys(&self) -> [String; 2] {
        let parts = [self.work, &self.place];
        let lease = LEASES.key(self.stage, &self.client_id, &parts);
        [lease, DONE.key(self.stage, &self.client_id, &parts)]
    }
}

/// Both records as they were read.
struct Found {
    lease: Option<Stored<Lease>>,
    done: Option<Stored<Lease>>,
}

async fn find(core: &Core, keys: &[String; 2]) -> Result<Found, Error> {
    let found = LEASES.get_many(&*core.world.store, keys.to_vec()).await?;
    let mut found = found.into_iter();
    Ok(Found {
        lease: found.next().flatten(),
        done: found.next().flatten(),
    })
}

/// "Still as it was read".
fn unchanged(found: Option<&Stored<Lease>>) -> Expect {
    found.map(|found| found.version).into()
}

/// Takes a lease that is free, or renews one that is held here, for `lease_ms` from now.
/// Everything that this node heard of before `done_until_ms` (Unix ms) is done.
///
/// # Errors
/// The store does not answer: the lease may or may not be held, and is not to be relied on.
pub async fn take(
    core: &Core,
    of: &LeaseOf,
    lease_ms: u64,
    done_until_ms: i64,
) -> Result<Standing, Error> {
    let keys = of.keys();
    for attempt in 1..=CONFLICT_TRIES_MAX {
        let found = find(core, &keys).await?;
        let last = found.done.as_ref().map(|done| Last {
            was_me: done.value.holder == core.node(),
            done_until_ms: done.value.done_until_ms,
        });
        if let Some(lease) = &found.lease
            && lease.value.holder != core.node()
        {
            return Ok(Standing::Other(Last {
                was_me: false,
                done_until_ms: lease.value.done_until_ms,
            }));
        }
        let [lease_key, done_key] = &keys;
        let lease = encode(&Lease {
            holder: core.node().to_owned(),
            done_until_ms,
        })?;
        let until_ms = core.world.now_ms().saturating_add_unsigned(lease_ms);
        let remembered_ms = until_ms.saturating_add_unsigned(REMEMBERED_MS);
        // Both are checked: the lease may have been taken and given back meanwhile.
        let commit = Commit::new()
            .check(lease_key, unchanged(found.lease.as_ref()))
            .check(done_key, unchanged(found.done.as_ref()))
            .put(lease_key, lease.clone(), Some(until_ms))
            .put(done_key, lease, Some(remembered_ms));
        if core.world.try_commit(commit).await?.is_some() {
            return Ok(Standing::Held(last));
        }
        core.world.pause_before_retry(attempt).await?;
    }
    Err(Error::Internal("a lease could not be taken".to_owned()))
}

/// Gives a lease back if it is held here.
///
/// # Errors
/// The store does not answer; the lease then ends by itself.
pub async fn give_back(core: &Core, of: &LeaseOf, done_until_ms: i64) -> Result<(), Error> {
    let keys = of.keys();
    let found = find(core, &keys).await?;
    let Some(lease) = found
        .lease
        .filter(|lease| lease.value.holder == core.node())
    else {
        return Ok(());
    };
    let [lease_key, done_key] = &keys;
    let done = encode(&Lease {
        holder: core.node().to_owned(),
        done_until_ms,
    })?;
    let remembered_ms = core.world.now_ms().saturating_add_unsigned(REMEMBERED_MS);
    let commit = Commit::new()
        .check(lease_key, Expect::Version(lease.version))
        .delete(lease_key)
        .put(done_key, done, Some(remembered_ms));
    // A conflict says that it was somebody else's by then.
    core.world.try_commit(commit).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crowdlink_store::{ManualClock, MemoryStore};

    use super::*;
    use crate::{CoreOptions, LocalBus, SeededRandom, World};

    const LEASE_MS: u64 = 1_000;

    async fn node(store: &Arc<MemoryStore>, clock: &Arc<ManualClock>, seed: u64) -> Arc<Core> {
        let world = World {
            store: store.clone(),
            clock: clock.clone(),
            random: Arc::new(SeededRandom::from_seed(seed)),
            bus: Arc::new(LocalBus::new()),
        };
        Core::open(world, CoreOptions::default()).await.unwrap()
    }

    fn of(place: &str) -> LeaseOf {
        LeaseOf {
            stage: Stage::Production,
            client_id: ClientId::new("x").unwrap(),
            work: "test",
            place: place.to_owned(),
        }
    }

    const fn last(was_me: bool, done_until_ms: i64) -> Last {
        Last {
            was_me,
            done_until_ms,
        }
    }

    const fn held(was_me: bool, done_until_ms: i64) -> Standing {
        Standing::Held(Some(last(was_me, done_until_ms)))
    }

    const fn other(done_until_ms: i64) -> Standing {
        Standing::Other(last(false, done_until_ms))
    }

    #[tokio::test]
    async fn a_lease_is_its_holders_until_it_is_given_back_or_ends() {
        let clock = ManualClock::new(10_000);
        let store = MemoryStore::new(clock.clone());
        let (a, b) = (node(&store, &clock, 1).await, node(&store, &clock, 2).await);
        let of = of("42");
        assert_eq!(take(&a, &of, LEASE_MS, 1).await, Ok(Standing::Held(None)));
        assert_eq!(take(&b, &of, LEASE_MS, 2).await, Ok(other(1)));
        // Not that of another.
        give_back(&b, &of, 3).await.unwrap();
        clock.advance_ms(999);
        assert_eq!(take(&a, &of, LEASE_MS, 4).await, Ok(held(true, 1)));
        clock.advance_ms(999);
        assert_eq!(take(&b, &of, LEASE_MS, 5).await, Ok(other(4)));
        clock.advance_ms(1);
        assert_eq!(take(&b, &of, LEASE_MS, 6).await, Ok(held(false, 4)));
        assert_eq!(take(&a, &of, LEASE_MS, 7).await, Ok(other(6)));
        give_back(&b, &of, 8).await.unwrap();
        assert_eq!(take(&a, &of, LEASE_MS, 9).await, Ok(held(false, 8)));
        clock.advance_ms(LEASE_MS + REMEMBERED_MS);
        assert_eq!(take(&b, &of, LEASE_MS, 1).await, Ok(Standing::Held(None)));
    }

    #[tokio::test]
    async fn of_many_who_want_a_lease_at_once_one_gets_it() {
        let clock = ManualClock::new(10_000);
        let store = MemoryStore::new(clock.clone());
        let mut nodes = Vec::new();
        for seed in 0..8 {
            nodes.push(node(&store, &clock, seed).await);
        }
        for round in 0..20 {
            let of = of(&round.to_string());
            let takes = nodes.iter().map(|node| take(node, &of, LEASE_MS, 0));
            let standings = futures::future::join_all(takes).await;
            let count = |wanted| standings.iter().filter(|s| **s == Ok(wanted)).count();
            let counts = (count(Standing::Held(None)), count(other(0)));
            assert_eq!(counts, (1, 7));
        }
    }
}
