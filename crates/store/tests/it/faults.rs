//! The engine in memory when things go wrong.

use std::sync::Arc;

use crowdlink_store::{Commit, Expect, Faults, ManualClock, MemoryStore, Store, StoreError};

use crate::harness::{assert_unavailable, put, value};

const TROUBLE: Faults = Faults {
    refuse_per_mille: 150,
    unknown_per_mille: 150,
    delay_per_mille: 500,
    yields_max: 7,
};

/// Moves 1 from one account to the next, until told that it happened or that it may have.
async fn transfers(store: Arc<MemoryStore>, from: usize) -> (usize, usize) {
    let keys = [
        format!("account/{from}"),
        format!("account/{}", (from + 1) % 4),
    ];
    let (mut done, mut unknown) = (0, 0);
    for _ in 0..200 {
        let Ok(found) = store.get_many(&keys).await else {
            continue;
        };
        let commit = found.iter().zip(&keys).zip([-1, 1]).fold(
            Commit::new(),
            |commit, ((record, key), change)| {
                let record = record.as_ref().unwrap();
                let balance: i64 = std::str::from_utf8(&record.value).unwrap().parse().unwrap();
                commit.check(key, Expect::Version(record.version)).put(
                    key,
                    (balance + change).to_string(),
                    None,
                )
            },
        );
        match store.commit(commit).await {
            Ok(_) => done += 1,
            Err(StoreError::Unavailable(_)) => unknown += 1,
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    (done, unknown)
}

async fn ledger(seed: u64) -> (Vec<(usize, usize)>, Vec<String>) {
    let store = MemoryStore::new(ManualClock::new(0));
    for n in 0..4 {
        put(store.as_ref(), &format!("account/{n}"), "1000").await;
    }
    let faulty = MemoryStore::with_faults(ManualClock::new(0), seed, Faults::default());
    for n in 0..4 {
        put(faulty.as_ref(), &format!("account/{n}"), "1000").await;
    }
    faulty.set_faults(TROUBLE);
    let tasks = (0..4).map(|from| transfers(faulty.clone(), from));
    let outcomes = futures::future::join_all(tasks).await;
    faulty.set_faults(Faults::default());
    let mut balances = Vec::new();
    for n in 0..4 {
        balances.push(
            value(faulty.as_ref(), &format!("account/{n}"))
                .await
                .unwrap(),
        );
    }
    (outcomes, balances)
}

#[tokio::test]
async fn unknown_outcomes_never_break_atomicity() {
    for seed in 0..20 {
        let (outcomes, balances) = ledger(seed).await;
        let sum: i64 = balances.iter().map(|b| b.parse::<i64>().unwrap()).sum();
        assert_eq!(sum, 4_000, "seed {seed}: {balances:?}");
        for (done, unknown) in outcomes {
            assert!(done > 0 && unknown > 0, "seed {seed}: faults did not bite");
        }
    }
}

#[tokio::test]
async fn the_same_seed_fails_in_the_same_way() {
    assert_eq!(ledger(11).await, ledger(11).await);
    assert_ne!(ledger(11).await, ledger(12).await);
}

#[tokio::test]
async fn each_fault_is_what_its_name_says() {
    let store = MemoryStore::new(ManualClock::new(0));
    put(store.as_ref(), "k", "1").await;
    store.set_faults(Faults {
        refuse_per_mille: 1_000,
        ..Faults::default()
    });
    let put2 = || Commit::new().put("k", "2", None);
    assert_unavailable(store.commit(put2()).await, "not applied");
    assert_unavailable(store.get("k").await, "not applied");
    store.set_faults(Faults::default());
    assert_eq!(value(store.as_ref(), "k").await.as_deref(), Some("1"));

    store.set_faults(Faults {
        unknown_per_mille: 1_000,
        ..Faults::default()
    });
    assert_unavailable(store.commit(put2()).await, "outcome unknown");
    assert_eq!(value(store.as_ref(), "k").await.as_deref(), Some("2"));
    // A conflict is known: nothing happened.
    let conflict = Commit::new().check("k", Expect::Absent);
    assert!(matches!(
        store.commit(conflict).await,
        Err(StoreError::Conflict { .. })
    ));
}

#[tokio::test]
async fn a_store_that_is_down_answers_nothing_and_changes_nothing() {
    let store = MemoryStore::new(ManualClock::new(0));
    put(store.as_ref(), "k", "1").await;
    store.set_down(true);
    assert_unavailable(store.ping().await, "down");
    assert_unavailable(store.get("k").await, "down");
    assert_unavailable(store.get_many(&[]).await, "down");
    assert_unavailable(store.scan("", None, 1).await, "down");
    assert_unavailable(store.commit(Commit::new().delete("k")).await, "down");
    assert_unavailable(store.sweep(1).await, "down");
    store.set_down(false);
    store.ping().await.unwrap();
    assert_eq!(value(store.as_ref(), "k").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn every_read_and_commit_is_counted() {
    let store = MemoryStore::new(ManualClock::new(0));
    store.get("k").await.unwrap();
    store.get_many(&[]).await.unwrap();
    store.scan("", None, 1).await.unwrap();
    store.commit(Commit::new()).await.unwrap();
    store.set_down(true);
    let _ = store.commit(Commit::new()).await;
    let _ = store.get("k").await;
    assert_eq!((store.reads(), store.commits()), (4, 2));
}
