//! The numbers of a cluster's nodes: each holds one by a lease in the store.
//!
//! The number keeps nodes out of each other's way (the tally of a poll is one record a node); nothing
//! is wrong where two have the same for a while. The lowest free one is taken, so there are as many
//! numbers as nodes were ever up together, however often they start anew.

use std::sync::Arc;

use crowdlink_store::{Clock, Commit, Expect, Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::random::{self, Random};
use crate::table::{Stored, Table, encode};
use crate::world::CONFLICT_TRIES_MAX;

/// Most nodes of a cluster.
pub const NODES_MAX: u32 = 1_024;
/// How long a number is kept for a node that is silent. Far more than clocks differ.
pub const LEASE_MS: i64 = 120_000;
/// How often a lease is renewed.
pub(crate) const RENEW_MS: u64 = 20_000;

const PREFIX: &str = "cluster/nodes/";
const LEASES: Table<Lease> = Table::new("");

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Lease {
    /// The process that holds it, by an id of its own.
    holder: String,
    /// Since when (Unix ms).
    since: i64,
}

/// A number that this process holds.
#[derive(Debug)]
pub struct Node {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    number: u32,
    lease: Lease,
}

fn key(number: u32) -> String {
    format!("{PREFIX}{number:04}")
}

impl Node {
    /// Takes the lowest free number.
    ///
    /// # Errors
    /// [`Error::Internal`] when the store fails or [`NODES_MAX`] nodes are up.
    pub async fn join(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        random: &dyn Random,
    ) -> Result<Self, Error> {
        let since = clock.now_ms();
        let lease = Lease {
            holder: random::id(random, since),
            since,
        };
        // Each conflict means that another node got the number.
        for _ in 0..NODES_MAX {
            let number = lowest_free(&*store).await?;
            let node = Self {
                store: Arc::clone(&store),
                clock: Arc::clone(&clock),
                number,
                lease: lease.clone(),
            };
            if node.write(Expect::Absent).await? {
                return Ok(node);
            }
        }
        Err(Error::Internal("no number of a node is free".into()))
    }

    /// The number, from 0.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Renews the lease again and again. Runs until it is dropped.
    pub async fn keep(&self) {
        loop {
            self.clock.sleep_ms(RENEW_MS).await;
            match self.renew().await {
                Ok(true) => {}
                Ok(false) => tracing::warn!(
                    number = self.number,
                    "another node has this one's number, for this one was silent too long; \
                     both go on, slower: restart one of them"
                ),
                Err(error) => tracing::warn!(%error, "the number of the node was not renewed"),
            }
        }
    }

    /// Gives the number back.
    pub async fn leave(&self) -> Result<(), Error> {
        if let Some(own) = self.own().await? {
            let commit = Commit::new()
                .check(&own.key, Expect::Version(own.version))
                .delete(&own.key);
            self.commit(commit).await?;
        }
        Ok(())
    }

    /// False where somebody else has it.
    async fn renew(&self) -> Result<bool, Error> {
        for _ in 0..CONFLICT_TRIES_MAX {
            let found = LEASES.get(&*self.store, &key(self.number)).await?;
            let expect = match found {
                None => Expect::Absent,
                Some(found) if found.value == self.lease => Expect::Version(found.version),
                Some(_) => return Ok(false),
            };
            if self.write(expect).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn own(&self) -> Result<Option<Stored<Lease>>, Error> {
        let found = LEASES.get(&*self.store, &key(self.number)).await?;
        Ok(found.filter(|found| found.value == self.lease))
    }

    async fn write(&self, expect: Expect) -> Result<bool, Error> {
        let until_ms = self.clock.now_ms().saturating_add(LEASE_MS);
        let key = key(self.number);
        let commit =
            Commit::new()
                .check(&key, expect)
                .put(&key, encode(&self.lease)?, Some(until_ms));
        self.commit(commit).await
    }

    async fn commit(&self, commit: Commit) -> Result<bool, Error> {
        match self.store.commit(commit).await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict { .. }) => Ok(false),
            Err(error @ (StoreError::Refused(_) | StoreError::Unavailable(_))) => Err(error.into()),
        }
    }
}

async fn lowest_free(store: &dyn Store) -> Result<u32, Error> {
    let limit = usize::try_from(NODES_MAX).unwrap_or(usize::MAX);
    let taken = LEASES.scan(store, PREFIX, None, limit).await?;
    // They come in order: the first that is not its place's number leaves that place free.
    (0..NODES_MAX)
        .zip(taken.iter().map(Some).chain(std::iter::repeat(None)))
        .find(|(number, lease)| lease.is_none_or(|lease| lease.key != key(*number)))
        .map(|(number, _)| number)
        .ok_or_else(|| Error::Internal(format!("{NODES_MAX} nodes are up, no more may be")))
}

#[cfg(test)]
mod tests {
    use crowdlink_store::{ManualClock, MemoryStore};

    use super::*;
    use crate::random::SeededRandom;

    struct Cluster {
        store: Arc<MemoryStore>,
        clock: Arc<ManualClock>,
        random: SeededRandom,
    }

    impl Cluster {
        fn new() -> Self {
            let clock = ManualClock::new(1_000_000);
            Self {
                store: MemoryStore::new(clock.clone()),
                clock,
                random: SeededRandom::from_seed(1),
            }
        }

        async fn join(&self) -> Result<Node, Error> {
            Node::join(self.store.clone(), self.clock.clone(), &self.random).await
        }
    }

    #[tokio::test]
    async fn the_lowest_free_number_is_taken_and_given_back() {
        let cluster = Cluster::new();
        let mut nodes = Vec::new();
        for number in 0..3 {
            nodes.push(cluster.join().await.unwrap());
            assert_eq!(nodes[number].number(), u32::try_from(number).unwrap());
        }
        nodes[1].leave().await.unwrap();
        assert_eq!(cluster.join().await.unwrap().number(), 1);
        assert_eq!(cluster.join().await.unwrap().number(), 3);
        // It holds none any more, so it gives nobody's back.
        nodes[1].leave().await.unwrap();
        assert_eq!(cluster.join().await.unwrap().number(), 4);
    }

    #[tokio::test]
    async fn a_number_that_is_renewed_stays_and_one_of_the_dead_comes_free() {
        let cluster = Cluster::new();
        let alive = Arc::new(cluster.join().await.unwrap());
        let dead = cluster.join().await.unwrap();
        let kept = Arc::clone(&alive);
        let keeping = tokio::spawn(async move { kept.keep().await });
        let lease_ms = u64::try_from(LEASE_MS).unwrap();
        for _ in 0..lease_ms / RENEW_MS {
            let before = cluster.store.get(&key(0)).await.unwrap().unwrap().version;
            tokio::task::yield_now().await;
            cluster.clock.advance_ms(RENEW_MS);
            while cluster.store.get(&key(0)).await.unwrap().unwrap().version == before {
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(cluster.join().await.unwrap().number(), 1);
        keeping.abort();
        // The dead one was not dead: it does not take back what another has.
        assert_eq!(dead.renew().await, Ok(false));
        assert_eq!(alive.renew().await, Ok(true));
    }

    #[tokio::test]
    async fn a_lease_that_ran_out_unnoticed_is_taken_again() {
        let cluster = Cluster::new();
        let node = cluster.join().await.unwrap();
        cluster.clock.advance_ms(u64::try_from(LEASE_MS).unwrap());
        assert_eq!(node.renew().await, Ok(true));
        assert_eq!(cluster.join().await.unwrap().number(), 1);
    }

    #[tokio::test]
    async fn nodes_that_start_together_get_a_number_each() {
        let cluster = Cluster::new();
        let joining = (0..50).map(|_| cluster.join());
        let joined = futures::future::join_all(joining).await;
        let mut numbers: Vec<_> = joined.iter().flatten().map(Node::number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..50).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn one_node_more_than_the_most_is_refused() {
        let cluster = Cluster::new();
        let lease = Lease {
            holder: "other".into(),
            since: 0,
        };
        let all = (0..NODES_MAX).fold(Commit::new(), |commit, number| {
            commit.put(key(number), encode(&lease).unwrap(), None)
        });
        cluster.store.commit(all).await.unwrap();
        assert!(matches!(cluster.join().await, Err(Error::Internal(_))));
        let last = Commit::new().delete(key(NODES_MAX - 1));
        cluster.store.commit(last).await.unwrap();
        assert_eq!(cluster.join().await.unwrap().number(), NODES_MAX - 1);
    }
}
