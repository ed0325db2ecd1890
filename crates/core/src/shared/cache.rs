//! The newest documents, in memory: bounded in bytes, and in how stale they may be.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use crowdlink_store::Record;
use parking_lot::Mutex;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::documents::{Bounds, Document};
use crate::error::Error;
use crate::world::World;

/// Bytes of documents held.
const CACHE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Documents that the cache is laid out for.
const CACHE_DOCUMENTS: usize = 100_000;
/// What a document costs beside its text.
const ENTRY_BYTES: u64 = 256;
/// How long a document is believed without asking the store: a bus that is down, or a commit of
/// another process, shows after this (DESIGN 2).
const STALE_MS_MAX: u64 = 1_000;

/// A document as of one version.
#[derive(Debug)]
pub struct Snapshot {
    /// Its minified JSON.
    pub json: Bytes,
    /// 0 where it was never written, or has expired.
    pub version: u64,
    pub(super) expires_at_ms: Option<i64>,
    document: OnceLock<Document>,
}

impl Snapshot {
    /// What was never written.
    pub fn empty() -> Self {
        Self::of(Bytes::from_static(b"{}"), 0, None)
    }

    fn of(json: Bytes, version: u64, expires_at_ms: Option<i64>) -> Self {
        Self {
            json,
            version,
            expires_at_ms,
            document: OnceLock::new(),
        }
    }

    /// What was written as text, for ever.
    pub(super) fn stored(json: Bytes, version: u64) -> Self {
        Self::of(json, version, None)
    }

    pub(super) fn written(
        document: Document,
        json: Bytes,
        version: u64,
        expires_at_ms: Option<i64>,
    ) -> Self {
        let snapshot = Self::of(json, version, expires_at_ms);
        let _ = snapshot.document.set(document);
        snapshot
    }

    /// The document, parsed when it is first wanted. Bounds may have been tightened since it was
    /// written: what is there is read all the same.
    pub(super) fn document(&self) -> Result<Document, Error> {
        if let Some(document) = self.document.get() {
            return Ok(document.clone());
        }
        let bounds = Bounds {
            bytes_max: usize::MAX,
            depth_max: 128,
            keys_max: usize::MAX,
        };
        let document = Document::parse(&self.json, &bounds)
            .map_err(|error| Error::Internal(format!("a stored document: {error}")))?;
        Ok(self.document.get_or_init(|| document).clone())
    }

    fn is_live(&self, now_ms: i64) -> bool {
        self.expires_at_ms.is_none_or(|at_ms| now_ms < at_ms)
    }
}

#[derive(Clone, Debug)]
struct Held {
    snapshot: Arc<Snapshot>,
    read_at_ms: u64,
    /// How often word had been lost when it was read.
    losses: u64,
}

#[derive(Clone, Debug)]
struct BySize;

impl Weighter<String, Held> for BySize {
    fn weight(&self, key: &String, held: &Held) -> u64 {
        ENTRY_BYTES + (key.len() + held.snapshot.json.len()) as u64
    }
}

/// Snapshots by key.
#[derive(Debug)]
pub(super) struct DocumentCache {
    held: Cache<String, Held, BySize>,
    /// Held while one is compared and replaced.
    putting: Mutex<()>,
    /// How often word of changes was lost: what was read before may have changed since.
    losses: AtomicU64,
}

impl DocumentCache {
    pub(super) fn new() -> Self {
        let held = Cache::with_weighter(CACHE_DOCUMENTS, CACHE_BYTES_MAX, BySize);
        Self {
            held,
            putting: Mutex::new(()),
            losses: AtomicU64::new(0),
        }
    }

    /// The document of a key, from memory where that is fresh enough.
    pub(super) async fn get(&self, world: &World, key: &str) -> Result<Arc<Snapshot>, Error> {
        let fresh_since_ms = world.clock.monotonic_ms().saturating_sub(STALE_MS_MAX);
        let losses = self.losses.load(Ordering::Acquire);
        match self.held.get(key) {
            Some(held) if held.read_at_ms >= fresh_since_ms && held.losses == losses => {
                Ok(Self::live(held.snapshot, world.now_ms()))
            }
            // Boxed, for most reads go without.
            _ => Box::pin(self.read(world, key)).await,
        }
    }

    /// The document of a key, from the store.
    pub(super) async fn read(&self, world: &World, key: &str) -> Result<Arc<Snapshot>, Error> {
        // The moment before the read: what is committed while it is under way may be missing.
        let read_at_ms = world.clock.monotonic_ms();
        let losses = self.losses.load(Ordering::Acquire);
        let record = world.store.get(key).await?;
        let snapshot = Arc::new(record.map_or_else(Snapshot::empty, Self::snapshot));
        Ok(Self::live(
            self.put_as_of(key, snapshot, read_at_ms, losses),
            world.now_ms(),
        ))
    }

    pub(super) fn snapshot(record: Record) -> Snapshot {
        Snapshot::of(record.value, record.version, record.expires_at_ms)
    }

    /// Keeps a snapshot unless a newer one is there; answers with the one that stays. Versions only
    /// grow, so a lower one was read or written earlier, whenever it gets here. That there is no
    /// record is newer only where it was read after the other was.
    pub(super) fn put(&self, key: &str, snapshot: Arc<Snapshot>, read_at_ms: u64) -> Arc<Snapshot> {
        let losses = self.losses.load(Ordering::Acquire);
        self.put_as_of(key, snapshot, read_at_ms, losses)
    }

    fn put_as_of(
        &self,
        key: &str,
        snapshot: Arc<Snapshot>,
        read_at_ms: u64,
        losses: u64,
    ) -> Arc<Snapshot> {
        let _putting = self.putting.lock();
        if let Some(held) = self.held.get(key)
            && held.snapshot.version > snapshot.version
            && (snapshot.version != 0 || held.read_at_ms >= read_at_ms)
        {
            return held.snapshot;
        }
        self.held.insert(
            key.to_owned(),
            Held {
                snapshot: Arc::clone(&snapshot),
                read_at_ms,
                losses,
            },
        );
        snapshot
    }

    /// Forgets what is older than a version that somebody committed.
    pub(super) fn invalidate(&self, key: &str, version: u64) {
        if self
            .held
            .get(key)
            .is_some_and(|held| held.snapshot.version < version)
        {
            self.held.remove(key);
        }
    }

    /// From now on nothing is believed that was read before.
    pub(super) fn doubt(&self) {
        self.losses.fetch_add(1, Ordering::AcqRel);
    }

    /// Forgets a document of which nobody knows what it is now.
    pub(super) fn forget(&self, key: &str) {
        self.held.remove(key);
    }

    fn live(snapshot: Arc<Snapshot>, now_ms: i64) -> Arc<Snapshot> {
        if snapshot.is_live(now_ms) {
            snapshot
        } else {
            Arc::new(Snapshot::empty())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(version: u64) -> Arc<Snapshot> {
        Arc::new(Snapshot::of(Bytes::from_static(b"{}"), version, None))
    }

    #[test]
    fn a_read_that_began_before_a_commit_does_not_undo_it() {
        let cache = DocumentCache::new();
        cache.put("k", version(5), 10);
        for (read, read_at_ms) in [(4, 10), (4, 11), (0, 10)] {
            assert_eq!(cache.put("k", version(read), read_at_ms).version, 5);
        }
        assert_eq!(cache.put("k", version(6), 9).version, 6);
    }

    #[test]
    fn a_record_that_went_is_forgotten() {
        let cache = DocumentCache::new();
        cache.put("k", version(5), 10);
        assert_eq!(cache.put("k", version(0), 11).version, 0);
    }
}
