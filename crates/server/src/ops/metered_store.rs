//! A store that measures the one behind it.

use std::sync::Arc;

use async_trait::async_trait;
use crowdlink_store::{Commit, Entry, Record, Store, StoreError};

use super::{Stopwatch, StoreLabels, StoreMetrics};

/// Counts and times every call of a store.
#[derive(Debug)]
pub struct MeteredStore {
    inner: Arc<dyn Store>,
    metrics: StoreMetrics,
}

impl MeteredStore {
    /// Around a store.
    pub fn new(inner: Arc<dyn Store>, metrics: StoreMetrics) -> Self {
        Self { inner, metrics }
    }

    async fn measure<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let watch = Stopwatch::start();
        let done = call.await;
        let outcome = match &done {
            Ok(_) => "ok",
            Err(StoreError::Conflict { .. }) => "conflict",
            Err(StoreError::Refused(_)) => "refused",
            Err(StoreError::Unavailable(_)) => "unavailable",
        };
        self.metrics
            .seconds
            .get_or_create(&StoreLabels { operation, outcome })
            .observe(watch.seconds());
        done
    }
}

#[async_trait]
impl Store for MeteredStore {
    async fn get(&self, key: &str) -> Result<Option<Record>, StoreError> {
        self.measure("get", self.inner.get(key)).await
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Record>>, StoreError> {
        self.measure("get_many", self.inner.get_many(keys)).await
    }

    async fn scan(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let scan = self.inner.scan(prefix, after, limit);
        self.measure("scan", scan).await
    }

    async fn commit(&self, commit: Commit) -> Result<u64, StoreError> {
        self.measure("commit", self.inner.commit(commit)).await
    }

    async fn sweep(&self, limit: usize) -> Result<usize, StoreError> {
        self.measure("sweep", self.inner.sweep(limit)).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.measure("ping", self.inner.ping()).await
    }
}
