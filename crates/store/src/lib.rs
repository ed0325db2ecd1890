//! The store: one narrow contract, and the engines behind it.
//!
//! Everything durable in Crowdlink goes through [`Store`]: versioned records in one ordered key
//! space, atomic conditional commits, prefix scans and expiry. Values are JSON.

mod clock;
mod contract;

pub use clock::{Clock, ManualClock, Sleep, SystemClock};
pub use contract::{
    BATCH_ITEMS_MAX, Check, Commit, Entry, Expect, KEY_BYTES_MAX, Record, SCAN_PAGE_RECORDS_MAX,
    Store, StoreError, VALUE_BYTES_MAX, Write,
};
