//! Commits in SQL: the checks and writes of a group, in one transaction.

use rusqlite::{CachedStatement, Connection, OptionalExtension, Transaction, TransactionBehavior};

use super::schema::unavailable;
use crate::bounds;
use crate::clock::Clock;
use crate::contract::{Check, Commit, StoreError, Write};

const REVISION: &str = "SELECT value FROM meta WHERE name = 'revision'";
const SET_REVISION: &str = "UPDATE meta SET value = ?1 WHERE name = 'revision'";
const VERSION: &str = "SELECT version FROM records \
     WHERE key = ?1 AND (expires_at_ms IS NULL OR expires_at_ms > ?2)";
const PUT: &str = "INSERT INTO records (key, value, version, expires_at_ms) \
     VALUES (?1, ?2, ?3, ?4) ON CONFLICT (key) DO UPDATE SET value = excluded.value, \
     version = excluded.version, expires_at_ms = excluded.expires_at_ms";
const DELETE: &str = "DELETE FROM records WHERE key = ?1";
const SWEEP: &str = "DELETE FROM records WHERE key IN (SELECT key FROM records \
     INDEXED BY records_by_expiry \
     WHERE expires_at_ms IS NOT NULL AND expires_at_ms <= ?1 ORDER BY expires_at_ms LIMIT ?2)";

/// What became of each commit of a group: its revision, or the condition that failed.
pub(super) type Outcomes = Vec<Result<u64, StoreError>>;

/// Applies commits in order in one transaction, each seeing those before it. An error means that
/// none of them happened, or that nobody can tell (the log could not be synced).
pub(super) fn group<'a>(
    connection: &mut Connection,
    clock: &dyn Clock,
    commits: impl Iterator<Item = &'a Commit>,
) -> Result<Outcomes, StoreError> {
    // Immediate: the revision must not move between reading and writing it, also when another
    // process writes to the same file.
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(unavailable)?;
    let before: i64 = transaction
        .prepare_cached(REVISION)
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
        .map_err(unavailable)?;
    let mut revision = before;
    let mut outcomes = Outcomes::new();
    let mut statements = Statements::of(&transaction).map_err(unavailable)?;
    for commit in commits {
        outcomes.push(statements.apply(clock.now_ms(), commit, &mut revision)?);
    }
    drop(statements);
    if revision != before {
        transaction
            .prepare_cached(SET_REVISION)
            .and_then(|mut statement| statement.execute([revision]))
            .map_err(unavailable)?;
        transaction.commit().map_err(unavailable)?;
    }
    Ok(outcomes)
}

/// What a group runs over and over, looked up once.
struct Statements<'t> {
    version: CachedStatement<'t>,
    put: CachedStatement<'t>,
    delete: CachedStatement<'t>,
}

impl<'t> Statements<'t> {
    fn of(transaction: &'t Transaction<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            version: transaction.prepare_cached(VERSION)?,
            put: transaction.prepare_cached(PUT)?,
            delete: transaction.prepare_cached(DELETE)?,
        })
    }

    /// The outer error fails the group; the inner one is a conflict of this commit alone. All checks
    /// come before the first write, so a conflict has written nothing.
    fn apply(
        &mut self,
        now_ms: i64,
        commit: &Commit,
        revision: &mut i64,
    ) -> Result<Result<u64, StoreError>, StoreError> {
        for check in &commit.checks {
            if !self.holds(now_ms, check).map_err(unavailable)? {
                let key = check.key.clone();
                return Ok(Err(StoreError::Conflict { key }));
            }
        }
        let next = revision
            .checked_add(1)
            .ok_or_else(|| StoreError::Unavailable("revisions are used up".into()))?;
        for write in &commit.writes {
            self.write(next, write)?;
        }
        *revision = next;
        Ok(Ok(next.unsigned_abs()))
    }

    fn holds(&mut self, now_ms: i64, check: &Check) -> Result<bool, rusqlite::Error> {
        let version: Option<i64> = self
            .version
            .query_row((&check.key, now_ms), |row| row.get(0))
            .optional()?;
        Ok(check.expect.holds(version.map(i64::cast_unsigned)))
    }

    fn write(&mut self, revision: i64, write: &Write) -> Result<(), StoreError> {
        match write {
            Write::Put {
                key,
                value,
                expires_at_ms,
            } => {
                let text = bounds::utf8(value)?;
                self.put.execute((key, text, revision, expires_at_ms))
            }
            Write::Delete { key } => self.delete.execute([key]),
        }
        .map_err(unavailable)?;
        Ok(())
    }
}

/// Removes up to `limit` expired records, longest dead first.
pub(super) fn sweep(
    connection: &mut Connection,
    clock: &dyn Clock,
    limit: usize,
) -> Result<usize, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    connection
        .prepare_cached(SWEEP)
        .and_then(|mut statement| statement.execute((clock.now_ms(), limit)))
        .map_err(unavailable)
}
