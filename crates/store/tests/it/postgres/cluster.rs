//! Several engines on one database.

use std::sync::Arc;

use crowdlink_store::{Commit, Expect, PostgresStore, Store, StoreError};

use super::server::{Server, open};
use crate::harness::value;

async fn increment(store: Arc<PostgresStore>, times: usize) -> Vec<u64> {
    let mut revisions = Vec::new();
    while revisions.len() < times {
        let found = store.get("n").await.unwrap();
        let (count, expect) = found.map_or((0, Expect::Absent), |record| {
            let text = std::str::from_utf8(&record.value).unwrap();
            (
                text.parse::<usize>().unwrap(),
                Expect::Version(record.version),
            )
        });
        let next = (count + 1).to_string();
        let commit = Commit::new().check("n", expect).put("n", next, None);
        match store.commit(commit).await {
            Ok(revision) => revisions.push(revision),
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    revisions
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_engines_lose_no_increment_and_share_no_revision() {
    let server = Server::start();
    let url = server.database().await;
    let one = open(&url).await.unwrap();
    let two = open(&url).await.unwrap();
    let tasks = [&one, &two, &one, &two].map(|store| tokio::spawn(increment(store.clone(), 50)));
    let mut revisions: Vec<_> = futures::future::join_all(tasks)
        .await
        .into_iter()
        .flat_map(Result::unwrap)
        .collect();
    revisions.sort_unstable();
    revisions.dedup();
    assert_eq!(revisions.len(), 200);
    assert_eq!(value(one.as_ref(), "n").await.as_deref(), Some("200"));
    assert_eq!(value(two.as_ref(), "n").await.as_deref(), Some("200"));
}

/// Each checks both and deletes its own, on an engine of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn write_skew_is_impossible_between_engines() {
    let server = Server::start();
    let url = server.database().await;
    let engines = [open(&url).await.unwrap(), open(&url).await.unwrap()];
    for round in 0..50 {
        let keys = [format!("{round}/a"), format!("{round}/b")];
        let both = keys
            .iter()
            .fold(Commit::new(), |c, key| c.put(key, "1", None));
        let version = engines[0].commit(both).await.unwrap();
        let tasks = engines.iter().zip(&keys).map(|(engine, own)| {
            let check = keys.iter().fold(Commit::new(), |commit, key| {
                commit.check(key, Expect::Version(version))
            });
            let (engine, commit) = (Arc::clone(engine), check.delete(own));
            tokio::spawn(async move { engine.commit(commit).await })
        });
        let answers = futures::future::join_all(tasks).await;
        let done = answers.iter().filter(|answer| matches!(answer, Ok(Ok(_))));
        assert_eq!(done.count(), 1, "{answers:?}");
        let left = engines[1]
            .scan(&format!("{round}/"), None, 10)
            .await
            .unwrap();
        assert_eq!(left.len(), 1);
    }
}

/// What one engine acknowledged, the other reads from that moment on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_is_read_elsewhere_as_soon_as_it_is_answered() {
    let server = Server::start();
    let url = server.database().await;
    let one = open(&url).await.unwrap();
    let two = open(&url).await.unwrap();
    for round in 0..100 {
        let text = round.to_string();
        let put = Commit::new().put("k", text.clone(), None);
        one.commit(put).await.unwrap();
        assert_eq!(value(two.as_ref(), "k").await, Some(text));
    }
}
