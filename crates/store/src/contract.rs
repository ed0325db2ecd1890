//! The contract: versioned records in one ordered key space.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

/// Longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 1_024;
/// Largest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Most keys of one `get_many`, most checks and most writes of one commit.
pub const BATCH_ITEMS_MAX: usize = 10_000;
/// Largest commit, in bytes of all its keys and values.
pub const COMMIT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Largest answer of one `get_many` or `scan`, in bytes of its values. A larger one is refused and
/// never cut, so a page shorter than its limit is always the last one.
pub const READ_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most records a scan returns in one page.
pub const SCAN_PAGE_RECORDS_MAX: usize = 10_000;

/// A record as it was read: its value, its version and when it expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// JSON text.
    pub value: Bytes,
    /// The store-wide revision of the commit that wrote it. Grows with every commit and is never
    /// reused, so a key that was deleted and written again has a new version.
    pub version: u64,
    /// Unix time in ms from which on the record does not exist; `None` is never.
    pub expires_at_ms: Option<i64>,
}

/// A record with the key it stands under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// What stands there.
    pub record: Record,
}

/// What a commit expects to find under a key before it writes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// No record, or only an expired one.
    Absent,
    /// A live record with exactly this version.
    Version(u64),
    /// A live record, whatever its version.
    Any,
}

impl Expect {
    /// Whether it is met by the version that stands there, if a live record does.
    pub(crate) fn holds(self, version: Option<u64>) -> bool {
        match self {
            Self::Absent => version.is_none(),
            Self::Version(expected) => version == Some(expected),
            Self::Any => version.is_some(),
        }
    }
}

impl From<Option<u64>> for Expect {
    /// "Still as it was read": a version, or no record.
    fn from(version: Option<u64>) -> Self {
        version.map_or(Self::Absent, Self::Version)
    }
}

/// One condition of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The key looked at.
    pub key: String,
    /// What must be there.
    pub expect: Expect,
}

/// One change of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Creates or replaces a record.
    Put {
        /// Its key.
        key: String,
        /// Its JSON text.
        value: Bytes,
        /// When it ceases to exist (Unix ms), `None` for never.
        expires_at_ms: Option<i64>,
    },
    /// Removes a record; nothing happens where there is none.
    Delete {
        /// Its key.
        key: String,
    },
}

/// A set of changes that happens whole or not at all, under conditions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// All must hold, else nothing is written.
    pub checks: Vec<Check>,
    /// Applied in order; the last write of a key wins.
    pub writes: Vec<Write>,
}

impl Commit {
    /// An empty commit.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a condition.
    #[must_use]
    pub fn check(mut self, key: impl Into<String>, expect: Expect) -> Self {
        self.checks.push(Check {
            key: key.into(),
            expect,
        });
        self
    }

    /// Adds a write of a record.
    #[must_use]
    pub fn put(
        mut self,
        key: impl Into<String>,
        value: impl Into<Bytes>,
        expires_at_ms: Option<i64>,
    ) -> Self {
        self.writes.push(Write::Put {
            key: key.into(),
            value: value.into(),
            expires_at_ms,
        });
        self
    }

    /// Adds a removal.
    #[must_use]
    pub fn delete(mut self, key: impl Into<String>) -> Self {
        self.writes.push(Write::Delete { key: key.into() });
        self
    }
}

/// Why the store did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A condition of a commit did not hold; nothing was written.
    #[error("conflict on {key}")]
    Conflict {
        /// The first key whose condition failed.
        key: String,
    },
    /// The request breaks a bound of the contract; nothing was written.
    #[error("refused: {0}")]
    Refused(String),
    /// The engine cannot answer now. A commit answered so may or may not have happened.
    #[error("store unavailable: {0}")]
    Unavailable(String),
}

/// The narrow contract everything durable goes through (DESIGN 2).
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// The live record under a key.
    async fn get(&self, key: &str) -> Result<Option<Record>, StoreError>;

    /// The live records under several keys, in the order asked, read in one snapshot.
    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Record>>, StoreError>;

    /// Live records whose key starts with `prefix` and is greater than `after`, in byte order of
    /// the keys, at most `limit` (cut to [`SCAN_PAGE_RECORDS_MAX`]).
    async fn scan(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError>;

    /// Applies a commit whole or not at all and answers with its revision, which is the version of
    /// every record it put; a commit that writes nothing has a revision too. An `Ok` is durable: it survives `kill -9` and power loss.
    async fn commit(&self, commit: Commit) -> Result<u64, StoreError>;

    /// Removes up to `limit` expired records and tells how many there were. Never changes what a
    /// reader sees.
    async fn sweep(&self, limit: usize) -> Result<usize, StoreError>;

    /// Answers when the engine can read and write.
    async fn ping(&self) -> Result<(), StoreError>;
}
