//! Random stories, told to all engines: they must give the same answers, word for word.

use std::sync::Arc;

use crowdlink_store::{Commit, Expect, ManualClock, MemoryStore, Store};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::harness::open_with_clock;
use crate::postgres::server::{self, Server};

#[derive(Clone, Debug)]
enum Change {
    PutUntil(i64),
    Put,
    Delete,
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<(String, u8)>, Vec<(String, Change)>),
    Get(String),
    GetMany(Vec<String>),
    Scan(String, Option<String>, usize),
    Sweep(usize),
    Advance(u64),
}

fn key() -> impl Strategy<Value = String> {
    let parts = [
        "a",
        "a/",
        "a/b",
        "a0",
        "b%",
        "b_",
        "\u{e9}",
        "\u{ffff}",
        "\u{10FFFF}",
    ];
    vec(proptest::sample::select(parts.to_vec()), 1..3).prop_map(|parts| parts.concat())
}

fn step() -> impl Strategy<Value = Step> {
    let change = prop_oneof![
        2 => (0..60_i64).prop_map(Change::PutUntil),
        2 => Just(Change::Put),
        1 => Just(Change::Delete),
    ];
    let writes = vec((key(), change), 0..4);
    prop_oneof![
        6 => (vec((key(), 0..4_u8), 0..3), writes).prop_map(|(c, w)| Step::Commit(c, w)),
        2 => key().prop_map(Step::Get),
        1 => vec(key(), 0..5).prop_map(Step::GetMany),
        3 => (proptest::option::of(key()), proptest::option::of(key()), 0..9_usize)
            .prop_map(|(prefix, after, limit)| Step::Scan(prefix.unwrap_or_default(), after, limit)),
        1 => (0..4_usize).prop_map(Step::Sweep),
        2 => (0..20_u64).prop_map(Step::Advance),
    ]
}

/// What a step answers, as text.
async fn answer(store: &dyn Store, step: &Step, number: usize) -> String {
    match step {
        Step::Commit(checks, writes) => {
            let mut commit = Commit::new();
            for (key, kind) in checks {
                let expect = match kind {
                    0 => Expect::Absent,
                    1 => Expect::Any,
                    2 => Expect::Version(3),
                    _ => match store.get(key).await.unwrap() {
                        Some(record) => Expect::Version(record.version),
                        None => Expect::Absent,
                    },
                };
                commit = commit.check(key, expect);
            }
            for (key, write) in writes {
                commit = match write {
                    Change::PutUntil(at_ms) => commit.put(key, number.to_string(), Some(*at_ms)),
                    Change::Put => commit.put(key, number.to_string(), None),
                    Change::Delete => commit.delete(key),
                };
            }
            format!("{:?}", store.commit(commit).await)
        }
        Step::Get(key) => format!("{:?}", store.get(key).await),
        Step::GetMany(keys) => format!("{:?}", store.get_many(keys).await),
        Step::Scan(prefix, after, limit) => {
            format!("{:?}", store.scan(prefix, after.as_deref(), *limit).await)
        }
        Step::Sweep(limit) => format!("{:?}", store.sweep(*limit).await),
        Step::Advance(_) => String::new(),
    }
}

/// Tells a story to an engine and, step by step, to the one in memory.
async fn tell(
    steps: &[Step],
    clock: &ManualClock,
    engine: &dyn Store,
    memory: &dyn Store,
) -> Result<(), TestCaseError> {
    for (number, step) in steps.iter().enumerate() {
        if let Step::Advance(ms) = step {
            clock.advance_ms(*ms);
        }
        let expected = answer(memory, step, number).await;
        let found = answer(engine, step, number).await;
        prop_assert_eq!(found, expected, "step {}: {:?}", number, step);
    }
    Ok(())
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 40,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn sqlite_gives_the_same_answers(steps in vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let clock = ManualClock::new(0);
        let directory = tempfile::tempdir().unwrap();
        let sqlite = open_with_clock(directory.path(), clock.clone());
        let memory: Arc<dyn Store> = MemoryStore::new(clock.clone());
        runtime.block_on(tell(&steps, &clock, &*sqlite, &*memory))?;
    }
}

/// One server and one database for all stories.
#[test]
fn postgres_gives_the_same_answers() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = Server::start();
    let url = runtime.block_on(server.database());
    let tell_anew = |steps: Vec<Step>| {
        runtime.block_on(async {
            server::run(&url, "DROP SCHEMA IF EXISTS crowdlink CASCADE").await;
            let clock = ManualClock::new(0);
            let options = server::options();
            let store = server::open_with(&url, clock.clone(), options).await;
            let memory: Arc<dyn Store> = MemoryStore::new(clock.clone());
            tell(&steps, &clock, &*store.unwrap(), &*memory).await
        })
    };
    let mut runner = TestRunner::new(config());
    runner.run(&vec(step(), 1..40), tell_anew).unwrap();
}
