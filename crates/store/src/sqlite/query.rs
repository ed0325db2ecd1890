//! Reads in SQL.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row};

use super::schema::unavailable;
use crate::bounds;
use crate::contract::{Entry, Record, StoreError};
use crate::prefix::successor;

const GET: &str = "SELECT value, version, expires_at_ms FROM records \
     WHERE key = ?1 AND (expires_at_ms IS NULL OR expires_at_ms > ?2)";
// The plus keeps the index on expiry out: pages come in the order of the primary key.
const SCAN_TO_END: &str = "SELECT value, version, expires_at_ms, key FROM records \
     WHERE key >= ?1 AND (+expires_at_ms IS NULL OR +expires_at_ms > ?2) ORDER BY key LIMIT ?3";
const SCAN: &str = "SELECT value, version, expires_at_ms, key FROM records \
     WHERE key >= ?1 AND (+expires_at_ms IS NULL OR +expires_at_ms > ?2) AND key < ?4 \
     ORDER BY key LIMIT ?3";

fn record(row: &Row<'_>) -> Result<Record, rusqlite::Error> {
    let value = row.get_ref(0)?.as_bytes()?;
    let version: i64 = row.get(1)?;
    Ok(Record {
        value: Bytes::copy_from_slice(value),
        version: version.unsigned_abs(),
        expires_at_ms: row.get(2)?,
    })
}

/// One statement, one snapshot.
pub(super) fn get(
    connection: &Connection,
    now_ms: i64,
    key: &str,
) -> Result<Option<Record>, StoreError> {
    connection
        .prepare_cached(GET)
        .and_then(|mut statement| statement.query_row((key, now_ms), record).optional())
        .map_err(unavailable)
}

/// A read transaction: what is read in it is of one moment. Its statements are kept prepared, where
/// those of the library's transactions are parsed each time.
struct Snapshot<'a>(&'a Connection);

impl<'a> Snapshot<'a> {
    fn begin(connection: &'a Connection) -> Result<Self, rusqlite::Error> {
        connection.prepare_cached("BEGIN")?.execute([])?;
        Ok(Self(connection))
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        let ended = self
            .0
            .prepare_cached("COMMIT")
            .and_then(|mut statement| statement.execute([]));
        if let Err(error) = ended {
            tracing::error!(%error, "a read transaction could not be ended");
        }
    }
}

/// Several statements in one read transaction, hence one snapshot.
pub(super) fn get_many(
    connection: &Connection,
    now_ms: i64,
    keys: &[String],
) -> Result<Vec<Option<Record>>, StoreError> {
    if let [key] = keys {
        return Ok(vec![get(connection, now_ms, key)?]);
    }
    let _snapshot = Snapshot::begin(connection).map_err(unavailable)?;
    let mut answer = bounds::Answer::default();
    let mut records = Vec::with_capacity(keys.len());
    for key in keys {
        let record = get(connection, now_ms, key)?;
        answer.add(record.as_ref().map_or(0, |record| record.value.len()))?;
        records.push(record);
    }
    Ok(records)
}

/// One statement, one snapshot.
pub(super) fn scan(
    connection: &Connection,
    now_ms: i64,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Entry>, StoreError> {
    let from = match after {
        // No text lies between a key and the same key with a NUL behind it.
        Some(after) if after >= prefix => format!("{after}\0"),
        _ => prefix.to_owned(),
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let end = successor(prefix);
    let sql = if end.is_some() { SCAN } else { SCAN_TO_END };
    let mut statement = connection.prepare_cached(sql).map_err(unavailable)?;
    let mut rows = match end {
        Some(end) => statement.query((from, now_ms, limit, end)),
        None => statement.query((from, now_ms, limit)),
    }
    .map_err(unavailable)?;
    let mut answer = bounds::Answer::default();
    let mut page = Vec::new();
    while let Some(row) = rows.next().map_err(unavailable)? {
        let record = record(row).map_err(unavailable)?;
        answer.add(record.value.len())?;
        let key = row.get(3).map_err(unavailable)?;
        page.push(Entry { key, record });
    }
    Ok(page)
}
