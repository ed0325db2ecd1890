//! One engine on one database.

use std::sync::Arc;

use crowdlink_store::{Commit, ManualClock, PostgresOptions, PostgresStore, Store, StoreError};
use futures::poll;

use super::server::{Server, connect, open, open_with, options, row, run};
use crate::harness::{assert_refused, assert_unavailable, put, value};

const TAKE_THE_LOCK: &str =
    "BEGIN; UPDATE crowdlink.meta SET value = value WHERE name = 'revision'";
const TAKE_THE_TABLE: &str = "BEGIN; LOCK TABLE crowdlink.records IN ACCESS EXCLUSIVE MODE";

#[tokio::test]
async fn a_closed_store_answers_nothing_more_and_opens_again() {
    let server = Server::start();
    let url = server.database().await;
    let store = open(&url).await.unwrap();
    let version = put(store.as_ref(), "k", "1").await;
    store.close().await;
    assert_unavailable(store.get("k").await, "stopped");
    assert_unavailable(store.commit(Commit::new()).await, "stopped");
    assert_unavailable(store.ping().await, "stopped");

    let store = open(&url).await.unwrap();
    assert_eq!(store.get("k").await.unwrap().unwrap().version, version);
    assert!(put(store.as_ref(), "k", "2").await > version);
}

async fn put_many(store: &PostgresStore, count: usize, close: impl Future<Output = ()>) {
    let mut waiting: Vec<_> = (0..count)
        .map(|n| Box::pin(store.commit(Commit::new().put(format!("k/{n}"), "1", None))))
        .collect();
    for commit in &mut waiting {
        let _ = poll!(commit.as_mut());
    }
    let (answers, ()) = futures::join!(futures::future::join_all(waiting), close);
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
}

#[tokio::test]
async fn commits_that_wait_at_close_are_done_and_share_transactions() {
    let server = Server::start();
    let url = server.database().await;
    let store = open(&url).await.unwrap();
    put_many(&store, 100, store.close()).await;
    assert!(store.transactions() < 10, "{}", store.transactions());
    let store = open(&url).await.unwrap();
    assert_eq!(store.scan("k/", None, 1_000).await.unwrap().len(), 100);
}

