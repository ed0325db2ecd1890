//! What core is handed: nothing else of the outside is known to it.

use std::sync::Arc;

use bytes::Bytes;
use crowdlink_store::{Clock, Commit, Store, StoreError};
use serde::Serialize;

use crate::bus::{Bus, Message};
use crate::error::Error;
use crate::random::{self, Random};

/// Most tries of a change that meets other writers. Three nodes that write one record under load lose two
/// of three tries each: 16 were too few now and then, 64 are not in a lifetime.
pub(crate) const CONFLICT_TRIES_MAX: u32 = 64;
/// Most turns given to others before the next try.
const CONFLICT_YIELDS_MAX: u8 = 32;

/// Time, randomness, store and bus.
#[derive(Clone, Debug)]
pub struct World {
    /// Everything durable.
    pub store: Arc<dyn Store>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// The other nodes.
    pub bus: Arc<dyn Bus>,
}

impl World {
    /// Unix time in ms.
    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// A new time-ordered id.
    pub(crate) fn id(&self) -> String {
        random::id(&*self.random, self.now_ms())
    }

    /// Commits; `Ok(None)` when another writer was first. The caller reads again and retries.
    pub(crate) async fn try_commit(&self, commit: Commit) -> Result<Option<u64>, Error> {
        match self.store.commit(commit).await {
            Ok(revision) => Ok(Some(revision)),
            Err(StoreError::Conflict { .. }) => Ok(None),
            Err(error @ (StoreError::Refused(_) | StoreError::Unavailable(_))) => Err(error.into()),
        }
    }

    /// Tells every node, this one too. What is written is told after its commit, never before:
    /// whoever hears of it may read it.
    pub(crate) fn tell<T: Serialize>(&self, topic: &str, told: &T) -> Result<(), Error> {
        let payload = Bytes::from(serde_json::to_vec(told)?);
        self.bus.publish(Message {
            topic: topic.to_owned(),
            payload,
        });
        Ok(())
    }

    /// Lets others go first, a random number of turns, before try number `attempt`; an error when
    /// there were enough. Turns instead of time: a simulation's clock stands still meanwhile.
    pub(crate) async fn pause_before_retry(&self, attempt: u32) -> Result<(), Error> {
        if attempt >= CONFLICT_TRIES_MAX {
            return Err(Error::Internal(format!(
                "gave up after {attempt} conflicts"
            )));
        }
        for _ in 0..random::below(&*self.random, CONFLICT_YIELDS_MAX) {
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}
