//! The rules of the store, several at the same time, each on a store of its own.

use crowdlink_store::conformance::{self, Rule, START_MS, Subject};
use crowdlink_store::{ManualClock, PostgresOptions};
use futures::future::join_all;
use parking_lot::Mutex;

use super::server::{Server, open_with, options, run};

/// Rules told at the same time, each in a database of its own.
const TOGETHER: usize = 4;

/// Tells one rule after the other; answers with those that were broken.
async fn lane(url: String, rules: &Mutex<Vec<Rule>>, options: &PostgresOptions) -> Vec<String> {
    let mut broken = Vec::new();
    loop {
        let Some(rule) = rules.lock().pop() else {
            return broken;
        };
        run(&url, "DROP SCHEMA IF EXISTS crowdlink CASCADE").await;
        let clock = ManualClock::new(START_MS);
        let store = open_with(&url, clock.clone(), options.clone()).await;
        let subject = Subject::of(store.unwrap(), clock, ());
        if let Err(error) = tokio::spawn((rule.tell)(subject)).await {
            broken.push(format!("{}: {error}", rule.name));
        }
    }
}

async fn tell_every_rule(options: PostgresOptions) {
    let server = Server::start();
    let rules = conformance::rules();
    assert!(rules.len() > 40, "only {} rules", rules.len());
    let rules = Mutex::new(rules);
    let mut urls = Vec::new();
    for _ in 0..TOGETHER {
        urls.push(server.database().await);
    }
    let lanes = urls.into_iter().map(|url| lane(url, &rules, &options));
    let broken = join_all(lanes).await.concat();
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
