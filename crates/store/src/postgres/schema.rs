//! The tables, how they came to be, and what the database must be like.

use tokio_postgres::Client;

use super::trouble::{text, unavailable};
use crate::contract::StoreError;

/// What leads from each schema to the next; the number of the schema is how many there are. What
/// was released is never changed. Nodes of the schema before must be able to go on: they are
/// replaced one after the other.
pub(super) const STEPS: &[&str] = &["
    CREATE TABLE crowdlink.records (
        key text COLLATE \"C\" PRIMARY KEY,
        value text NOT NULL,
        version bigint NOT NULL,
        expires_at_ms bigint
    ) WITH (fillfactor = 90);
    CREATE INDEX records_by_expiry ON crowdlink.records (expires_at_ms)
        WHERE expires_at_ms IS NOT NULL;
    INSERT INTO crowdlink.meta VALUES ('revision', 0);
"];
/// The schema itself, and `meta`: room on its page keeps updates of the revision there.
const CREATE: &str = "
    CREATE SCHEMA IF NOT EXISTS crowdlink;
    CREATE TABLE crowdlink.meta (
        name text PRIMARY KEY,
        value bigint NOT NULL
    ) WITH (fillfactor = 10);
";
/// Taken while the schema is made or changed: \"CROWDLNK\".
const LOCK: i64 = 0x4352_4f57_444c_4e4b;
/// How long to wait for another node that makes or changes the schema, in ms.
const MIGRATION_LOCK_MS_MAX: u64 = 60_000;
/// The oldest release in which each of several statements sent together has its own time-out.
const SERVER_VERSION_MIN: i32 = 130_000;

const ABOUT: &str = "SELECT current_setting('server_encoding'), \
     current_setting('server_version_num')::int, current_setting('server_version')";
const FIND: &str = "SELECT to_regclass('crowdlink.meta') IS NOT NULL, \
     EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace('crowdlink'))";
const SCHEMA: &str = "SELECT value FROM crowdlink.meta WHERE name = 'schema'";
const SET_SCHEMA: &str = "INSERT INTO crowdlink.meta VALUES ('schema', $1) \
     ON CONFLICT (name) DO UPDATE SET value = excluded.value";

fn refused<T>(why: String) -> Result<T, StoreError> {
    Err(StoreError::Refused(why))
}

/// Refuses a database that cannot hold what the contract promises.
pub(super) async fn examine(client: &Client) -> Result<(), StoreError> {
    let row = client.query_one(ABOUT, &[]).await.map_err(unavailable)?;
    let encoding: &str = row.try_get(0).map_err(unavailable)?;
    let number: i32 = row.try_get(1).map_err(unavailable)?;
    let version: &str = row.try_get(2).map_err(unavailable)?;
    if encoding != "UTF8" {
        return refused(format!(
            "the database is encoded in {encoding}, which cannot hold every text: make one with \
             createdb --encoding=UTF8 --template=template0"
        ));
    }
    if number < SERVER_VERSION_MIN {
        return refused(format!(
            "PostgreSQL {version} is too old: 13 or newer is needed"
        ));
    }
    Ok(())
}

/// The schema there is; `None` where there is none.
async fn find(client: &Client) -> Result<Option<i64>, StoreError> {
    let row = client.query_one(FIND, &[]).await.map_err(unavailable)?;
    let has_meta: bool = row.try_get(0).map_err(unavailable)?;
    let has_any: bool = row.try_get(1).map_err(unavailable)?;
    if !has_meta {
        if has_any {
            return refused("its schema named crowdlink is not a Crowdlink store".into());
        }
        return Ok(None);
    }
    let row = client
        .query_opt(SCHEMA, &[])
        .await
        .map_err(|error| StoreError::Refused(format!("not a Crowdlink store: {}", text(&error))))?;
    match row {
        Some(row) => row.try_get(0).map(Some).map_err(unavailable),
        None => refused("not a Crowdlink store: crowdlink.meta names no schema".into()),
    }
}

fn known(schema: i64, steps: &[&str]) -> Result<usize, StoreError> {
    match usize::try_from(schema) {
        Ok(done) if done <= steps.len() => Ok(done),
        _ => refused(format!(
            "written by a newer Crowdlink (schema {schema}, this one knows {}): upgrade first",
            steps.len()
        )),
    }
}

/// Refuses a store that is not there, or is newer than this program.
pub(super) async fn check(client: &Client) -> Result<(), StoreError> {
    match find(client).await? {
        Some(schema) => known(schema, STEPS).map(|_| ()),
        None => refused("there is no Crowdlink store in this database".into()),
    }
}

/// Makes the tables where there are none, and brings old ones up to date.
pub(super) async fn migrate(client: &mut Client) -> Result<(), StoreError> {
    migrate_to(client, STEPS).await
}

/// As [`migrate`], to a schema of other steps.
pub(super) async fn migrate_to(client: &mut Client, steps: &[&str]) -> Result<(), StoreError> {
    // Looked at without the lock first: at nearly every start nothing is to be done.
    if let Some(schema) = find(client).await?
        && known(schema, steps)? == steps.len()
    {
        return Ok(());
    }
    let transaction = client.transaction().await.map_err(no_right)?;
    transaction
        .batch_execute(&format!(
            "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = {MIGRATION_LOCK_MS_MAX}; \
             SELECT pg_advisory_xact_lock({LOCK})"
        ))
        .await
        .map_err(unavailable)?;
    // Asked again under the lock: another node may have been faster.
    let done = if let Some(schema) = find(transaction.client()).await? {
        known(schema, steps)?
    } else {
        transaction.batch_execute(CREATE).await.map_err(no_right)?;
        0
    };
    for step in steps.iter().skip(done) {
        transaction.batch_execute(step).await.map_err(no_right)?;
    }
    let schema = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    transaction
        .execute(SET_SCHEMA, &[&schema])
        .await
        .map_err(no_right)?;
    transaction.commit().await.map_err(unavailable)?;
    tracing::info!(
        from = done,
        to = schema,
        "the tables of the store were made"
    );
    Ok(())
}

fn no_right(error: tokio_postgres::Error) -> StoreError {
    if error.code() == Some(&tokio_postgres::error::SqlState::INSUFFICIENT_PRIVILEGE) {
        return StoreError::Refused(format!(
            "{}: the tables are made by a user who may create schemas in the database \
             (GRANT CREATE ON DATABASE … TO …)",
            text(&error)
        ));
    }
    unavailable(error)
}

/// What the engine relies on to survive power loss, as PostgreSQL itself reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresDurability {
    /// `on` or `remote_apply`: a commit is answered once it is on the disk, and on the standbys
    /// that the database is told to wait for.
    pub synchronous_commit: String,
    /// Whether the database syncs its files. Without it a power loss may destroy all data.
    pub fsync: bool,
    /// Whether a page torn by a power loss can be mended.
    pub full_page_writes: bool,
}

impl PostgresDurability {
    /// Reads what [`super::query::Ask::Durability`] answered.
    pub(super) fn of(row: &tokio_postgres::Row) -> Result<Self, tokio_postgres::Error> {
        let is_on = |column| row.try_get(column).map(|value: &str| value == "on");
        Ok(Self {
            synchronous_commit: row.try_get(0)?,
            fsync: is_on(1)?,
            full_page_writes: is_on(2)?,
        })
    }

    /// Tells the operator what is at stake. The setting is theirs: machines differ, and so do data.
    pub(super) fn warn(&self) {
        if !self.fsync {
            tracing::warn!(
                "PostgreSQL runs with fsync=off: a power loss may destroy every record; \
                 set fsync=on unless the data may be lost"
            );
        }
        if !self.full_page_writes {
            tracing::warn!(
                "PostgreSQL runs with full_page_writes=off: a power loss may damage records; \
                 set it on unless the file system never tears a page"
            );
        }
    }
}
