//! The engine for clusters as what everything is moved from, or to.

use std::sync::Arc;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use tokio_postgres::{Row, RowStream};

use super::loading::Loading;
use super::options::PostgresOptions;
use super::schema;
use super::session::{Connector, Session};
use super::target::Target;
use super::trouble::unavailable;
use crate::bulk::{Batch, Batches, Bulk, Load, Snapshot};
use crate::clock::Clock;
use crate::contract::{Entry, Record, StoreError};

/// What is set for work on everything: it takes as long as it takes, and walks no index for it.
const PATIENT: &str = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; \
     SET enable_seqscan = on";
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
const COUNT: &str = "SELECT (SELECT value FROM crowdlink.meta WHERE name = 'revision'), \
     (SELECT count(*) FROM crowdlink.records)";
const ALL: &str =
    "SELECT key, value, version, expires_at_ms FROM crowdlink.records ORDER BY key COLLATE \"C\"";

/// A store in a PostgreSQL database that nobody of this process need have open.
#[derive(Debug)]
pub struct PostgresBulk {
    connector: Connector,
}

impl PostgresBulk {
    /// The store of a database, as for [`super::PostgresStore::open`]. Connects to nothing yet.
    ///
    /// # Errors
    /// `Refused` if the URL cannot be read; no text shows anything of it.
    pub fn at(url: &str, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let options = PostgresOptions::default();
        let target = Target::parse(url, &options)?;
        Ok(Self {
            connector: Connector::new(target, clock, &options),
        })
    }

    async fn connect(&self) -> Result<Session<()>, StoreError> {
        let session = self.connector.connect().await?;
        session
            .client
            .batch_execute(PATIENT)
            .await
            .map_err(unavailable)?;
        schema::examine(&session.client).await?;
        Ok(session)
    }
}

#[async_trait]
impl Bulk for PostgresBulk {
    /// Held by a transaction of a connection of its own. Rows arrive as they are taken.
    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let session = self.connect().await?;
        schema::check(&session.client).await?;
        let begin = session.client.batch_execute(BEGIN).await;
        begin.map_err(unavailable)?;
        let (revision, records) = count(&session.client).await?;
        let none: [i64; 0] = [];
        let rows = session.client.query_raw(ALL, none).await;
        let rows = rows.map_err(unavailable)?;
        let (batches, snapshot) = Snapshot::new(revision, records);
        tokio::spawn(async move {
            if let Err(error) = send_all(rows, &batches).await {
                let _ = batches.send(Err(error)).await;
            }
            drop(session);
        });
        Ok(snapshot)
    }

    /// Fills the table in one transaction, which nobody sees before its end.
    async fn begin_load(&self, replace: bool) -> Result<Box<dyn Load>, StoreError> {
        let mut session = self.connect().await?;
        schema::migrate(&mut session.client).await?;
        Ok(Box::new(Loading::begin(session, replace).await?))
    }
}

/// The revision, and how many records there are.
pub(super) async fn count(client: &tokio_postgres::Client) -> Result<(u64, u64), StoreError> {
    let row = client.query_one(COUNT, &[]).await.map_err(unavailable)?;
    let revision: i64 = row.try_get(0).map_err(unavailable)?;
    let records: i64 = row.try_get(1).map_err(unavailable)?;
    Ok((revision.unsigned_abs(), records.unsigned_abs()))
}

async fn send_all(rows: RowStream, batches: &Batches) -> Result<(), StoreError> {
    let mut rows = std::pin::pin!(rows);
    let mut batch = Batch::default();
    while let Some(row) = rows.try_next().await.map_err(unavailable)? {
        let entry = entry(&row).map_err(unavailable)?;
        if batch.add(entry) && batches.send(Ok(batch.take())).await.is_err() {
            // Nobody takes the rest.
            return Ok(());
        }
    }
    if !batch.is_empty() {
        let _ = batches.send(Ok(batch.take())).await;
    }
    Ok(())
}

fn entry(row: &Row) -> Result<Entry, tokio_postgres::Error> {
    let value: &str = row.try_get(1)?;
    let version: i64 = row.try_get(2)?;
    Ok(Entry {
        key: row.try_get(0)?,
        record: Record {
            value: bytes::Bytes::copy_from_slice(value.as_bytes()),
            version: version.unsigned_abs(),
            expires_at_ms: row.try_get(3)?,
        },
    })
}
