//! Removes expired records in the background, a little at a time.

use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::contract::Store;

/// Records one batch removes at most. Small, so that commits wait at most a few ms for it.
pub const SWEEP_BATCH_RECORDS_MAX: usize = 500;
/// Batches between two pauses, at most. What is left waits for the next interval.
pub const SWEEP_BATCHES_MAX: usize = 40;

/// Sweeping goes on until this is dropped.
#[derive(Debug)]
#[must_use = "sweeping stops when this is dropped"]
pub struct SweeperGuard {
    task: JoinHandle<()>,
}

impl Drop for SweeperGuard {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Sweeps `store` every `interval_ms` in batches of [`SWEEP_BATCH_RECORDS_MAX`]. Must be called
/// within a tokio runtime. Errors are logged and the next interval tries again.
pub fn spawn_sweeper(
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    interval_ms: u64,
) -> SweeperGuard {
    let task = tokio::spawn(async move {
        loop {
            clock.sleep_ms(interval_ms).await;
            sweep(store.as_ref()).await;
        }
    });
    SweeperGuard { task }
}

async fn sweep(store: &dyn Store) {
    for _ in 0..SWEEP_BATCHES_MAX {
        match store.sweep(SWEEP_BATCH_RECORDS_MAX).await {
            Ok(swept) if swept < SWEEP_BATCH_RECORDS_MAX => return,
            Ok(_) => tokio::task::yield_now().await,
            Err(error) => {
                tracing::warn!(%error, "sweep failed");
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Commit, ManualClock, MemoryStore};

    async fn put_expired(store: &dyn Store, count: usize) {
        for first in (0..count).step_by(5_000) {
            let commit = (first..count.min(first + 5_000)).fold(Commit::new(), |commit, n| {
                commit.put(format!("k/{n}"), "1", Some(0))
            });
            store.commit(commit).await.unwrap();
        }
    }

    /// Asks until `held` records, live or not, are left.
    async fn wait_until_held(store: &MemoryStore, held: usize) {
        while store.held() != held {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn expired_records_go_after_the_interval_and_not_before() {
        let clock = ManualClock::new(1_000);
        let store = MemoryStore::new(clock.clone());
        put_expired(store.as_ref(), 3).await;
        let _guard = spawn_sweeper(store.clone(), clock.clone(), 100);
        tokio::task::yield_now().await;
        clock.advance_ms(99);
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(store.held(), 3);
        clock.advance_ms(1);
        wait_until_held(&store, 0).await;
    }

    #[tokio::test]
    async fn one_interval_removes_a_bounded_number() {
        let clock = ManualClock::new(1_000);
        let store = MemoryStore::new(clock.clone());
        let bound = SWEEP_BATCH_RECORDS_MAX * SWEEP_BATCHES_MAX;
        put_expired(store.as_ref(), bound + 7).await;
        sweep(store.as_ref()).await;
        assert_eq!(store.held(), 7);
        sweep(store.as_ref()).await;
        assert_eq!(store.held(), 0);
    }

    #[tokio::test]
    async fn a_failed_sweep_is_tried_again() {
        let clock = ManualClock::new(1_000);
        let store = MemoryStore::new(clock.clone());
        put_expired(store.as_ref(), 1).await;
        store.set_down(true);
        sweep(store.as_ref()).await;
        assert_eq!(store.held(), 1);
        store.set_down(false);
        sweep(store.as_ref()).await;
        assert_eq!(store.held(), 0);
    }

    #[tokio::test]
    async fn sweeping_stops_with_its_guard() {
        let clock = ManualClock::new(1_000);
        let store = MemoryStore::new(clock.clone());
        let guard = spawn_sweeper(store.clone(), clock.clone(), 100);
        assert_eq!(Arc::strong_count(&store), 2);
        drop(guard);
        while Arc::strong_count(&store) > 1 {
            tokio::task::yield_now().await;
        }
    }
}
