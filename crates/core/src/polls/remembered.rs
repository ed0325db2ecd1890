//! Polls that were counted a moment ago, so that the next votes need not read them again.
//!
//! What is remembered is only believed as far as the commit checks it: the head's version, and the
//! version of this node's tally. What other nodes counted may be a second old.

use quick_cache::sync::Cache;

use super::records::Loaded;

/// Polls remembered.
const POLLS_MAX: usize = 10_000;
/// How long what other nodes counted is believed (DESIGN 2).
const STALE_MS_MAX: u64 = 1_000;

/// A poll, and when the store was asked about all of it.
#[derive(Clone, Debug)]
pub(super) struct Remembered {
    pub(super) loaded: Loaded,
    /// Monotonic ms.
    read_at_ms: u64,
    /// The newest version that was read then: what another node wrote later is not in it.
    read_version: u64,
    /// Whether votes are taken for those of new voters until a commit finds otherwise.
    trusting: bool,
}

impl Remembered {
    /// A poll that was just read.
    pub(super) const fn read(loaded: Loaded, read_at_ms: u64) -> Self {
        Self {
            read_version: loaded.newest,
            loaded,
            read_at_ms,
            trusting: true,
        }
    }

    /// A poll where who votes may have voted before: ballots are read, as long as this is remembered.
    #[must_use]
    pub(super) const fn distrusting(mut self) -> Self {
        self.trusting = false;
        self
    }

    /// Whether ballots need not be read: the commit that finds one where none was believed to be
    /// fails, and is tried again with what the store holds.
    pub(super) const fn is_trusting(&self) -> bool {
        self.trusting
    }

    /// Whether another node may have counted a ballot of that version since.
    pub(super) const fn is_older_than(&self, version: u64) -> bool {
        self.read_version < version
    }
}

/// Remembered polls by the key of their head.
#[derive(Debug)]
pub(super) struct RememberedPolls(Cache<String, Remembered>);

impl RememberedPolls {
    pub(super) fn new() -> Self {
        Self(Cache::new(POLLS_MAX))
    }

    pub(super) fn recall(&self, key: &str, now_ms: u64) -> Option<Remembered> {
        let fresh = |found: &Remembered| now_ms < found.read_at_ms.saturating_add(STALE_MS_MAX);
        self.0.get(key).filter(fresh)
    }

    pub(super) fn keep(&self, key: String, remembered: Remembered) {
        self.0.insert(key, remembered);
    }

    pub(super) fn forget(&self, key: &str) {
        self.0.remove(key);
    }
}
