//! A group of commits in two round trips: look under the lock, then write and commit.

use std::collections::{BTreeSet, HashMap};

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};

use super::options::{PostgresOptions, extra_ms};
use super::plan::{Change, Found, Plan};
use super::session::Session;
use super::trouble::{session_ended, text, unavailable};
use crate::bounds;
use crate::clock::Clock;
use crate::contract::{Commit, StoreError};

/// Whatever the database's default is: a statement must see what was committed before it got the
/// lock, and a transaction of one snapshot would not.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
/// Takes the lock that makes the commits of all nodes serial, and as many revisions as may be used.
const RESERVE: &str = "UPDATE crowdlink.meta SET value = value + $1 WHERE name = 'revision' \
     RETURNING value - $1";
const FIND: &str = "SELECT key, version, expires_at_ms FROM crowdlink.records WHERE key = ANY ($1)";
const PUT: &str = "INSERT INTO crowdlink.records (key, value, version, expires_at_ms) \
     SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) \
     ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = excluded.version, \
     expires_at_ms = excluded.expires_at_ms";
const DELETE: &str = "DELETE FROM crowdlink.records WHERE key = ANY ($1)";
/// The database takes the time-out of statements off before it waits for its disk and standbys.
const COMMIT: &str = "COMMIT";
const ROLLBACK: &str = "ROLLBACK";

/// The prepared statements of the connection that writes.
#[derive(Debug)]
pub(super) struct WriteStatements {
    reserve: Statement,
    find: Statement,
    put: Statement,
    delete: Statement,
}

impl WriteStatements {
    pub(super) async fn prepare(client: &Client) -> Result<Self, StoreError> {
        let (reserve, find, put, delete) = futures::try_join!(
            client.prepare(RESERVE),
            client.prepare(FIND),
            client.prepare(PUT),
            client.prepare(DELETE),
        )
        .map_err(unavailable)?;
        Ok(Self {
            reserve,
            find,
            put,
            delete,
        })
    }
}

/// What became of each commit of a group: its revision, or the condition that failed.
pub(super) type Outcomes = Vec<Result<u64, StoreError>>;

/// Why a group has no outcomes. The session is of no use afterwards.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing was written, for the session had ended before: another may be tried.
    Stale(StoreError),
    /// The group failed, or nobody can tell.
    Failed(StoreError),
}

/// What begins the transaction of a group of so many bytes.
pub(super) fn begin(bytes: usize, options: &PostgresOptions) -> String {
    let extra_ms = extra_ms(bytes);
    if extra_ms == 0 {
        return BEGIN.into();
    }
    // The database counts a session as idle as long as a statement has not arrived whole.
    format!(
        "{BEGIN}; SET LOCAL idle_in_transaction_session_timeout = {}; \
         SET LOCAL statement_timeout = {}",
        options.idle_ms_max.saturating_add(extra_ms),
        options.answer_ms_max.saturating_add(extra_ms),
    )
}

/// Applies commits in order in one transaction, each seeing those before it.
pub(super) async fn group(
    session: &Session<WriteStatements>,
    clock: &dyn Clock,
    commits: &[&Commit],
    begin: &str,
) -> Result<Outcomes, Failure> {
    let (revision, found) = look(session, commits, begin).await.map_err(|error| {
        if session_ended(&error) {
            Failure::Stale(unavailable(error))
        } else {
            Failure::Failed(unavailable(error))
        }
    })?;
    let mut plan = Plan::new(revision, found);
    let outcomes = commits
        .iter()
        .map(|commit| plan.judge(commit, clock.now_ms()))
        .collect();
    if plan.is_void() {
        // The answers stand, whatever becomes of this.
        if let Err(error) = session.client.batch_execute(ROLLBACK).await {
            tracing::debug!(
                error = text(&error),
                "a transaction without writes was not ended"
            );
        }
        return Ok(outcomes);
    }
    write(session, &plan).await.map_err(Failure::Failed)?;
    Ok(outcomes)
}

/// The first round trip: the lock, the last revision used, and what stands under the keys that are
/// checked. The statements are sent together; futures send in the order in which they are joined.
pub(super) async fn look(
    session: &Session<WriteStatements>,
    commits: &[&Commit],
    begin: &str,
) -> Result<(i64, HashMap<String, Found>), Error> {
    let Session {
        client, statements, ..
    } = session;
    let checks = commits.iter().flat_map(|commit| &commit.checks);
    let keys: BTreeSet<_> = checks.map(|check| check.key.as_str()).collect();
    let keys: Vec<_> = keys.into_iter().collect();
    let count = i64::try_from(commits.len()).unwrap_or(i64::MAX);
    let find = async {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        client.query(&statements.find, &[&keys]).await
    };
    let reserve: [&(dyn ToSql + Sync); 1] = [&count];
    let (begun, reserved, found) = futures::join!(
        client.batch_execute(begin),
        client.query_one(&statements.reserve, &reserve),
        find,
    );
    begun?;
    let revision = reserved?.try_get(0)?;
    let found = found?.iter().map(version_of).collect::<Result<_, _>>()?;
    Ok((revision, found))
}

fn version_of(row: &Row) -> Result<(String, Found), Error> {
    Ok((row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?)))
}

/// What is written, a column at a time.
#[derive(Default)]
struct Columns<'a> {
    keys: Vec<&'a str>,
    values: Vec<&'a str>,
    versions: Vec<i64>,
    expiries: Vec<Option<i64>>,
    deleted: Vec<&'a str>,
}

impl<'a> Columns<'a> {
    fn of(plan: &Plan<'a>) -> Result<Self, StoreError> {
        let mut columns = Self::default();
        for (key, change) in plan.changes() {
            match change {
                Change::Put {
                    value,
                    version,
                    expires_at_ms,
                } => {
                    let value = bounds::utf8(value)?;
                    columns.keys.push(key);
                    columns.values.push(value);
                    columns.versions.push(version);
                    columns.expiries.push(expires_at_ms);
                }
                Change::Delete => columns.deleted.push(key),
            }
        }
        Ok(columns)
    }
}

/// The second round trip. Only if all three succeed has anything happened for certain: a `COMMIT`
/// after a failed statement rolls back and calls that a success.
async fn write(session: &Session<WriteStatements>, plan: &Plan<'_>) -> Result<(), StoreError> {
    let Session {
        client, statements, ..
    } = session;
    let columns = Columns::of(plan)?;
    let put = async {
        if columns.keys.is_empty() {
            return Ok(0);
        }
        let Columns {
            keys,
            values,
            versions,
            expiries,
            ..
        } = &columns;
        let columns: [&(dyn ToSql + Sync); 4] = [keys, values, versions, expiries];
        client.execute(&statements.put, &columns).await
    };
    let delete = async {
        if columns.deleted.is_empty() {
            return Ok(0);
        }
        client
            .execute(&statements.delete, &[&columns.deleted])
            .await
    };
    let (put, deleted, committed) = futures::join!(put, delete, client.batch_execute(COMMIT));
    put.and(deleted)
        .map(|_| ())
        .and(committed)
        .map_err(unavailable)
}
