//! The store as one node sees it: slow, refusing, silent about what it did.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use async_trait::async_trait;
use crowdlink_store::{Commit, Entry, MemoryStore, Record, Store, StoreError, Write};

use crate::gates::{Gates, Side};
use crate::trace::Trace;

pub struct FaultyStore {
    pub node: usize,
    pub inner: Arc<MemoryStore>,
    pub gates: Arc<Gates>,
    pub trace: Arc<Trace>,
}

impl std::fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FaultyStore").finish_non_exhaustive()
    }
}

fn unavailable(what: &str) -> StoreError {
    StoreError::Unavailable(format!("simulated: {what}"))
}

/// A fingerprint of a commit that does not depend on the order of independent writes.
fn fingerprint(commit: &Commit) -> u64 {
    let mut writes: Vec<(&str, &[u8])> = commit
        .writes
        .iter()
        .map(|write| match write {
            Write::Put { key, value, .. } => (key.as_str(), value.as_ref()),
            Write::Delete { key } => (key.as_str(), &[][..]),
        })
        .collect();
    writes.sort_unstable();
    let mut hasher = DefaultHasher::new();
    writes.hash(&mut hasher);
    hasher.finish()
}

impl FaultyStore {
    async fn call<T>(
        &self,
        what: (&str, u64),
        call: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let fate = self.gates.wait(self.node, Side::Before).await;
        self.trace.note((self.node, what, fate));
        if fate.fails {
            return Err(unavailable("nothing was done"));
        }
        let answer = call.await;
        if fate.waits_after {
            let fate = self.gates.wait(self.node, Side::After).await;
            self.trace.note((self.node, what, fate));
            if fate.fails && answer.is_ok() {
                return Err(unavailable("nobody knows what was done"));
            }
        }
        answer
    }
}

fn hash_of(what: impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

#[async_trait]
impl Store for FaultyStore {
    async fn get(&self, key: &str) -> Result<Option<Record>, StoreError> {
        self.call(("get", hash_of(key)), self.inner.get(key)).await
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Record>>, StoreError> {
        let call = self.inner.get_many(keys);
        self.call(("get_many", hash_of(keys)), call).await
    }

    async fn scan(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let call = self.inner.scan(prefix, after, limit);
        let what = ("scan", hash_of((prefix, after, limit)));
        self.call(what, call).await
    }

    async fn commit(&self, commit: Commit) -> Result<u64, StoreError> {
        let what = ("commit", fingerprint(&commit));
        self.call(what, self.inner.commit(commit)).await
    }

    async fn sweep(&self, limit: usize) -> Result<usize, StoreError> {
        self.inner.sweep(limit).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }
}
