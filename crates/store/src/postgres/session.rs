//! Connections and what is in force on them.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, NoTls, Socket};

use super::backoff::Backoff;
use super::options::PostgresOptions;
use super::target::Target;
use super::trouble::{opening, unavailable, within};
use crate::clock::Clock;
use crate::contract::StoreError;

/// A connection with its prepared statements. Dropping it closes the socket at once, whatever the
/// database is doing for it: an open transaction is rolled back.
#[derive(Debug)]
pub(super) struct Session<S> {
    pub(super) client: Client,
    pub(super) statements: S,
    connection: Connection,
}

#[derive(Debug)]
struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<S> Session<S> {
    /// The same connection with other statements.
    pub(super) fn with<T>(self, statements: T) -> Session<T> {
        Session {
            client: self.client,
            statements,
            connection: self.connection,
        }
    }
}

/// How an error of the database becomes one of the store.
type Told = fn(tokio_postgres::Error) -> StoreError;

/// Opens connections to one database.
#[derive(Debug)]
pub(super) struct Connector {
    target: Target,
    clock: Arc<dyn Clock>,
    backoff: Backoff,
    connect_ms_max: u64,
    settings: String,
}

impl Connector {
    pub(super) fn new(target: Target, clock: Arc<dyn Clock>, options: &PostgresOptions) -> Self {
        Self {
            target,
            clock,
            backoff: Backoff::new(options),
            connect_ms_max: options.connect_ms_max,
            settings: settings(options),
        }
    }

    /// Connects, after a pause where the last attempt failed.
    pub(super) async fn connect(&self) -> Result<Session<()>, StoreError> {
        self.connect_or(unavailable).await
    }

    /// Connects for the first time: `Refused` where waiting cannot mend what failed.
    pub(super) async fn connect_first(&self) -> Result<Session<()>, StoreError> {
        self.connect_or(opening).await
    }

    async fn connect_or(&self, told: Told) -> Result<Session<()>, StoreError> {
        self.backoff.wait(self.clock.as_ref()).await;
        let opened = within(self.connect_ms_max, self.dial(told)).await;
        match &opened {
            Ok(_) => self.backoff.succeeded(),
            Err(_) => self.backoff.failed(self.clock.as_ref()),
        }
        opened
    }

    async fn dial(&self, told: Told) -> Result<Session<()>, StoreError> {
        let session = match &self.target.tls {
            Some(tls) => self.dial_with(tls.clone()).await,
            None => self.dial_with(NoTls).await,
        }
        .map_err(told)?;
        session
            .client
            .batch_execute(&self.settings)
            .await
            .map_err(told)?;
        Ok(session)
    }

    async fn dial_with<T>(&self, tls: T) -> Result<Session<()>, tokio_postgres::Error>
    where
        T: MakeTlsConnect<Socket>,
        T::Stream: Send + 'static,
    {
        let (client, connection) = self.target.config.connect(tls).await?;
        let connection = Connection(tokio::spawn(async move {
            // Whoever waits for an answer is told too.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the database ended");
            }
        }));
        Ok(Session {
            client,
            statements: (),
            connection,
        })
    }
}

/// What is set on each connection.
fn settings(options: &PostgresOptions) -> String {
    let mut settings = format!(
        // The time-out first: the database's own may be too short for the rest. A commit is
        // answered when it is on the disk, and on the standbys that the database waits for,
        // whatever the default of the database is.
        "SET statement_timeout = {answer_ms_max}; \
         SELECT set_config('synchronous_commit', 'on', false) \
         WHERE current_setting('synchronous_commit') <> 'remote_apply'; \
         SET lock_timeout = {lock_ms_max}; \
         SET idle_in_transaction_session_timeout = {idle_ms_max}; \
         SET client_min_messages = error; \
         SET jit = off; ",
        answer_ms_max = options.answer_ms_max,
        lock_ms_max = options.lock_ms_max,
        idle_ms_max = options.idle_ms_max,
    );
    // Every statement is a walk of an index, also before the database has counted its rows.
    settings.push_str(
        "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; \
         SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; ",
    );
    if options.read_only {
        settings.push_str("SET default_transaction_read_only = on; ");
    }
    settings
}
