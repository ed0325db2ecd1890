//! A load into the engine for clusters: one transaction, and a mark that says so until one has come
//! to its end. While the mark is there no node opens the store.

use async_trait::async_trait;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Statement};

use super::bulk;
use super::session::Session;
use super::trouble::unavailable;
use crate::bounds;
use crate::bulk::{Load, check};
use crate::contract::{Entry, StoreError};

const MARKED: &str = "SELECT EXISTS (SELECT FROM crowdlink.meta WHERE name = 'importing')";
const MARK: &str = "INSERT INTO crowdlink.meta VALUES ('importing', 1) ON CONFLICT DO NOTHING";
const UNMARK: &str = "DELETE FROM crowdlink.meta WHERE name = 'importing'";
/// Held by the session of a load, so that one under way is told from one that was killed: "CROWIMPT".
const LOCK: &str = "SELECT pg_try_advisory_lock(4850190894420610132)";
/// Other sessions of this program; those of one that has just ended may be there a moment longer.
const NODES: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
     AND application_name = current_setting('application_name') AND pid <> pg_backend_pid()";
const PAUSE: &str = "SELECT pg_sleep(0.05)";
/// How often other sessions are looked for before they count as alive.
const LOOKS_MAX: u32 = 20;
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
     LOCK TABLE crowdlink.records IN SHARE ROW EXCLUSIVE MODE; \
     DELETE FROM crowdlink.records";
const INSERT: &str = "INSERT INTO crowdlink.records (key, value, version, expires_at_ms) \
     SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[])";
const SET_REVISION: &str =
    "UPDATE crowdlink.meta SET value = greatest(value, $1) WHERE name = 'revision'";

/// Refuses a store that is being filled, or was when something went wrong.
pub(super) async fn refuse_unfinished(client: &Client) -> Result<(), StoreError> {
    let row = client.query_one(MARKED, &[]).await.map_err(unavailable)?;
    if !row.try_get(0).map_err(unavailable)? {
        return Ok(());
    }
    Err(StoreError::Refused(format!(
        "an import has not ended: let it end or run it again; to drop it and keep what was there \
         before, run in the database: {UNMARK}"
    )))
}

/// A load into the engine for clusters.
pub(super) struct Loading {
    session: Session<()>,
    insert: Statement,
    /// The mark was there before: a load was killed, and it stays until one has ended.
    found: bool,
}

impl Loading {
    /// On a session that waits as long as it takes.
    pub(super) async fn begin(session: Session<()>, replace: bool) -> Result<Self, StoreError> {
        let client = &session.client;
        lock(client).await?;
        // First of all: whoever connects from here on sees it, and whoever was faster is seen.
        let marked = client.execute(MARK, &[]).await.map_err(unavailable)?;
        let found = marked == 0;
        let ready = async {
            look_at(client, replace).await?;
            client.batch_execute(BEGIN).await.map_err(unavailable)?;
            client.prepare(INSERT).await.map_err(unavailable)
        };
        match ready.await {
            Ok(insert) => Ok(Self {
                session,
                insert,
                found,
            }),
            Err(error) => {
                // The error that is told is the one before.
                let _ = take_back(client, found).await;
                Err(error)
            }
        }
    }
}

/// Refuses a store that another load fills. The session of one that has just ended may hold its
/// lock a moment longer.
async fn lock(client: &Client) -> Result<(), StoreError> {
    for _ in 0..LOOKS_MAX {
        let row = client.query_one(LOCK, &[]).await.map_err(unavailable)?;
        if row.try_get(0).map_err(unavailable)? {
            return Ok(());
        }
        client.batch_execute(PAUSE).await.map_err(unavailable)?;
    }
    Err(StoreError::Refused(
        "another import into this store is under way".into(),
    ))
}

/// Refuses a store that has nodes on it, or records that are not to be replaced.
async fn look_at(client: &Client, replace: bool) -> Result<(), StoreError> {
    let (_, records) = bulk::count(client).await?;
    if records > 0 && !replace {
        return Err(StoreError::Refused(format!(
            "the database holds {records} records already (--replace puts others in their place)"
        )));
    }
    for _ in 0..LOOKS_MAX {
        let row = client.query_one(NODES, &[]).await.map_err(unavailable)?;
        let sessions: i64 = row.try_get(0).map_err(unavailable)?;
        if sessions == 0 {
            return Ok(());
        }
        client.batch_execute(PAUSE).await.map_err(unavailable)?;
    }
    Err(StoreError::Refused(
        "the store is in use: stop the server first, on every node".into(),
    ))
}

/// Ends the transaction without a trace of it.
async fn take_back(client: &Client, found: bool) -> Result<(), StoreError> {
    client
        .batch_execute("ROLLBACK")
        .await
        .map_err(unavailable)?;
    if !found {
        client.batch_execute(UNMARK).await.map_err(unavailable)?;
    }
    Ok(())
}

#[async_trait]
impl Load for Loading {
    async fn put(&mut self, entries: Vec<Entry>) -> Result<(), StoreError> {
        check(&entries)?;
        let mut keys = Vec::with_capacity(entries.len());
        let mut values = Vec::with_capacity(entries.len());
        let mut versions = Vec::with_capacity(entries.len());
        let mut expiries = Vec::with_capacity(entries.len());
        for Entry { key, record } in &entries {
            let value = bounds::utf8(&record.value)?;
            keys.push(key.as_str());
            values.push(value);
            versions.push(record.version.cast_signed());
            expiries.push(record.expires_at_ms);
        }
        let client = &self.session.client;
        let put = client
            .execute(&self.insert, &[&keys, &values, &versions, &expiries])
            .await;
        match put {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                Err(StoreError::Refused("a key was put before".into()))
            }
            Err(error) => Err(unavailable(error)),
        }
    }

    async fn finish(self: Box<Self>, revision: u64) -> Result<(), StoreError> {
        let number = i64::try_from(revision)
            .map_err(|_| StoreError::Refused(format!("revision {revision} is too large")))?;
        let client = &self.session.client;
        let set = client.execute(SET_REVISION, &[&number]).await;
        set.map_err(unavailable)?;
        client
            .batch_execute(&format!("{UNMARK}; COMMIT"))
            .await
            .map_err(unavailable)
    }

    async fn abandon(self: Box<Self>) -> Result<(), StoreError> {
        take_back(&self.session.client, self.found).await
    }
}
