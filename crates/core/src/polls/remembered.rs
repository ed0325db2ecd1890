//! Polls that were counted a moment ago, so that the next votes need not read them again.
//!
//! What is remembered is only believed as far as the commit checks it: the head's version, and the
//! version of this node's tally. What other nodes counted may be a second old.

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::ballot::{Ballot, Cast};
use super::records::Loaded;

/// Polls remembered.
const POLLS_MAX: usize = 10_000;
/// Ballots remembered, in bytes.
const BALLOTS_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// Ballots that the memory of them is laid out for.
const BALLOTS: usize = 100_000;
/// What a ballot costs beside its key and its votes.
const BALLOT_BYTES: u64 = 192;
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
    /// Nobody had voted when it was read: all ballots since are this node's, as far as it knows.
    from_the_start: bool,
}

impl Remembered {
    /// A poll that was just read, and what was remembered of it before.
    pub(super) fn read(loaded: Loaded, read_at_ms: u64, before: Option<&Self>) -> Self {
        // Nobody else has counted since this node did.
        let alone = |before: &Self| {
            before.from_the_start && before.loaded.votes_version == loaded.votes_version
        };
        Self {
            read_version: loaded.newest,
            from_the_start: loaded.votes_version == 0 || before.is_some_and(alone),
            loaded,
            read_at_ms,
        }
    }

    /// The ballot of a voter, without asking the store, where this node should know it. The commit
    /// checks that it does.
    pub(super) fn ballot(&self, ballots: &RememberedBallots, key: &str) -> Known {
        match ballots.0.get(key) {
            Some((ballot, version)) => Known::Ballot(ballot, version),
            None if self.from_the_start => Known::None,
            None => Known::Unknown,
        }
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
        self.last(key).filter(fresh)
    }

    /// The same, however old.
    pub(super) fn last(&self, key: &str) -> Option<Remembered> {
        self.0.get(key)
    }

    pub(super) fn keep(&self, key: String, remembered: Remembered) {
        self.0.insert(key, remembered);
    }

    pub(super) fn forget(&self, key: &str) {
        self.0.remove(key);
    }
}

/// What this node knows of a voter.
#[derive(Debug)]
pub(super) enum Known {
    /// The ballot, and its version.
    Ballot(Ballot, u64),
    /// There should be none.
    None,
    /// The store knows.
    Unknown,
}

/// Ballots that this node wrote, with their versions, by their key.
#[derive(Debug)]
pub(super) struct RememberedBallots(Cache<String, (Ballot, u64), BySize>);

#[derive(Clone, Debug)]
struct BySize;

impl Weighter<String, (Ballot, u64)> for BySize {
    fn weight(&self, key: &String, (ballot, _): &(Ballot, u64)) -> u64 {
        let votes = ballot.votes.len() * size_of::<Cast>();
        BALLOT_BYTES + (key.len() + ballot.opaque.len() + votes) as u64
    }
}

impl RememberedBallots {
    pub(super) fn new() -> Self {
        Self(Cache::with_weighter(BALLOTS, BALLOTS_BYTES_MAX, BySize))
    }

    /// A ballot that was written, and the version of that commit.
    pub(super) fn keep(&self, key: String, ballot: Ballot, version: u64) {
        self.0.insert(key, (ballot, version));
    }
}
