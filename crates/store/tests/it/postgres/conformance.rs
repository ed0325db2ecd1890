//! The rules of the store, each in a database of its own, several at the same time.

use crowdlink_store::conformance::{self, START_MS, Subject};
use crowdlink_store::{ManualClock, PostgresOptions};
use futures::StreamExt;

use super::server::{Server, open_with, options};

/// Rules told at the same time.
const TOGETHER: usize = 4;

async fn subject(url: &str, options: PostgresOptions) -> Subject {
    let clock = ManualClock::new(START_MS);
    let store = open_with(url, clock.clone(), options).await.unwrap();
    Subject::of(store, clock, ())
}

async fn tell_every_rule(options: PostgresOptions) {
    let server = Server::start();
    let told = conformance::rules().into_iter().map(|rule| {
        let (server, options) = (&server, options.clone());
        async move {
            let subject = subject(&server.database().await, options).await;
            let told = tokio::spawn((rule.tell)(subject)).await;
            told.err().map(|error| format!("{}: {error}", rule.name))
        }
    });
    let told: Vec<_> = futures::stream::iter(told)
        .buffer_unordered(TOGETHER)
        .collect()
        .await;
    assert!(told.len() > 40, "only {} rules", told.len());
    let broken: Vec<_> = told.into_iter().flatten().collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_rule_holds_on_postgres() {
    tell_every_rule(options()).await;
}

/// Everything at its smallest: groups of few, one reader.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_rule_holds_on_postgres_cramped() {
    let options = PostgresOptions {
        group_commits_max: 2,
        group_bytes_max: 1,
        readers: 1,
        ..options()
    };
    tell_every_rule(options).await;
}
