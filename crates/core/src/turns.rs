//! Turns: what concerns one key is done by one at a time on this node.

use std::hash::{BuildHasher, RandomState};

use tokio::sync::{Mutex, MutexGuard};

/// Locks, so many that few keys share one.
const LOCKS: usize = 64;

/// Locks by key.
#[derive(Debug)]
pub(crate) struct Turns {
    locks: Vec<Mutex<()>>,
    keyed: RandomState,
}

impl Turns {
    pub(crate) fn new() -> Self {
        Self {
            locks: (0..LOCKS).map(|_| Mutex::new(())).collect(),
            keyed: RandomState::new(),
        }
    }

    /// Waits for the turn of a key; it lasts as long as what is given back.
    pub(crate) async fn wait(&self, key: &str) -> Option<MutexGuard<'_, ()>> {
        let hash = self.keyed.hash_one(key);
        let index = usize::try_from(hash % LOCKS as u64).unwrap_or(0);
        match self.locks.get(index) {
            Some(lock) => Some(lock.lock().await),
            None => None,
        }
    }
}
