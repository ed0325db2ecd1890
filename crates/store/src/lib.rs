//! The store: one narrow contract, and the engines behind it.
//!
//! Everything durable in Crowdlink goes through [`Store`]: versioned records in one ordered key
//! space, atomic conditional commits, prefix scans and expiry (DESIGN 2).
//!
//! # Keys and values
//! - A key is text of 1 to [`KEY_BYTES_MAX`] bytes without NUL, compared byte for byte. By custom it
//!   is a path, `stage/extension/kind/…`, so that a prefix is a subject and no scan crosses it.
//! - A value is JSON text (UTF-8 without NUL, at most [`VALUE_BYTES_MAX`]). Engines do not parse it.
//! - A version is the revision of the commit that wrote the record. Revisions are counted for the
//!   whole store, grow with every successful commit and are never used twice, also not after a
//!   record was deleted or a backup restored.
//! - A record with `expires_at_ms` exists before that millisecond and not from then on, for every
//!   read and every check. [`spawn_sweeper`] frees its space later.
//!
//! # Commits
//! All checks hold and all writes happen, or nothing happens. Commits are serializable: a check on a
//! key that the commit does not write counts as much as any other. [`StoreError::Conflict`] and
//! [`StoreError::Refused`] mean that nothing was written. [`StoreError::Unavailable`] leaves the
//! outcome open; a caller that must know reads again, or makes the commit safe to repeat
//! ([`Expect::Absent`] on a key that it creates).
//!
//! # Durability
//! An acknowledged commit survives `kill -9` and power loss on [`SqliteStore`]:
//! - The write-ahead log is synced (`synchronous=FULL`) before `COMMIT` returns, and callers are
//!   answered after that. Frames of the log carry checksums, so a torn tail is cut off at the last
//!   whole transaction when the store opens: no half commit can appear.
//! - A checkpoint syncs the log before it copies pages into the database, and syncs the database
//!   before the log may be used anew. At each moment one of the two holds every commit.
//! - The names of new files are synced with their directory.
//!
//! Tests kill a writing process fifty times, and read from the connection that writes that these
//! settings are in force ([`SqliteStore::durability`]). A disk that lies about a sync is beyond them.
//!
//! [`PostgresStore`] answers after PostgreSQL has answered `COMMIT` with `synchronous_commit` on; the
//! rest is PostgreSQL's own word ([`PostgresStore::durability`], docs/adr/0007). Tests kill writing nodes and the
//! database, and break the network between them.
//!
//! [`MemoryStore`] keeps nothing; it exists to make things go wrong on purpose.
//!
//! # Another engine
//! It passes `conformance` (the cargo feature of that name), in full. [`Bulk`] beside it lets everything
//! be moved away from it and to it, through the file of [`transfer`].

mod bounds;
mod bulk;
mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
mod contract;
mod memory;
mod postgres;
mod prefix;
mod sqlite;
mod sweeper;
pub mod transfer;

pub use bulk::{BULK_BATCH_BYTES_MAX, BULK_BATCH_RECORDS_MAX, Bulk, Load, REVISION_GAP, Snapshot};
pub use clock::{Clock, ManualClock, Sleep, SystemClock};
pub use contract::{
    BATCH_ITEMS_MAX, COMMIT_BYTES_MAX, Check, Commit, Entry, Expect, KEY_BYTES_MAX, READ_BYTES_MAX,
    Record, SCAN_PAGE_RECORDS_MAX, Store, StoreError, VALUE_BYTES_MAX, Write,
};
pub use memory::{Faults, MemoryStore};
pub use postgres::{PostgresBulk, PostgresDurability, PostgresOptions, PostgresStore};
pub use sqlite::{Durability, ReadOnlySqlite, SqliteBulk, SqliteOptions, SqliteStore};
pub use sweeper::{SWEEP_BATCH_RECORDS_MAX, SWEEP_BATCHES_MAX, SweeperGuard, spawn_sweeper};
