//! The threads of the engine, held up and killed from within.

use std::pin::Pin;
use std::sync::mpsc::{Sender, channel};

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};

use super::*;
use crate::clock::ManualClock;
use crate::contract::Expect;

fn open(options: SqliteOptions) -> (tempfile::TempDir, Arc<SqliteStore>) {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path(), ManualClock::new(0), options).unwrap();
    (directory, store)
}

/// Keeps the writer busy until the sender is dropped; commits made meanwhile wait.
fn hold_writer(store: &SqliteStore) -> Sender<()> {
    let (release, released) = channel::<()>();
    let (begin, begun) = channel();
    store.writer.run(move || {
        begin.send(()).unwrap();
        let _ = released.recv();
    });
    begun.recv().unwrap();
    release
}

type Calls<'a> = Vec<BoxFuture<'a, Result<u64, StoreError>>>;

/// Makes each call, in order, without waiting for its answer.
fn call(store: &SqliteStore, commits: impl IntoIterator<Item = Commit>) -> Calls<'_> {
    commits
        .into_iter()
        .map(|commit| {
            let mut answer = store.commit(commit);
            let at_once = Pin::new(&mut answer).now_or_never();
            at_once.map_or(answer, |answer| Box::pin(std::future::ready(answer)))
        })
        .collect()
}

fn put(key: &str) -> Commit {
    Commit::new().put(key.to_owned(), "1", None)
}

fn unavailable_count(answers: &[Result<u64, StoreError>], why: &str) -> usize {
    let is = |answer: &&Result<u64, StoreError>| matches!(answer, Err(StoreError::Unavailable(text)) if text.contains(why));
    answers.iter().filter(is).count()
}

#[tokio::test]
async fn commits_that_wait_share_one_transaction_up_to_the_bound_of_a_group() {
    let (_directory, store) = open(SqliteOptions {
        group_commits_max: 4,
        ..SqliteOptions::default()
    });
    let held = hold_writer(&store);
    let calls = call(&store, (0..10).map(|n| put(&n.to_string())));
    drop(held);
    let revisions: Vec<_> = join_all(calls).await.into_iter().flatten().collect();
    assert_eq!(revisions, (1..=10).collect::<Vec<_>>());
    assert_eq!(store.transactions(), 3);
}

#[tokio::test]
async fn a_group_ends_with_the_commit_that_fills_its_bytes() {
    let (_directory, store) = open(SqliteOptions {
        group_bytes_max: 100,
        ..SqliteOptions::default()
    });
    let held = hold_writer(&store);
    let calls = call(
        &store,
        (0..6).map(|_| Commit::new().put("k", "x".repeat(49), None)),
    );
    drop(held);
    assert!(join_all(calls).await.iter().all(Result::is_ok));
    assert_eq!(store.transactions(), 3);
}

#[tokio::test]
async fn commits_of_a_group_see_those_before_them_and_conflict_alone() {
    let (_directory, store) = open(SqliteOptions::default());
    let create = |value: &'static str, beside: &str| {
        Commit::new()
            .check("k", Expect::Absent)
            .put("k", value, None)
            .put(beside, value, None)
    };
    let held = hold_writer(&store);
    let calls = call(
        &store,
        [
            create("1", "a"),
            create("2", "b"),
            Commit::new().check("k", Expect::Version(1)).delete("k"),
            create("3", "c"),
        ],
    );
    drop(held);
    let answers = join_all(calls).await;
    let conflict = Err(StoreError::Conflict { key: "k".into() });
    assert_eq!(answers, [Ok(1), conflict, Ok(2), Ok(3)]);
    assert_eq!(store.transactions(), 1);
    let keys: Vec<_> = store.scan("", None, 9).await.unwrap();
    let keys: Vec<_> = keys.iter().map(|entry| entry.key.as_str()).collect();
    assert_eq!(keys, ["a", "c", "k"]);
}

#[tokio::test]
async fn a_group_that_fails_has_written_nothing() {
    let (_directory, store) = open(SqliteOptions {
        database_pages_max: Some(50),
        ..SqliteOptions::default()
    });
    let held = hold_writer(&store);
    let large = Commit::new().put("large", "x".repeat(1_000_000), None);
    let calls = call(&store, [put("a"), large, put("b")]);
    drop(held);
    assert_eq!(unavailable_count(&join_all(calls).await, "full"), 3);
    assert_eq!(store.scan("", None, 9).await.unwrap(), []);
    assert_eq!(store.commit(put("c")).await, Ok(1));
}

#[tokio::test]
async fn no_more_commits_wait_than_the_bound_says() {
    let (_directory, store) = open(SqliteOptions {
        waiting_commits_max: 4,
        ..SqliteOptions::default()
    });
    let held = hold_writer(&store);
    let calls = call(&store, (0..10).map(|n| put(&n.to_string())));
    drop(held);
    let answers = join_all(calls).await;
    assert_eq!(unavailable_count(&answers, "overloaded"), 6);
    assert!(answers[..4].iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(store.scan("", None, 99).await.unwrap().len(), 4);
    store.commit(put("later")).await.unwrap();
}

#[tokio::test]
async fn no_more_bytes_wait_than_the_bound_says() {
    let (_directory, store) = open(SqliteOptions {
        waiting_commit_bytes_max: 10_000,
        ..SqliteOptions::default()
    });
    let large = || Commit::new().put("k", "x".repeat(4_000), None);
    let held = hold_writer(&store);
    let calls = call(&store, (0..4).map(|_| large()));
    drop(held);
    assert_eq!(unavailable_count(&join_all(calls).await, "overloaded"), 2);
    // A commit larger than the bound passes when nothing else waits.
    let huge = Commit::new().put("k", "x".repeat(40_000), None);
    store.commit(huge).await.unwrap();
    store.commit(large()).await.unwrap();
}

#[tokio::test]
async fn no_more_reads_wait_than_the_bound_says() {
    let (_directory, store) = open(SqliteOptions {
        readers: 1,
        waiting_reads_max: 2,
        ..SqliteOptions::default()
    });
    let (release, released) = channel::<()>();
    let (begin, begun) = channel();
    let mut holding = Box::pin(store.read(move |_, _| {
        begin.send(()).unwrap();
        let _ = released.recv();
        Ok(())
    }));
    assert!(futures::poll!(holding.as_mut()).is_pending());
    begun.recv().unwrap();
    let mut reads: Vec<_> = (0..2).map(|_| store.get("k")).collect();
    for read in &mut reads {
        assert!(futures::poll!(read.as_mut()).is_pending());
    }
    let over = store.get("k").await;
    assert!(matches!(over, Err(StoreError::Unavailable(text)) if text.contains("overloaded")));
    drop(release);
    assert_eq!(join_all(reads).await, [Ok(None), Ok(None)]);
    holding.await.unwrap();
}

#[tokio::test]
async fn a_dead_writer_answers_unavailable_and_reads_go_on() {
    let (_directory, store) = open(SqliteOptions::default());
    let held = hold_writer(&store);
    let mut calls = call(&store, [put("before")]);
    store.writer.run(|| panic!("killed by a test"));
    calls.extend(call(&store, [put("after")]));
    drop(held);
    let answers = join_all(calls).await;
    assert_eq!(answers[0], Ok(1));
    assert_eq!(unavailable_count(&answers, "stopped"), 1);
    assert!(store.ping().await.is_err());
    assert!(store.sweep(1).await.is_err());
    assert!(store.get("before").await.unwrap().is_some());
    assert!(store.get("after").await.unwrap().is_none());
    store.close().await;
}
