//! A load into the embedded engine. A file beside the store's is filled and takes its place at the
//! end. While that file is there, no server opens the store: either the load goes on, or it
//! was broken off and somebody has to say what is to be.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::options::SqliteOptions;
use super::schema::{self, unavailable};
use super::{backup, bulk, files};
use crate::bounds;
use crate::bulk::{Load, check};
use crate::contract::{Entry, StoreError};

const SUFFIX: &str = ".importing";
/// Memory for pages while loading.
const CACHE_KIB: i64 = 32 * 1_024;
const INSERT: &str =
    "INSERT INTO records (key, value, version, expires_at_ms) VALUES (?1, ?2, ?3, ?4)";

/// Refuses a store that is being filled, or was when something went wrong.
pub(super) fn refuse_unfinished(path: &Path) -> Result<(), StoreError> {
    let part = files::beside(path, SUFFIX);
    if !part.exists() {
        return Ok(());
    }
    Err(StoreError::Refused(format!(
        "an import has not ended: let it end or run it again; to drop it and keep what was there \
         before, remove {}",
        part.display()
    )))
}

/// The file that is filled, and the lock that tells a load under way from one that was killed.
struct Part {
    path: PathBuf,
    lock: File,
    /// Left behind by a load that was killed: it says so until a load has come to its end.
    found: bool,
    published: bool,
}

impl Part {
    fn claim(path: PathBuf) -> Result<Self, StoreError> {
        let found = !files::create_file(&path)?;
        let lock = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .map_err(|error| files::failed(&path, &error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Refused(
                    "another import into this store is under way".into(),
                ));
            }
            Err(TryLockError::Error(error)) => return Err(files::failed(&path, &error)),
        }
        if !is_same(&lock, &path) {
            return Err(StoreError::Refused(
                "another import into this store has ended at this moment".into(),
            ));
        }
        Ok(Self {
            path,
            lock,
            found,
            published: false,
        })
    }

    /// Makes the file empty, whatever a killed load left in it.
    fn clear(&self) -> Result<(), StoreError> {
        for suffix in ["-journal", "-wal", "-shm"] {
            files::remove(&files::beside(&self.path, suffix))?;
        }
        self.lock
            .set_len(0)
            .map_err(|error| files::failed(&self.path, &error))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.published {
            return;
        }
        let _ = self.clear();
        if !self.found {
            let _ = files::remove(&self.path);
        }
    }
}

/// Whether an open file is still the one that has this name.
#[cfg(unix)]
fn is_same(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let id = |found: std::fs::Metadata| (found.dev(), found.ino());
    match (file.metadata(), path.metadata()) {
        (Ok(open), Ok(named)) => id(open) == id(named),
        _ => false,
    }
}

/// Elsewhere a file that is open keeps its name.
#[cfg(not(unix))]
fn is_same(_: &File, path: &Path) -> bool {
    path.exists()
}

/// A load into the embedded engine.
pub(super) struct Loading {
    /// `None` once something went wrong. Before `part`, so that it is closed first.
    connection: Option<Connection>,
    part: Part,
    path: PathBuf,
    options: SqliteOptions,
    replaced_revision: u64,
}

impl Loading {
    /// Blocks.
    pub(super) fn begin(
        path: PathBuf,
        options: SqliteOptions,
        replace: bool,
    ) -> Result<Self, StoreError> {
        files::create_directory_of(&path)?;
        // First of all: from here on no server opens the store.
        let part = Part::claim(files::beside(&path, SUFFIX))?;
        let replaced_revision = if path.exists() {
            look_at(&path, &options, replace)?
        } else {
            0
        };
        part.clear()?;
        let connection = make(&part.path, &options)?;
        Ok(Self {
            connection: Some(connection),
            part,
            path,
            options,
            replaced_revision,
        })
    }

