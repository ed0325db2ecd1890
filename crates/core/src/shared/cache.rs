//! The newest documents, in memory: bounded in bytes, and in how stale they may be.

use std::hash::{DefaultHasher, Hash, Hasher};
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
/// Counts of what was heard, each of many documents: what one of them hears holds up the others
/// for a read.
const HEARD_COUNTS: usize = 1_024;
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
    heard: Mutex<Heard>,
}

/// How often memory was told that it is behind: in all, and of the documents of one hash.
#[derive(Debug)]
struct Heard {
    lost: u64,
    changed: Vec<u64>,
}

/// What was heard before the store was asked. An answer counts only where nothing was since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    lost: u64,
    changed: u64,
}

impl DocumentCache {
    pub(super) fn new() -> Self {
        let held = Cache::with_weighter(CACHE_DOCUMENTS, CACHE_BYTES_MAX, BySize);
        Self {
            held,
            heard: Mutex::new(Heard {
                lost: 0,
                changed: vec![0; HEARD_COUNTS],
            }),
        }
    }

    fn count_of(key: &str) -> usize {
        // Without a key of its own: who makes documents share a count wins nothing, and
        // simulations replay.
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        usize::try_from(hasher.finish() % HEARD_COUNTS as u64).unwrap_or(0)
    }

    /// To be taken before the store is asked for a document, or told to change it.
    pub(super) fn mark(&self, key: &str) -> Mark {
        self.heard.lock().mark(Self::count_of(key))
    }

    /// The document of a key, from memory where that is fresh enough.
    pub(super) async fn get(&self, world: &World, key: &str) -> Result<Arc<Snapshot>, Error> {
        let fresh_since_ms = world.clock.monotonic_ms().saturating_sub(STALE_MS_MAX);
        match self.held.get(key) {
            Some(held) if held.read_at_ms >= fresh_since_ms => {
                Ok(Self::live(held.snapshot, world.now_ms()))
            }
            // Boxed, for most reads go without.
            _ => Box::pin(self.read(world, key)).await,
        }
    }

    /// The document of a key, from the store.
    pub(super) async fn read(&self, world: &World, key: &str) -> Result<Arc<Snapshot>, Error> {
        // The moment before the read: what is committed while it is under way may be missing.
        let (read_at_ms, mark) = (world.clock.monotonic_ms(), self.mark(key));
        let record = world.store.get(key).await?;
        let snapshot = Arc::new(record.map_or_else(Snapshot::empty, Self::snapshot));
        let newest = self.put(key, snapshot, read_at_ms, mark);
        Ok(Self::live(newest, world.now_ms()))
    }

    pub(super) fn snapshot(record: Record) -> Snapshot {
        Snapshot::of(record.value, record.version, record.expires_at_ms)
    }

    /// Keeps a snapshot unless a newer one is there; answers with the newer one. Versions only
    /// grow, so a lower one was read or written earlier, whenever it gets here. That there is no
    /// record is newer only where it was read after the other was. What was on its way while word
    /// came of a change may be from before it, and is not kept.
    pub(super) fn put(
        &self,
        key: &str,
        snapshot: Arc<Snapshot>,
        read_at_ms: u64,
        mark: Mark,
    ) -> Arc<Snapshot> {
        let heard = self.heard.lock();
        if let Some(held) = self.held.get(key)
            && held.snapshot.version > snapshot.version
            && (snapshot.version != 0 || held.read_at_ms >= read_at_ms)
        {
            return held.snapshot;
        }
        if heard.mark(Self::count_of(key)) == mark {
            let held = Held {
                snapshot: Arc::clone(&snapshot),
                read_at_ms,
            };
            self.held.insert(key.to_owned(), held);
        } else {
            self.held.remove(key);
        }
        snapshot
    }

    /// Forgets what is older than a version that somebody committed; with 0, where nobody knows
    /// whether it was, whatever is there.
    pub(super) fn invalidate(&self, key: &str, version: u64) {
        let mut heard = self.heard.lock();
        let is_newest = |held: &Held| version != 0 && held.snapshot.version >= version;
        if !self.held.get(key).as_ref().is_some_and(is_newest) {
            heard.changed(Self::count_of(key));
            self.held.remove(key);
        }
    }

    /// Forgets a document of which nobody knows what it is now.
    pub(super) fn forget(&self, key: &str) {
        self.invalidate(key, 0);
    }

    /// Forgets everything: word of some changes was lost.
    pub(super) fn forget_all(&self) {
        let mut heard = self.heard.lock();
        heard.lost += 1;
        self.held.clear();
    }

    fn live(snapshot: Arc<Snapshot>, now_ms: i64) -> Arc<Snapshot> {
        if snapshot.is_live(now_ms) {
            snapshot
        } else {
            Arc::new(Snapshot::empty())
        }
    }
}

impl Heard {
    fn mark(&self, count: usize) -> Mark {
        Mark {
            lost: self.lost,
            changed: self.changed.get(count).copied().unwrap_or(0),
        }
    }

    fn changed(&mut self, count: usize) {
        if let Some(changed) = self.changed.get_mut(count) {
            *changed += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(version: u64) -> Arc<Snapshot> {
        Arc::new(Snapshot::of(Bytes::from_static(b"{}"), version, None))
    }

    /// As if it was read or written with nothing heard meanwhile.
    fn put(cache: &DocumentCache, at: u64, read_at_ms: u64) -> u64 {
        let mark = cache.mark("k");
        cache.put("k", version(at), read_at_ms, mark).version
    }

    fn held(cache: &DocumentCache) -> Option<u64> {
        cache.held.get("k").map(|held| held.snapshot.version)
    }

    #[test]
    fn a_read_that_began_before_a_commit_does_not_undo_it() {
        let cache = DocumentCache::new();
        put(&cache, 5, 10);
        for (read, read_at_ms) in [(4, 10), (4, 11), (0, 10)] {
            assert_eq!(put(&cache, read, read_at_ms), 5);
        }
        assert_eq!(put(&cache, 6, 9), 6);
    }

    #[test]
    fn a_record_that_went_is_forgotten() {
        let cache = DocumentCache::new();
        put(&cache, 5, 10);
        assert_eq!(put(&cache, 0, 11), 0);
    }

    #[test]
    fn what_was_on_its_way_when_word_came_of_a_change_is_not_kept() {
        let cache = DocumentCache::new();
        let mark = cache.mark("k");
        cache.invalidate("k", 5);
        assert_eq!(cache.put("k", version(4), 10, mark).version, 4);
        assert_eq!(held(&cache), None);
        put(&cache, 5, 11);
        let mark = cache.mark("k");
        // No news.
        cache.invalidate("k", 5);
        cache.put("k", version(6), 12, mark);
        assert_eq!(held(&cache), Some(6));
    }

    #[test]
    fn what_may_have_changed_is_forgotten_whatever_its_version() {
        let cache = DocumentCache::new();
        put(&cache, 5, 10);
        let mark = cache.mark("k");
        cache.invalidate("k", 0);
        assert_eq!(held(&cache), None);
        cache.put("k", version(5), 10, mark);
        assert_eq!(held(&cache), None);
        put(&cache, 5, 10);
        let mark = cache.mark("k");
        cache.forget_all();
        assert_eq!(held(&cache), None);
        cache.put("k", version(5), 10, mark);
        assert_eq!(held(&cache), None);
    }
}
