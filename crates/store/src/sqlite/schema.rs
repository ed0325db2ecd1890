//! Connections, their settings, and the tables.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::options::SqliteOptions;
use crate::contract::StoreError;

/// The schema this program writes.
const SCHEMA: i64 = 1;
/// Marks a file as ours: "CRWD".
const APPLICATION_ID: i64 = 0x4352_5744;

/// Memory for pages on the connection that writes.
const WRITER_CACHE_KIB: i64 = 32 * 1_024;

const PAGE_BYTES: i64 = 4_096;

/// Pause between two looks at a database that is locked, in ms.
const BUSY_PAUSE_MS: u64 = 10;

const CREATE: &str = "
    CREATE TABLE records (
        key TEXT PRIMARY KEY NOT NULL,
        value TEXT NOT NULL,
        version INTEGER NOT NULL,
        expires_at_ms INTEGER
    ) WITHOUT ROWID, STRICT;
    CREATE INDEX records_by_expiry ON records (expires_at_ms) WHERE expires_at_ms IS NOT NULL;
    CREATE TABLE meta (name TEXT PRIMARY KEY NOT NULL, value INTEGER NOT NULL) WITHOUT ROWID, STRICT;
    INSERT INTO meta VALUES ('revision', 0);
";

/// An error of SQLite as callers see it. Its text never holds keys or values.
#[expect(clippy::needless_pass_by_value, reason = "the shape map_err wants")]
pub(super) fn unavailable(error: rusqlite::Error) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

/// What a file turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    Empty,
    Ours,
}

/// Tells an empty database from one of ours, and refuses everything else without touching it.
pub(super) fn identify(connection: &Connection) -> Result<Identity, StoreError> {
    if !connection.is_autocommit() {
        return identify_snapshot(connection);
    }
    // One snapshot: another process may be making the tables at this moment.
    let snapshot = connection.unchecked_transaction().map_err(unavailable)?;
    identify_snapshot(&snapshot)
}

fn identify_snapshot(connection: &Connection) -> Result<Identity, StoreError> {
    let id: i64 = connection
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(unreadable)?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(unreadable)?;
    if id == 0 && tables == 0 {
        return Ok(Identity::Empty);
    }
    if id != APPLICATION_ID {
        return Err(StoreError::Refused("not a Crowdlink store".into()));
    }
    let schema: i64 = connection
        .query_row("SELECT value FROM meta WHERE name = 'schema'", [], |row| {
            row.get(0)
        })
        .map_err(unavailable)?;
    if schema > SCHEMA {
        return Err(StoreError::Refused(format!(
            "written by a newer Crowdlink (schema {schema}, this one knows {SCHEMA}): upgrade first"
        )));
    }
    Ok(Identity::Ours)
}

fn unreadable(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => StoreError::Refused("not a database".into()),
        _ => unavailable(error),
    }
}

/// Opens the connection that writes, and makes the tables where there are none.
pub(super) fn open_writer(path: &Path, options: &SqliteOptions) -> Result<Connection, StoreError> {
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, options)?;
    identify(&connection)?;
    durable(&connection, options)?;
    // Pages of a large group stay in memory until its commit, else they are written twice.
    connection
        .pragma_update(None, "cache_size", -WRITER_CACHE_KIB)
        .map_err(unavailable)?;
    // What a long log leaves when it begins anew.
    let log_bytes = i64::from(options.truncate_pages) * PAGE_BYTES;
    connection
        .pragma_update_and_check(None, "journal_size_limit", log_bytes, |_| Ok(()))
        .map_err(unavailable)?;
    if let Some(pages) = options.database_pages_max {
        connection
            .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
            .map_err(unavailable)?;
    }
    create(&mut connection)?;
    Ok(connection)
}

/// Opens a connection that cannot write.
pub(super) fn open_reader(path: &Path, options: &SqliteOptions) -> Result<Connection, StoreError> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY, options)?;
    identify(&connection)?;
    Ok(connection)
}