    async fn with<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let broken = || StoreError::Unavailable("the load has failed before".into());
        let mut connection = self.connection.take().ok_or_else(broken)?;
        let done = tokio::task::spawn_blocking(move || {
            work(&mut connection).map(|answer| (connection, answer))
        });
        let (connection, answer) = done
            .await
            .map_err(|error| StoreError::Unavailable(error.to_string()))??;
        self.connection = Some(connection);
        Ok(answer)
    }

    fn publish(&mut self) -> Result<(), StoreError> {
        if let Some(connection) = self.connection.take() {
            connection
                .close()
                .map_err(|(_, error)| unavailable(error))?;
        }
        self.part
            .lock
            .sync_all()
            .map_err(|error| files::failed(&self.part.path, &error))?;
        if self.path.exists() {
            backup::retire(&self.path, &self.options)?;
        }
        files::publish_over(&self.part.path, &self.path)?;
        self.part.published = true;
        Ok(())
    }
}

/// The revision of the store that is to be replaced, if it may be.
fn look_at(path: &Path, options: &SqliteOptions, replace: bool) -> Result<u64, StoreError> {
    backup::let_go(path, options)?;
    let counted = schema::open_reader(path, options)
        .and_then(|store| bulk::count(&store).map_err(unavailable));
    match counted {
        Ok((_, records)) if records > 0 && !replace => Err(StoreError::Refused(format!(
            "{} holds {records} records already (--replace puts others in their place)",
            path.display()
        ))),
        Ok((revision, _)) => Ok(revision),
        // Damaged beyond opening may be the very reason to replace it.
        Err(_) if replace => Ok(0),
        Err(error) => Err(error),
    }
}

fn make(part: &Path, options: &SqliteOptions) -> Result<Connection, StoreError> {
    let mut connection = schema::connect(part, OpenFlags::SQLITE_OPEN_READ_WRITE, options)?;
    // Synced once, at the end; a load that is broken off is thrown away.
    connection
        .pragma_update(None, "synchronous", "OFF")
        .map_err(unavailable)?;
    connection
        .pragma_update_and_check(None, "journal_mode", "memory", |_| Ok(()))
        .map_err(unavailable)?;
    connection
        .pragma_update(None, "cache_size", -CACHE_KIB)
        .map_err(unavailable)?;
    schema::create(&mut connection)?;
    Ok(connection)
}

fn insert(connection: &mut Connection, entries: &[Entry]) -> Result<(), StoreError> {
    check(entries)?;
    let transaction = connection.transaction().map_err(unavailable)?;
    {
        let mut statement = transaction.prepare_cached(INSERT).map_err(unavailable)?;
        for Entry { key, record } in entries {
            let value = bounds::utf8(&record.value)?;
            let version = record.version.cast_signed();
            statement
                .execute((key, value, version, record.expires_at_ms))
                .map_err(|error| match error.sqlite_error_code() {
                    Some(ErrorCode::ConstraintViolation) => {
                        StoreError::Refused(format!("{key} was put before"))
                    }
                    _ => unavailable(error),
                })?;
        }
    }
    transaction.commit().map_err(unavailable)
}

#[async_trait]
impl Load for Loading {
    async fn put(&mut self, entries: Vec<Entry>) -> Result<(), StoreError> {
        self.with(move |connection| insert(connection, &entries))
            .await
    }

    async fn finish(mut self: Box<Self>, revision: u64) -> Result<(), StoreError> {
        let revision = i64::try_from(revision.max(self.replaced_revision))
            .map_err(|_| StoreError::Refused(format!("revision {revision} is too large")))?;
        self.with(move |connection| {
            connection
                .execute(
                    "UPDATE meta SET value = ?1 WHERE name = 'revision'",
                    [revision],
                )
                .map_err(unavailable)?;
            schema::check_integrity(connection)
        })
        .await?;
        tokio::task::spawn_blocking(move || self.publish())
            .await
            .unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())))
    }

    async fn abandon(self: Box<Self>) -> Result<(), StoreError> {
        tokio::task::spawn_blocking(move || drop(self))
            .await
            .map_err(|error| StoreError::Unavailable(error.to_string()))
    }
}
