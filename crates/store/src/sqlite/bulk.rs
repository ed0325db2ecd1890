//! The embedded engine as what everything is moved from, or to.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::{Connection, Row};
use tokio::sync::oneshot;

use super::loading::Loading;
use super::options::SqliteOptions;
use super::schema::{self, Identity, unavailable};
use super::{files, thread};
use crate::bulk::{Batch, Batches, Bulk, Load, Snapshot};
use crate::contract::{Entry, Record, StoreError};

const COUNT: &str =
    "SELECT (SELECT value FROM meta WHERE name = 'revision'), (SELECT count(*) FROM records)";
const ALL: &str = "SELECT key, value, version, expires_at_ms FROM records ORDER BY key";

/// A store in one SQLite file that nobody of this process need have open.
#[derive(Clone, Debug)]
pub struct SqliteBulk {
    path: PathBuf,
    options: SqliteOptions,
}

impl SqliteBulk {
    /// The store at a path, as for [`super::SqliteStore::open`]. Touches nothing.
    pub fn at(path: impl AsRef<Path>) -> Self {
        Self {
            path: files::database_path(path.as_ref()),
            options: SqliteOptions::default(),
        }
    }
}

#[async_trait]
impl Bulk for SqliteBulk {
    /// Held by a read transaction of a connection of its own. The write-ahead log grows until the
    /// snapshot was read or dropped.
    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let (path, options) = (self.path.clone(), self.options.clone());
        let (begin, begun) = oneshot::channel();
        thread("store-snapshot", move || {
            let connection = match open(&path, &options) {
                Ok(connection) => connection,
                Err(error) => {
                    let _ = begin.send(Err(error));
                    return;
                }
            };
            match count(&connection) {
                Ok((revision, records)) => {
                    let (batches, snapshot) = Snapshot::new(revision, records);
                    // Nobody waits for it any more.
                    if begin.send(Ok(snapshot)).is_ok() {
                        send_all(&connection, &batches);
                    }
                }
                Err(error) => {
                    let _ = begin.send(Err(unavailable(error)));
                }
            }
        })?;
        begun
            .await
            .unwrap_or_else(|_| Err(StoreError::Unavailable("the reader died".into())))
    }

    /// Fills a file beside the store's, which takes its place at the end.
    async fn begin_load(&self, replace: bool) -> Result<Box<dyn Load>, StoreError> {
        let (path, options) = (self.path.clone(), self.options.clone());
        let loading = tokio::task::spawn_blocking(move || Loading::begin(path, options, replace))
            .await
            .map_err(|error| StoreError::Unavailable(error.to_string()))??;
        Ok(Box::new(loading))
    }
}

/// A connection in a read transaction. It ends with the connection.
fn open(path: &Path, options: &SqliteOptions) -> Result<Connection, StoreError> {
    if !path.exists() {
        let why = format!("there is no store at {}", path.display());
        return Err(StoreError::Unavailable(why));
    }
    let connection = schema::open_reader(path, options)?;
    connection.execute_batch("BEGIN").map_err(unavailable)?;
    if schema::identify(&connection)? == Identity::Empty {
        return Err(StoreError::Refused("not a Crowdlink store: empty".into()));
    }
    Ok(connection)
}

/// The first read of the transaction: it fixes the moment.
pub(super) fn count(connection: &Connection) -> Result<(u64, u64), rusqlite::Error> {
    connection.query_row(COUNT, [], |row| {
        let (revision, records): (i64, i64) = (row.get(0)?, row.get(1)?);
        Ok((revision.unsigned_abs(), records.unsigned_abs()))
    })
}

fn send_all(connection: &Connection, batches: &Batches) {
    if let Err(error) = read_all(connection, batches) {
        let _ = batches.blocking_send(Err(unavailable(error)));
    }
}

fn read_all(connection: &Connection, batches: &Batches) -> Result<(), rusqlite::Error> {
    let mut statement = connection.prepare(ALL)?;
    let mut rows = statement.query([])?;
    let mut batch = Batch::default();
    while let Some(row) = rows.next()? {
        if batch.add(entry(row)?) && batches.blocking_send(Ok(batch.take())).is_err() {
            // Nobody takes the rest.
            return Ok(());
        }
    }
    if !batch.is_empty() {
        let _ = batches.blocking_send(Ok(batch.take()));
    }
    Ok(())
}

fn entry(row: &Row<'_>) -> Result<Entry, rusqlite::Error> {
    let version: i64 = row.get(2)?;
    Ok(Entry {
        key: row.get(0)?,
        record: Record {
            value: Bytes::copy_from_slice(row.get_ref(1)?.as_bytes()?),
            version: version.unsigned_abs(),
            expires_at_ms: row.get(3)?,
        },
    })
}
