//! Databases that are new, old, newer, or not ours.

use crowdlink_store::{ManualClock, Store};

use super::server::{Server, open, open_with, options, row, run};
use crate::harness::{assert_refused, put};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_may_open_a_new_store_at_the_same_moment() {
    let server = Server::start();
    for _ in 0..5 {
        let url = server.database().await;
        let opening = (0..6).map(|_| {
            let url = url.clone();
            tokio::spawn(async move { open(&url).await })
        });
        let opened = futures::future::join_all(opening).await;
        for (n, store) in opened.into_iter().enumerate() {
            let revision = put(store.unwrap().unwrap().as_ref(), "k", "1").await;
            assert_eq!(revision, u64::try_from(n).unwrap() + 1);
        }
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused_politely() {
    let server = Server::start();
    let url = server.database().await;
    let old = open(&url).await.unwrap();
    put(old.as_ref(), "k", "1").await;
    let newer = "UPDATE crowdlink.meta SET value = 99 WHERE name = 'schema'";
    run(&url, newer).await;
    assert_refused(open(&url).await, "newer Crowdlink (schema 99");
    // A node that runs meanwhile goes on as long as its connections last.
    put(old.as_ref(), "k", "2").await;
}

#[tokio::test]
async fn what_is_not_ours_is_refused_and_left_alone() {
    let server = Server::start();
    let url = server.database().await;
    run(&url, "CREATE SCHEMA crowdlink CREATE TABLE mine (a int)").await;
    assert_refused(open(&url).await, "not a Crowdlink store");
    run(&url, "ALTER TABLE crowdlink.mine RENAME TO meta").await;
    assert_refused(open(&url).await, "not a Crowdlink store");
    let tables = row(
        &url,
        "SELECT count(*) FROM pg_tables WHERE schemaname = 'crowdlink'",
    )
    .await;
    assert_eq!(tables.get::<_, i64>(0), 1);
}

#[tokio::test]
async fn an_empty_schema_that_somebody_made_is_used() {
    let server = Server::start();
    let url = server.database().await;
    run(&url, "CREATE SCHEMA crowdlink").await;
    put(open(&url).await.unwrap().as_ref(), "k", "1").await;
}

#[tokio::test]
async fn another_encoding_than_utf_8_is_refused_with_what_to_do() {
    let server = Server::start();
    let url = server.database().await;
    let (_, name) = url.rsplit_once('/').unwrap();
    // 8 is LATIN1. The database is empty, so no text in it changes its meaning.
    let change = format!("UPDATE pg_database SET encoding = 8 WHERE datname = '{name}'");
    run(&server.postgres.url(), &change).await;
    assert_refused(open(&url).await, "--encoding=UTF8");
}

#[tokio::test]
async fn a_user_without_rights_is_told_which_are_missing() {
    let server = Server::start();
    let url = server.database().await;
    run(&url, "CREATE ROLE guest LOGIN").await;
    let guest = url.replace("crowdlink@", "guest@");
    assert_refused(open(&guest).await, "GRANT CREATE ON DATABASE");
    let owner = open(&url).await.unwrap();
    put(owner.as_ref(), "k", "1").await;
    // Made by somebody else, it needs no more than the right to use it.
    run(
        &url,
        "GRANT USAGE ON SCHEMA crowdlink TO guest; \
         GRANT ALL ON ALL TABLES IN SCHEMA crowdlink TO guest",
    )
    .await;
    let store = open(&guest).await.unwrap();
    put(store.as_ref(), "k", "2").await;
}

#[tokio::test]
async fn plans_walk_indexes_before_rows_were_counted() {
    let server = Server::start();
    let url = server.database().await;
    let clock = ManualClock::new(0);
    let store = open_with(&url, clock, options()).await.unwrap();
    for n in 0..50 {
        put(store.as_ref(), &format!("k/{n}"), "1").await;
    }
    let keys: Vec<_> = (0..50).map(|n| format!("k/{n}")).collect();
    let before = scans(&url).await;
    store.get("k/1").await.unwrap();
    store.get_many(&keys).await.unwrap();
    store.scan("k/", None, 10).await.unwrap();
    store.sweep(10).await.unwrap();
    put(store.as_ref(), "k/1", "2").await;
    // What a session did is counted when it ends, at the latest.
    store.close().await;
    drop(store);
    let active = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'crowdlink'";
    while row(&url, active).await.get::<_, i64>(0) > 0 {}
    let after = scans(&url).await;
    assert_eq!(after.0, before.0, "the table was read as a whole");
    assert!(after.1 > before.1, "{before:?} {after:?}");
}

/// Walks of the whole table, and of its indexes.
async fn scans(url: &str) -> (i64, i64) {
    let query = "SELECT seq_scan, idx_scan FROM pg_stat_user_tables WHERE relname = 'records'";
    let found = row(url, query).await;
    (found.get(0), found.get(1))
}
