//! A look at a store that changes nothing, also while a server runs on it.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::options::SqliteOptions;
use super::reader::Readers;
use super::{files, query};
use crate::bounds;
use crate::clock::Clock;
use crate::contract::{Commit, Entry, Record, SCAN_PAGE_RECORDS_MAX, Store, StoreError};

/// The embedded engine opened for reading only: SQLite itself refuses writes.
pub struct ReadOnlySqlite {
    clock: Arc<dyn Clock>,
    readers: Readers,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl std::fmt::Debug for ReadOnlySqlite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadOnlySqlite").finish_non_exhaustive()
    }
}

impl ReadOnlySqlite {
    /// Opens an existing store; makes none. Paths as for [`super::SqliteStore::open`]. Blocks.
    ///
    /// # Errors
    /// As [`super::SqliteStore::open`], and `Unavailable` where there is no store.
    pub fn open(path: impl AsRef<Path>, clock: Arc<dyn Clock>) -> Result<Arc<Self>, StoreError> {
        let path = files::database_path(path.as_ref());
        let options = SqliteOptions {
            readers: 1,
            ..SqliteOptions::default()
        };
        let (readers, threads) = Readers::start(&path, &options)?;
        Ok(Arc::new(Self {
            clock,
            readers,
            threads: Mutex::new(threads),
        }))
    }
}

impl Drop for ReadOnlySqlite {
    fn drop(&mut self) {
        self.readers.close();
        for thread in self.threads.lock().drain(..) {
            // A reader that died has told whoever waited for it.
            let _ = thread.join();
        }
    }
}

fn refused<T>() -> Result<T, StoreError> {
    Err(StoreError::Refused(
        "the store is open for reading only".into(),
    ))
}

#[async_trait]
impl Store for ReadOnlySqlite {
    async fn get(&self, key: &str) -> Result<Option<Record>, StoreError> {
        bounds::key(key)?;
        let (key, now_ms) = (key.to_owned(), self.clock.now_ms());
        self.readers
            .read(move |connection| query::get(connection, now_ms, &key))
            .await
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Record>>, StoreError> {
        bounds::keys(keys)?;
        let (keys, now_ms) = (keys.to_vec(), self.clock.now_ms());
        self.readers
            .read(move |connection| query::get_many(connection, now_ms, &keys))
            .await
    }

    async fn scan(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        bounds::scan(prefix, after)?;
        let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
        let (limit, now_ms) = (limit.min(SCAN_PAGE_RECORDS_MAX), self.clock.now_ms());
        self.readers
            .read(move |connection| {
                query::scan(connection, now_ms, &prefix, after.as_deref(), limit)
            })
            .await
    }

    async fn commit(&self, _: Commit) -> Result<u64, StoreError> {
        refused()
    }

    async fn sweep(&self, _: usize) -> Result<usize, StoreError> {
        refused()
    }

    /// Reads alone.
    async fn ping(&self) -> Result<(), StoreError> {
        self.get("ping").await.map(|_| ())
    }
}
