//! The store: one narrow contract, and the engines behind it.
//!
//! Everything durable in Crowdlink goes through [`Store`]: versioned records in one ordered key
//! space, atomic conditional commits, prefix scans and expiry.

mod bounds;
mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
mod contract;
mod memory;
mod sqlite;
mod sweeper;

pub use clock::{Clock, ManualClock, Sleep, SystemClock};
pub use contract::{
    BATCH_ITEMS_MAX, COMMIT_BYTES_MAX, Check, Commit, Entry, Expect, KEY_BYTES_MAX, READ_BYTES_MAX,
    Record, SCAN_PAGE_RECORDS_MAX, Store, StoreError, VALUE_BYTES_MAX, Write,
};
pub use memory::{Faults, MemoryStore};
pub use sqlite::{Durability, SqliteOptions, SqliteStore};
pub use sweeper::{SWEEP_BATCH_RECORDS_MAX, SWEEP_BATCHES_MAX, SweeperGuard, spawn_sweeper};
