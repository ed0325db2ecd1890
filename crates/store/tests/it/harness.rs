//! Stores in temporary directories.

use std::path::Path;
use std::sync::Arc;

use crowdlink_store::{Commit, ManualClock, SqliteOptions, SqliteStore, Store, StoreError};

/// Opens the store of a directory with default options.
pub(crate) fn open(directory: &Path) -> Result<Arc<SqliteStore>, StoreError> {
    open_with(directory, SqliteOptions::default())
}

/// Opens the store of a directory.
pub(crate) fn open_with(
    directory: &Path,
    options: SqliteOptions,
) -> Result<Arc<SqliteStore>, StoreError> {
    SqliteStore::open(directory, ManualClock::new(1_000), options)
}

/// Puts one record.
pub(crate) async fn put(store: &dyn Store, key: &str, value: &str) -> u64 {
    let put = Commit::new().put(key, value.to_owned(), None);
    store.commit(put).await.unwrap()
}

/// The value under a key, as text.
pub(crate) async fn value(store: &dyn Store, key: &str) -> Option<String> {
    let record = store.get(key).await.unwrap()?;
    Some(String::from_utf8(record.value.to_vec()).unwrap())
}

/// Fails unless the call was refused.
#[track_caller]
pub(crate) fn assert_refused<T: std::fmt::Debug>(answer: Result<T, StoreError>, why: &str) {
    match answer {
        Err(StoreError::Refused(text)) if text.contains(why) => {}
        other => panic!("not refused for {why:?}: {other:?}"),
    }
}

/// Fails unless the store was unavailable.
#[track_caller]
pub(crate) fn assert_unavailable<T: std::fmt::Debug>(answer: Result<T, StoreError>, why: &str) {
    match answer {
        Err(StoreError::Unavailable(text)) if text.contains(why) => {}
        other => panic!("not unavailable for {why:?}: {other:?}"),
    }
}

/// Opens the store of a directory with a clock of the caller's.
pub(crate) fn open_with_clock(directory: &Path, clock: Arc<ManualClock>) -> Arc<SqliteStore> {
    SqliteStore::open(directory, clock, SqliteOptions::default()).unwrap()
}
