//! The embedded engine: one SQLite file in write-ahead mode.
//!
//! One thread writes (`writer`), a few read (`reader`), one checkpoints (`checkpoint`); none of
//! them belongs to the async runtime. Several processes may have the file open at the same time.

mod apply;
mod backup;
mod bulk;
mod checkpoint;
mod files;
mod loading;
mod options;
mod query;
mod read_only;
mod reader;
mod schema;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::bounds;
use crate::clock::Clock;
use crate::contract::{
    BATCH_ITEMS_MAX, Commit, Entry, Record, SCAN_PAGE_RECORDS_MAX, Store, StoreError,
};
pub use bulk::SqliteBulk;
use checkpoint::Restart;
pub use options::SqliteOptions;
pub use read_only::ReadOnlySqlite;
use reader::Readers;
pub use schema::Durability;
use writer::Writer;

/// The store in one SQLite file.
///
/// Dropping it lets its threads end by themselves once they have done what waits;
/// [`SqliteStore::close`] waits for that.
pub struct SqliteStore {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    options: SqliteOptions,
    writer: Writer,
    readers: Readers,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// The thread that checkpoints, and what keeps it: it closes alone. Of two that close at the same moment
    /// neither knows itself the last, and the log would stay.
    last: Mutex<Option<(SyncSender<()>, JoinHandle<()>)>>,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    std::thread::Builder::new()
        .name(name.into())
        .spawn(run)
        .map_err(|error| StoreError::Unavailable(format!("thread {name}: {error}")))
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("a thread of the store had died");
    }
}

impl SqliteStore {
    /// Opens a store, and makes it where there is none: `path` is a directory (the file within is
    /// `crowdlink.db`) or a file (it exists, or its name ends in `.db`). A new directory has mode
    /// 0700, a new file 0600. Blocks; call it before the runtime is busy.
    ///
    /// # Errors
    /// `Refused` if the file belongs to another program or to a newer version of this one, or if an
    /// import into it has not ended; `Unavailable` if it cannot be opened.
    pub fn open(
        path: impl AsRef<Path>,
        clock: Arc<dyn Clock>,
        options: SqliteOptions,
    ) -> Result<Arc<Self>, StoreError> {
        let path = files::database_path(path.as_ref());
        loading::refuse_unfinished(&path)?;
        files::create_directory_of(&path)?;
        files::create_file(&path)?;
        let connection = schema::open_writer(&path, &options)?;
        let checkpointer = schema::open_checkpointer(&path, &options)?;
        let (readers, mut threads) = Readers::start(&path, &options)?;
        let (wake, woken) = sync_channel(1);
        let restart = Restart::default();
        let asked = (wake.clone(), restart.clone());
        let (writer, thread_) = Writer::start(connection, Arc::clone(&clock), &options, asked)?;
        threads.push(thread_);
        let checkpoints = options.clone();
        let last = thread("store-checkpointer", move || {
            checkpoint::run(&checkpointer, &woken, &restart, &checkpoints);
        })?;
        Ok(Arc::new(Self {
            path,
            clock,
            options,
            writer,
            readers,
            threads: Mutex::new(threads),
            last: Mutex::new(Some((wake, last))),
        }))
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Transactions written so far. With many callers at once it grows far slower than the number
    /// of commits: they share transactions.
    pub fn transactions(&self) -> u64 {
        self.writer.transactions()
    }

    /// The settings in force on the connection that writes.
    pub async fn durability(&self) -> Result<Durability, StoreError> {
        self.writer.durability().await
    }

    /// Takes no more calls, does those that wait, moves the whole log into the database and closes
    /// it. Calls made later are answered `Unavailable`.
    pub async fn close(&self) {
        self.writer.close();
        self.readers.close();
        let threads = std::mem::take(&mut *self.threads.lock());
        let last = self.last.lock().take();
        let joined = tokio::task::spawn_blocking(move || {
            threads.into_iter().for_each(join);
            if let Some((wake, thread)) = last {
                drop(wake);
                join(thread);
            }
        });
        if let Err(error) = joined.await {
            tracing::error!(%error, "close was not waited for");
        }
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&rusqlite::Connection, i64) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let clock = Arc::clone(&self.clock);
        self.readers
            .read(move |connection| read(connection, clock.now_ms()))
            .await
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn get(&self, key: &str) -> Result<Option<Record>, StoreError> {
        bounds::key(key)?;
        let key = key.to_owned();
        self.read(move |connection, now_ms| query::get(connection, now_ms, &key))
            .await
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Record>>, StoreError> {
        bounds::keys(keys)?;
        let keys = keys.to_vec();
        self.read(move |connection, now_ms| query::get_many(connection, now_ms, &keys))
            .await
    }

    async fn scan(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        bounds::scan(prefix, after)?;
        let prefix = prefix.to_owned();
        let after = after.map(str::to_owned);
        let limit = limit.min(SCAN_PAGE_RECORDS_MAX);
        self.read(move |connection, now_ms| {
            query::scan(connection, now_ms, &prefix, after.as_deref(), limit)
        })
        .await
    }

    async fn commit(&self, commit: Commit) -> Result<u64, StoreError> {
        let bytes = bounds::commit(&commit)?;
        self.writer.commit(commit, bytes).await
    }

    async fn sweep(&self, limit: usize) -> Result<usize, StoreError> {
        self.writer.sweep(limit.min(BATCH_ITEMS_MAX)).await
    }

    /// Reads, and writes an empty commit to the disk.
    async fn ping(&self) -> Result<(), StoreError> {
        self.read(|connection, now_ms| query::get(connection, now_ms, "ping"))
            .await?;
        self.commit(Commit::new()).await?;
        Ok(())
    }
}
