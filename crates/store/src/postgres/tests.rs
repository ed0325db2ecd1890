//! What only the engine can do to itself.

use std::sync::Arc;

use services::Postgres;

use super::apply::{self, WriteStatements};
use super::schema;
use super::session::{Connector, Session};
use super::target::Target;
use super::{PostgresOptions, PostgresStore};
use crate::{Commit, ManualClock, Store, StoreError};

fn connector(url: &str, options: &PostgresOptions) -> Connector {
    let target = Target::parse(url, options).unwrap();
    Connector::new(target, ManualClock::new(0), options)
}

async fn open(url: &str, options: PostgresOptions) -> Result<Arc<PostgresStore>, StoreError> {
    PostgresStore::open(url, ManualClock::new(0), options).await
}

fn put(key: &str) -> Commit {
    Commit::new().put(key, "1", None)
}

#[tokio::test]
async fn an_older_schema_is_brought_up_to_date_and_keeps_its_records() {
    let postgres = Postgres::start().unwrap();
    let options = PostgresOptions::default();
    let store = open(&postgres.url(), options.clone()).await.unwrap();
    let version = store.commit(put("k")).await.unwrap();
    let steps = [
        schema::STEPS,
        &["ALTER TABLE crowdlink.records ADD COLUMN note text"],
        &["UPDATE crowdlink.records SET note = 'seen'"],
    ]
    .concat();
    let connector = connector(&postgres.url(), &options);
    let mut session = connector.connect().await.unwrap();
    for _ in 0..2 {
        // The second time nothing is to be done.
        schema::migrate_to(&mut session.client, &steps)
            .await
            .unwrap();
    }
    let query = "SELECT note, version FROM crowdlink.records WHERE key = 'k'";
    let row = session.client.query_one(query, &[]).await.unwrap();
    let found: (&str, i64) = (row.get(0), row.get(1));
    assert_eq!(found, ("seen", version.cast_signed()));
    // The node of the old schema goes on; one that starts anew is refused.
    store.commit(put("k")).await.unwrap();
    let refused = open(&postgres.url(), options).await.unwrap_err();
    assert!(refused.to_string().contains("newer Crowdlink"), "{refused}");
}

#[tokio::test]
async fn a_step_that_fails_changes_nothing() {
    let postgres = Postgres::start().unwrap();
    let options = PostgresOptions::default();
    let store = open(&postgres.url(), options.clone()).await.unwrap();
    let steps = [schema::STEPS, &["DROP TABLE crowdlink.records; SELECT 1/0"]].concat();
    let connector = connector(&postgres.url(), &options);
    let mut session = connector.connect().await.unwrap();
    let failed = schema::migrate_to(&mut session.client, &steps).await;
    assert!(
        matches!(failed, Err(StoreError::Unavailable(_))),
        "{failed:?}"
    );
    store.commit(put("k")).await.unwrap();
    open(&postgres.url(), options).await.unwrap();
}

async fn writing(connector: &Connector) -> Session<WriteStatements> {
    let session = connector.connect().await.unwrap();
    let statements = WriteStatements::prepare(&session.client).await.unwrap();
    session.with(statements)
}

/// A node takes the lock and freezes; the others wait as long as it may be silent, and go on.
#[tokio::test]
async fn a_node_that_freezes_in_a_commit_fails_no_commit_of_others() {
    let postgres = Postgres::start().unwrap();
    let options = PostgresOptions {
        idle_ms_max: 300,
        ..PostgresOptions::default()
    };
    let store = open(&postgres.url(), options.clone()).await.unwrap();
    let connector = connector(&postgres.url(), &options);
    let frozen = writing(&connector).await;
    let commit = put("frozen");
    apply::look(&frozen, &[&commit], apply::BEGIN)
        .await
        .unwrap();
    store.commit(put("k")).await.unwrap();
    let woken = frozen.client.batch_execute("COMMIT").await;
    assert!(woken.is_err(), "the database did not end its session");
    assert_eq!(store.get("frozen").await.unwrap(), None);
}

/// A statement fails in the second round trip; the `COMMIT` behind it must not pass for one.
#[tokio::test]
async fn a_write_that_fails_is_no_success() {
    let postgres = Postgres::start().unwrap();
    let store = open(&postgres.url(), PostgresOptions::default())
        .await
        .unwrap();
    let connector = connector(&postgres.url(), &PostgresOptions::default());
    let session = connector.connect().await.unwrap();
    let limit = "ALTER TABLE crowdlink.records ADD CHECK (key <> 'bad')";
    session.client.batch_execute(limit).await.unwrap();
    let (good, bad) = futures::join!(store.commit(put("good")), store.commit(put("bad")));
    assert!(matches!(bad, Err(StoreError::Unavailable(_))), "{bad:?}");
    assert_eq!(store.get("bad").await.unwrap(), None);
    // It may have shared the transaction; its answer says what happened.
    assert_eq!(store.get("good").await.unwrap().is_some(), good.is_ok());
    let text = bad.unwrap_err().to_string();
    assert!(
        text.contains("23514") && !text.contains("Failing row"),
        "{text}"
    );
    store.commit(put("good")).await.unwrap();
}
