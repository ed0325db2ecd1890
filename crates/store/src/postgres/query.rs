//! Reads and sweeps in SQL: what is asked, and what the rows mean.

use bytes::Bytes;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};

use super::session::Session;
use super::trouble::unavailable;
use crate::bounds;
use crate::contract::{Entry, READ_BYTES_MAX, Record, StoreError};
use crate::prefix::successor;

const GET: &str = "SELECT value, version, expires_at_ms FROM crowdlink.records \
     WHERE key = $1 AND (expires_at_ms IS NULL OR expires_at_ms > $2)";
// The sum is of what comes before, too: once it is too large no value is sent any more.
const GET_MANY: &str = "SELECT CASE WHEN bytes <= $3 THEN value END, version, expires_at_ms, place \
     FROM (SELECT *, sum(octet_length(value)) OVER (ROWS UNBOUNDED PRECEDING) AS bytes \
       FROM unnest($1::text[]) WITH ORDINALITY AS asked (key, place) \
       JOIN crowdlink.records USING (key) \
       WHERE expires_at_ms IS NULL OR expires_at_ms > $2) AS found";
const SCAN: &str = "SELECT CASE WHEN bytes <= $3 THEN value END, version, expires_at_ms, key \
     FROM (SELECT *, sum(octet_length(value)) OVER (ROWS UNBOUNDED PRECEDING) AS bytes \
       FROM (SELECT * FROM crowdlink.records \
         WHERE key >= $1 AND (expires_at_ms IS NULL OR expires_at_ms > $2) \
         AND key > $4 AND key < $6 ORDER BY key LIMIT $5) AS page) AS found \
     ORDER BY key";
const SCAN_TO_END: &str = "SELECT CASE WHEN bytes <= $3 THEN value END, version, expires_at_ms, key \
     FROM (SELECT *, sum(octet_length(value)) OVER (ROWS UNBOUNDED PRECEDING) AS bytes \
       FROM (SELECT * FROM crowdlink.records \
         WHERE key >= $1 AND (expires_at_ms IS NULL OR expires_at_ms > $2) \
         AND key > $4 ORDER BY key LIMIT $5) AS page) AS found \
     ORDER BY key";
// Locked rows are passed over, so a sweep waits for nobody, and commits wait for it at most as long
// as it takes to remove one batch. What was written anew meanwhile is looked at again.
const SWEEP: &str = "DELETE FROM crowdlink.records WHERE key = ANY (ARRAY( \
       SELECT key FROM crowdlink.records \
       WHERE expires_at_ms IS NOT NULL AND expires_at_ms <= $1 \
       ORDER BY expires_at_ms LIMIT $2 FOR UPDATE SKIP LOCKED)) \
     AND expires_at_ms IS NOT NULL AND expires_at_ms <= $1 RETURNING true";
const DURABILITY: &str = "SELECT current_setting('synchronous_commit'), current_setting('fsync'), \
     current_setting('full_page_writes')";

/// The prepared statements of a connection that reads.
#[derive(Debug)]
pub(super) struct ReadStatements {
    get: Statement,
    get_many: Statement,
    scan: Statement,
    scan_to_end: Statement,
    sweep: Statement,
    durability: Statement,
}

impl ReadStatements {
    pub(super) async fn prepare(client: &Client) -> Result<Self, StoreError> {
        let (get, get_many, scan, scan_to_end, sweep, durability) = futures::try_join!(
            client.prepare(GET),
            client.prepare(GET_MANY),
            client.prepare(SCAN),
            client.prepare(SCAN_TO_END),
            client.prepare(SWEEP),
            client.prepare(DURABILITY),
        )
        .map_err(unavailable)?;
        Ok(Self {
            get,
            get_many,
            scan,
            scan_to_end,
            sweep,
            durability,
        })
    }
}

/// One statement, hence one snapshot.
#[derive(Debug)]
pub(super) enum Ask<'a> {
    Get {
        key: &'a str,
        now_ms: i64,
    },
    GetMany {
        keys: &'a [String],
        now_ms: i64,
    },
    Scan {
        prefix: &'a str,
        /// Empty is before every key.
        after: &'a str,
        limit: usize,
        now_ms: i64,
    },
    /// Records that expired at this time or before.
    Sweep {
        until_ms: i64,
        limit: usize,
    },
    Durability,
}

impl Ask<'_> {
    /// The rows of the answer.
    pub(super) async fn send(&self, session: &Session<ReadStatements>) -> Result<Vec<Row>, Error> {
        let Session {
            client, statements, ..
        } = session;
        let bytes_max = i64::try_from(READ_BYTES_MAX).unwrap_or(i64::MAX);
        match self {
            Self::Get { key, now_ms } => client.query(&statements.get, &[key, now_ms]).await,
            Self::GetMany { keys, now_ms } => {
                let asked: [&(dyn ToSql + Sync); 3] = [keys, now_ms, &bytes_max];
                client.query(&statements.get_many, &asked).await
            }
            Self::Scan {
                prefix,
                after,
                limit,
                now_ms,
            } => {
                let limit = rows(*limit);
                let asked: [&(dyn ToSql + Sync); 5] = [prefix, now_ms, &bytes_max, after, &limit];
                match successor(prefix) {
                    Some(end) => {
                        let [prefix, now_ms, bytes_max, after, limit] = asked;
                        let asked = [prefix, now_ms, bytes_max, after, limit, &end];
                        client.query(&statements.scan, &asked).await
                    }
                    None => client.query(&statements.scan_to_end, &asked).await,
                }
            }
            Self::Sweep { until_ms, limit } => {
                client
                    .query(&statements.sweep, &[until_ms, &rows(*limit)])
                    .await
            }
            Self::Durability => client.query(&statements.durability, &[]).await,
        }
    }
}

fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// The record of a row that begins with value, version and expiry.
pub(super) fn record(row: &Row, answer: &mut bounds::Answer) -> Result<Record, StoreError> {
    let value: Option<&str> = row.try_get(0).map_err(unavailable)?;
    // A value that was not sent stands for more bytes than may be sent.
    answer.add(value.map_or(usize::MAX, str::len))?;
    let version: i64 = row.try_get(1).map_err(unavailable)?;
    Ok(Record {
        value: Bytes::copy_from_slice(value.unwrap_or_default().as_bytes()),
        version: version.unsigned_abs(),
        expires_at_ms: row.try_get(2).map_err(unavailable)?,
    })
}

/// The answer of [`Ask::GetMany`], in the order of `count` keys.
pub(super) fn in_order(rows: &[Row], count: usize) -> Result<Vec<Option<Record>>, StoreError> {
    let mut answer = bounds::Answer::default();
    let mut records = vec![None; count];
    for row in rows {
        let record = record(row, &mut answer)?;
        let place: i64 = row.try_get(3).map_err(unavailable)?;
        let at = usize::try_from(place - 1).unwrap_or(usize::MAX);
        if let Some(slot) = records.get_mut(at) {
            *slot = Some(record);
        }
    }
    Ok(records)
}

/// The answer of [`Ask::Scan`].
pub(super) fn page(rows: &[Row]) -> Result<Vec<Entry>, StoreError> {
    let mut answer = bounds::Answer::default();
    rows.iter()
        .map(|row| {
            Ok(Entry {
                record: record(row, &mut answer)?,
                key: row.try_get(3).map_err(unavailable)?,
            })
        })
        .collect()
}
