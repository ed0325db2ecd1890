//! Sweeps of several nodes.

use crowdlink_store::{Commit, ManualClock, PostgresOptions, PostgresStore, Store};

use super::server::{Server, connect, open_with, options};
use crate::harness::put;

async fn put_expired(store: &PostgresStore, count: usize, at_ms: i64) {
    let commit = (0..count).fold(Commit::new(), |commit, n| {
        commit.put(format!("k/{n:04}"), "1", Some(at_ms))
    });
    store.commit(commit).await.unwrap();
}

#[tokio::test]
async fn what_a_slow_clock_still_sees_is_spared() {
    let server = Server::start();
    let url = server.database().await;
    let options = PostgresOptions {
        sweep_grace_ms: 60_000,
        ..options()
    };
    let (fast, slow) = (ManualClock::new(30_000), ManualClock::new(0));
    let one = open_with(&url, fast.clone(), options.clone())
        .await
        .unwrap();
    let two = open_with(&url, slow.clone(), options).await.unwrap();
    put_expired(&one, 1, 10_000).await;
    assert_eq!(one.get("k/0000").await.unwrap(), None);
    assert_eq!(one.sweep(10).await, Ok(0));
    assert!(two.get("k/0000").await.unwrap().is_some());

    fast.advance_ms(39_999);
    assert_eq!(one.sweep(10).await, Ok(0));
    fast.advance_ms(1);
    slow.advance_ms(40_000);
    assert_eq!(two.get("k/0000").await.unwrap(), None);
    assert_eq!(one.sweep(10).await, Ok(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sweepers_share_the_work_and_remove_each_record_once() {
    let server = Server::start();
    let url = server.database().await;
    let mut tasks = Vec::new();
    for _ in 0..3 {
        let store = open_with(&url, ManualClock::new(0), options())
            .await
            .unwrap();
        tasks.push(store);
    }
    put_expired(&tasks[0], 3_000, 0).await;
    put(tasks[0].as_ref(), "live", "1").await;
    let sweeps = tasks.iter().map(|store| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut swept = 0;
            loop {
                match store.sweep(50).await.unwrap() {
                    0 => return swept,
                    count => swept += count,
                }
            }
        })
    });
    let swept = futures::future::join_all(sweeps).await;
    let mut swept: usize = swept.into_iter().map(Result::unwrap).sum();
    // Each passes over what the others hold, and may have ended before they let go.
    swept += tasks[0].sweep(3_000).await.unwrap();
    assert_eq!(swept, 3_000);
    assert_eq!(tasks[0].scan("", None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_sweep_passes_over_what_somebody_holds() {
    let server = Server::start();
    let url = server.database().await;
    let store = open_with(&url, ManualClock::new(0), options())
        .await
        .unwrap();
    put_expired(&store, 3, 0).await;
    let elsewhere = connect(&url).await;
    let hold = "BEGIN; SELECT FROM crowdlink.records WHERE key = 'k/0001' FOR UPDATE";
    elsewhere.batch_execute(hold).await.unwrap();
    assert_eq!(store.sweep(10).await, Ok(2));
    elsewhere.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(store.sweep(10).await, Ok(1));
}
