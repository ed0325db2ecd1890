//! A PostgreSQL of the test's own, and databases in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crowdlink_store::{
    Clock, ManualClock, PostgresOptions, PostgresStore, StoreError, SystemClock,
};
use services::Postgres;
use tokio_postgres::{Client, NoTls, Row};

/// A server that ends with the test. Starting one takes a second, a database in it far less.
pub(crate) struct Server {
    pub(crate) postgres: Postgres,
    databases: AtomicUsize,
}

impl Server {
    /// Starts one. Blocks.
    pub(crate) fn start() -> Self {
        Self {
            postgres: Postgres::start().unwrap(),
            databases: AtomicUsize::new(0),
        }
    }

    /// The URL of a new, empty database.
    pub(crate) async fn database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::SeqCst);
        let name = format!("crowdlink{number}");
        let url = self.postgres.url();
        run(&url, &format!("CREATE DATABASE {name}")).await;
        let (server, _) = url.rsplit_once('/').unwrap();
        format!("{server}/{name}")
    }
}

/// A connection beside the store.
pub(crate) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Runs statements that answer nothing.
pub(crate) async fn run(url: &str, sql: &str) {
    connect(url).await.batch_execute(sql).await.unwrap();
}

/// The one row that a query answers.
pub(crate) async fn row(url: &str, sql: &str) -> Row {
    connect(url).await.query_one(sql, &[]).await.unwrap()
}

/// Options under which sweeps spare nothing: a clock that a test holds is the only one.
pub(crate) fn options() -> PostgresOptions {
    PostgresOptions {
        sweep_grace_ms: 0,
        ..PostgresOptions::default()
    }
}

/// Opens the store of a database with a clock that stands still.
pub(crate) async fn open(url: &str) -> Result<Arc<PostgresStore>, StoreError> {
    open_with(url, ManualClock::new(1_000), options()).await
}

/// Opens the store of a database with the machine's clock: for tests that lose the connection.
pub(crate) async fn open_for_real(url: &str) -> Arc<PostgresStore> {
    let clock = Arc::new(SystemClock::new());
    open_with(url, clock, options()).await.unwrap()
}

/// Opens the store of a database.
pub(crate) async fn open_with(
    url: &str,
    clock: Arc<dyn Clock>,
    options: PostgresOptions,
) -> Result<Arc<PostgresStore>, StoreError> {
    PostgresStore::open(url, clock, options).await
}
