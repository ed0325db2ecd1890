//! The engine for clusters: PostgreSQL, shared by all nodes.
//!
//! Each node has one connection that writes (`writer`, `apply`, `plan`) and a few that read
//! (`reader`, `query`). The row `revision` is the lock that makes the commits of all nodes serial.

mod apply;
mod backoff;
mod bulk;
mod loading;
mod options;
mod plan;
mod query;
mod reader;
mod schema;
mod session;
mod target;
#[cfg(test)]
mod tests;
mod trouble;
mod writer;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::bounds;
use crate::clock::Clock;
use crate::contract::{
    BATCH_ITEMS_MAX, Commit, Entry, Record, SCAN_PAGE_RECORDS_MAX, Store, StoreError,
};
pub use bulk::PostgresBulk;
pub use options::PostgresOptions;
use query::Ask;
use reader::Readers;
pub use schema::PostgresDurability;
use session::Connector;
use target::Target;
use trouble::unavailable;
use writer::Writer;

/// The store in a PostgreSQL database.
///
/// Any number of them, in any number of processes, may work on one database. Dropping one lets it
/// end by itself once it has done what waits; [`PostgresStore::close`] waits for that.
pub struct PostgresStore {
    clock: Arc<dyn Clock>,
    sweep_grace_ms: i64,
    read_only: bool,
    writer: Writer,
    readers: Readers,
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// Opens the store of a database, and makes its tables in a schema named `crowdlink` where
    /// there are none. The URL is `postgres://USER:PASSWORD@HOST:PORT/DATABASE`; with
    /// `?sslmode=require` it goes over TLS, and the certificate must be good. Must be called within
    /// a tokio runtime.
    ///
    /// # Errors
    /// `Refused` where waiting cannot mend it: the URL cannot be read, user, password, database or
    /// certificate are not right, or the database is not encoded in UTF-8, is older than
    /// PostgreSQL 13, was written by a newer version of this program, or an import into it has not
    /// ended. `Unavailable` if it cannot be reached, or has no connection to give. No text shows
    /// anything of the URL.
    pub async fn open(
        url: &str,
        clock: Arc<dyn Clock>,
        options: PostgresOptions,
    ) -> Result<Arc<Self>, StoreError> {
        let target = Target::parse(url, &options)?;
        let connector = Arc::new(Connector::new(target, Arc::clone(&clock), &options));
        let mut session = connector.connect_first().await?;
        schema::examine(&session.client).await?;
        if options.read_only {
            schema::check(&session.client).await?;
        } else {
            schema::migrate(&mut session.client).await?;
            loading::refuse_unfinished(&session.client).await?;
        }
        drop(session);
        let store = Self {
            sweep_grace_ms: i64::try_from(options.sweep_grace_ms).unwrap_or(i64::MAX),
            read_only: options.read_only,
            readers: Readers::new(Arc::clone(&connector), &options)?,
            writer: Writer::start(connector, Arc::clone(&clock), &options),
            clock,
        };
        store.durability().await?.warn();
        Ok(Arc::new(store))
    }

    /// Transactions written so far. With many callers at once it grows far slower than the number
    /// of commits: they share transactions.
    pub fn transactions(&self) -> u64 {
        self.writer.transactions()
    }

    /// The settings in force on a connection of this store.
    pub async fn durability(&self) -> Result<PostgresDurability, StoreError> {
        let rows = self.readers.ask(Ask::Durability).await?;
        let row = rows.first().ok_or_else(no_row)?;
        PostgresDurability::of(row).map_err(unavailable)
    }

    /// Takes no more calls, does those that wait, and ends the connections. Calls made later are
    /// answered `Unavailable`.
    pub async fn close(&self) {
        self.writer.close().await;
        self.readers.close();
    }

    fn writable(&self) -> Result<(), StoreError> {
        if self.read_only {
            return Err(StoreError::Refused(
                "the store is open for reading only".into(),
            ));
        }
        Ok(())
    }
}

fn no_row() -> StoreError {
    StoreError::Unavailable("an answer without its row".into())
}

#[async_trait]
impl Store for PostgresStore {
    async fn get(&self, key: &str) -> Result<Option<Record>, StoreError> {
        bounds::key(key)?;
        let now_ms = self.clock.now_ms();
        let rows = self.readers.ask(Ask::Get { key, now_ms }).await?;
        let mut answer = bounds::Answer::default();
        rows.first()
            .map(|row| query::record(row, &mut answer))
            .transpose()
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Record>>, StoreError> {
        bounds::keys(keys)?;
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let now_ms = self.clock.now_ms();
        let rows = self.readers.ask(Ask::GetMany { keys, now_ms }).await?;
        query::in_order(&rows, keys.len())
    }

    async fn scan(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        bounds::scan(prefix, after)?;
        let ask = Ask::Scan {
            prefix,
            after: after.unwrap_or_default(),
            limit: limit.min(SCAN_PAGE_RECORDS_MAX),
            now_ms: self.clock.now_ms(),
        };
        query::page(&self.readers.ask(ask).await?)
    }

    async fn commit(&self, commit: Commit) -> Result<u64, StoreError> {
        self.writable()?;
        let bytes = bounds::commit(&commit)?;
        self.writer.commit(commit, bytes).await
    }

    async fn sweep(&self, limit: usize) -> Result<usize, StoreError> {
        self.writable()?;
        let until_ms = self.clock.now_ms().saturating_sub(self.sweep_grace_ms);
        let limit = limit.min(BATCH_ITEMS_MAX);
        let swept = self.readers.ask(Ask::Sweep { until_ms, limit }).await?;
        Ok(swept.len())
    }

    /// Reads, and writes an empty commit to the disk.
    async fn ping(&self) -> Result<(), StoreError> {
        self.get("ping").await?;
        if !self.read_only {
            self.commit(Commit::new()).await?;
        }
        Ok(())
    }
}