#[tokio::test]
async fn an_operator_can_query_values_as_json() {
    let server = Server::start();
    let url = server.database().await;
    let store = open(&url).await.unwrap();
    let version = put(store.as_ref(), "a/b", r#"{"votes":[1,2]}"#).await;
    let query = "SELECT (value::json #>> '{votes,1}')::bigint, version, expires_at_ms \
         FROM crowdlink.records WHERE key = 'a/b'";
    let found = row(&url, query).await;
    assert_eq!(
        (found.get::<_, i64>(0), found.get::<_, i64>(1)),
        (2, version.cast_signed())
    );
    assert_eq!(found.get::<_, Option<i64>>(2), None);
}

#[tokio::test]
async fn a_careless_database_does_not_make_the_store_careless() {
    let server = Server::start();
    let url = server.database().await;
    let (_, name) = url.rsplit_once('/').unwrap();
    for careless in [
        "synchronous_commit = off",
        "default_transaction_isolation = 'serializable'",
        // Long enough for the one statement that changes it, on a busy machine.
        "statement_timeout = 20",
    ] {
        run(&url, &format!("ALTER DATABASE {name} SET {careless}")).await;
    }
    let store = open(&url).await.unwrap();
    let durability = store.durability().await.unwrap();
    assert_eq!(durability.synchronous_commit, "on");
    assert!(
        durability.fsync && durability.full_page_writes,
        "{durability:?}"
    );
    let other = open(&url).await.unwrap();
    // One waits for the other all the time, which a transaction of one snapshot does not survive.
    let write = async |store: &PostgresStore| {
        for n in 0..50 {
            put(store, &n.to_string(), "1").await;
        }
    };
    futures::join!(write(&store), write(&other));
}

#[tokio::test]
async fn a_stricter_database_stays_as_strict() {
    let server = Server::start();
    let url = server.database().await;
    let (_, name) = url.rsplit_once('/').unwrap();
    let strict = format!("ALTER DATABASE {name} SET synchronous_commit = remote_apply");
    run(&url, &strict).await;
    let store = open(&url).await.unwrap();
    let durability = store.durability().await.unwrap();
    assert_eq!(durability.synchronous_commit, "remote_apply");
}

#[tokio::test]
async fn a_database_that_syncs_nothing_is_told_from_one_that_does() {
    let server = Server::start();
    let url = server.database().await;
    let store = open(&url).await.unwrap();
    for setting in ["fsync", "full_page_writes"] {
        run(&url, &format!("ALTER SYSTEM SET {setting} = off")).await;
    }
    run(&url, "SELECT pg_reload_conf()").await;
    loop {
        let durability = store.durability().await.unwrap();
        if !durability.fsync && !durability.full_page_writes {
            break;
        }
    }
}

/// No time-out of ours may cut the wait short: the database would call that a success.
#[tokio::test]
async fn a_commit_is_not_answered_before_the_standby_that_is_waited_for() {
    let server = Server::start();
    let url = server.database().await;
    let options = PostgresOptions {
        answer_ms_max: 300,
        lock_ms_max: 200,
        ..options()
    };
    let store = open_with(&url, ManualClock::new(0), options).await.unwrap();
    put(store.as_ref(), "k", "1").await;
    let names = "synchronous_standby_names";
    run(&url, &format!("ALTER SYSTEM SET {names} = 'nobody'")).await;
    run(&url, "SELECT pg_reload_conf()").await;
    while row(&url, &format!("SHOW {names}")).await.get::<_, &str>(0) != "nobody" {}
    for _ in 0..3 {
        let commit = Commit::new().put("k", "2", None);
        assert_unavailable(store.commit(commit).await, "");
        assert_eq!(value(store.as_ref(), "k").await.as_deref(), Some("1"));
    }
    run(&url, &format!("ALTER SYSTEM RESET {names}")).await;
    run(&url, "SELECT pg_reload_conf()").await;
    while store.ping().await.is_err() {}
    put(store.as_ref(), "k", "3").await;
}

#[tokio::test]
async fn a_lock_elsewhere_is_waited_for_and_not_for_ever() {
    let server = Server::start();
    let url = server.database().await;
    let options = PostgresOptions {
        lock_ms_max: 100,
        ..options()
    };
    let store = open_with(&url, ManualClock::new(0), options).await.unwrap();
    put(store.as_ref(), "k", "1").await;
    let elsewhere = connect(&url).await;
    elsewhere.batch_execute(TAKE_THE_LOCK).await.unwrap();
    let commit = Commit::new().put("k", "2", None);
    assert_unavailable(store.commit(commit).await, "55P03");
    assert_eq!(value(store.as_ref(), "k").await.as_deref(), Some("1"));
    elsewhere.batch_execute("ROLLBACK").await.unwrap();
    put(store.as_ref(), "k", "3").await;
}

/// One that is being written, one in the queue, and no room for a third.
async fn crowded(options: PostgresOptions, why: &str) {
    let server = Server::start();
    let url = server.database().await;
    let store = open_with(&url, ManualClock::new(0), options).await.unwrap();
    put(store.as_ref(), "k", "1").await;
    let elsewhere = connect(&url).await;
    elsewhere.batch_execute(TAKE_THE_LOCK).await.unwrap();
    let large = "x".repeat(2_000);
    let commit = |n: usize| {
        let store = Arc::clone(&store);
        let commit = Commit::new().put(format!("k/{n}"), large.clone(), None);
        tokio::spawn(async move { store.commit(commit).await })
    };
    let first = commit(0);
    // It waits for the lock, so it is not in the queue any more.
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    while row(&url, waits).await.get::<_, i64>(0) == 0 {}
    let second = commit(1);
    while !second.is_finished() {
        match commit(2).await.unwrap() {
            Err(StoreError::Unavailable(text)) if text.contains(why) => break,
            other => assert!(other.is_ok(), "{other:?}"),
        }
    }
    elsewhere.batch_execute("ROLLBACK").await.unwrap();
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
    assert!(store.get("k/2").await.unwrap().is_none());
    put(store.as_ref(), "k", "2").await;
}

#[tokio::test]
async fn commits_beyond_the_queue_are_refused_and_those_within_are_done() {
    let options = PostgresOptions {
        waiting_commits_max: 1,
        ..options()
    };
    crowded(options, "too many commits").await;
}

#[tokio::test]
async fn bytes_beyond_the_queue_are_refused_and_those_within_are_done() {
    let options = PostgresOptions {
        waiting_commit_bytes_max: 5_000,
        ..options()
    };
    crowded(options, "too many bytes").await;
}

#[tokio::test]
async fn reads_beyond_the_bound_are_refused_and_none_waits_for_ever() {
    let server = Server::start();
    let url = server.database().await;
    let options = PostgresOptions {
        waiting_reads_max: 2,
        readers: 1,
        answer_ms_max: 300,
        ..options()
    };
    let store = open_with(&url, ManualClock::new(0), options).await.unwrap();
    put(store.as_ref(), "k", "1").await;
    let elsewhere = connect(&url).await;
    elsewhere.batch_execute(TAKE_THE_TABLE).await.unwrap();
    let (mut one, mut two) = (Box::pin(store.get("k")), Box::pin(store.get("k")));
    assert!(poll!(one.as_mut()).is_pending() && poll!(two.as_mut()).is_pending());
    assert_unavailable(store.get("k").await, "too many reads");
    // The database gives up on the one, or we do; the other waits for its connection.
    assert_unavailable(one.await, "");
    assert_unavailable(two.await, "no answer within 300 ms");
    elsewhere.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(value(store.as_ref(), "k").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_store_for_reading_changes_nothing() {
    let server = Server::start();
    let url = server.database().await;
    let read_only = || {
        let options = PostgresOptions {
            read_only: true,
            ..options()
        };
        open_with(&url, ManualClock::new(0), options)
    };
    assert_refused(read_only().await, "no Crowdlink store");
    let found = row(&url, "SELECT to_regnamespace('crowdlink') IS NULL").await;
    assert!(found.get::<_, bool>(0));

    let store = open(&url).await.unwrap();
    let version = put(store.as_ref(), "k", "1").await;
    let reader = read_only().await.unwrap();
    assert_eq!(reader.get("k").await.unwrap().unwrap().version, version);
    reader.ping().await.unwrap();
    assert_refused(reader.commit(Commit::new()).await, "reading only");
    assert_refused(reader.sweep(1).await, "reading only");
}