/// Opens the connection that checkpoints.
pub(super) fn open_checkpointer(
    path: &Path,
    options: &SqliteOptions,
) -> Result<Connection, StoreError> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, options)?;
    identify(&connection)?;
    durable(&connection, options)?;
    Ok(connection)
}

/// Opens an existing file. The caller identifies it.
pub(super) fn connect(
    path: &Path,
    access: OpenFlags,
    options: &SqliteOptions,
) -> Result<Connection, StoreError> {
    // Each connection stays with one thread at a time, so SQLite need not lock it.
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(unavailable)?;
    let timeout = Duration::from_millis(options.busy_timeout_ms);
    connection.busy_timeout(timeout).map_err(unavailable)?;
    connection
        .pragma_update(None, "trusted_schema", false)
        .map_err(unavailable)?;
    Ok(connection)
}

/// The settings on which "acknowledged means durable" rests.
fn durable(connection: &Connection, options: &SqliteOptions) -> Result<(), StoreError> {
    let mode: String = until_free(options, || {
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
    })
    .map_err(unavailable)?;
    if mode != "wal" {
        return Err(StoreError::Unavailable(format!(
            "this file system cannot hold a write-ahead log (journal mode {mode})"
        )));
    }
    for (pragma, value) in [
        ("synchronous", "FULL"),
        // Without it a sync on macOS ends in the disk's cache.
        ("fullfsync", "ON"),
        ("checkpoint_fullfsync", "ON"),
    ] {
        connection
            .pragma_update(None, pragma, value)
            .map_err(unavailable)?;
    }
    connection
        .pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))
        .map_err(unavailable)
}

/// SQLite does not wait by itself where waiting might never end, as when two processes turn on the
/// log of a new database at the same moment. One of them will have done it when the other looks again.
fn until_free<T>(
    options: &SqliteOptions,
    mut attempt: impl FnMut() -> Result<T, rusqlite::Error>,
) -> Result<T, rusqlite::Error> {
    for _ in 0..options.busy_timeout_ms / BUSY_PAUSE_MS {
        match attempt() {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                std::thread::sleep(Duration::from_millis(BUSY_PAUSE_MS));
            }
            answer => return answer,
        }
    }
    attempt()
}

/// Makes the tables where there are none.
pub(super) fn create(connection: &mut Connection) -> Result<(), StoreError> {
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(unavailable)?;
    // Asked again under the lock: another process may have been faster.
    if identify(&transaction)? == Identity::Ours {
        return Ok(());
    }
    transaction.execute_batch(CREATE).map_err(unavailable)?;
    transaction
        .execute("INSERT INTO meta VALUES ('schema', ?1)", [SCHEMA])
        .map_err(unavailable)?;
    transaction
        .pragma_update(None, "application_id", APPLICATION_ID)
        .map_err(unavailable)?;
    transaction.commit().map_err(unavailable)
}

/// What the engine relies on to survive power loss, as SQLite itself reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Durability {
    /// `wal`.
    pub journal_mode: String,
    /// 2 is FULL: every commit syncs the log before it is answered.
    pub synchronous: i64,
    /// 0: checkpoints never run on the commit path.
    pub wal_autocheckpoint: i64,
}

/// Asks a connection for the settings in force.
pub(super) fn durability(connection: &Connection) -> Result<Durability, StoreError> {
    let number = |pragma| {
        connection
            .pragma_query_value(None, pragma, |row| row.get(0))
            .map_err(unavailable)
    };
    Ok(Durability {
        journal_mode: connection
            .pragma_query_value(None, "journal_mode", |row| row.get(0))
            .map_err(unavailable)?,
        synchronous: number("synchronous")?,
        wal_autocheckpoint: number("wal_autocheckpoint")?,
    })
}

/// Reads every page and index and answers whether all is whole.
pub(super) fn check_integrity(connection: &Connection) -> Result<(), StoreError> {
    let verdict: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(unreadable)?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(StoreError::Refused(format!("damaged: {verdict}")))
}
