//! What holds when many call at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::task::{JoinHandle, JoinSet, yield_now};

use super::{START_MS, Subject, text};
use crate::{Commit, Expect, Record, Store, StoreError};

const WRITERS: usize = 64;
const INCREMENTS: usize = 5;

fn number(record: Option<&Record>) -> usize {
    record.map_or(0, |record| {
        std::str::from_utf8(&record.value).unwrap().parse().unwrap()
    })
}

fn expect(record: Option<&Record>) -> Expect {
    record.map_or(Expect::Absent, |record| Expect::Version(record.version))
}

/// A counter incremented by compare-and-set loses nothing, and no two successes share a revision.
pub async fn sixty_four_writers_lose_no_increment(subject: Subject) {
    let mut tasks = JoinSet::new();
    for _ in 0..WRITERS {
        let store = Arc::clone(&subject.store);
        tasks.spawn(async move {
            let mut revisions = Vec::new();
            while revisions.len() < INCREMENTS {
                let found = store.get("n").await.unwrap();
                let next = number(found.as_ref()) + 1;
                let commit = Commit::new().check("n", expect(found.as_ref())).put(
                    "n",
                    next.to_string(),
                    None,
                );
                match store.commit(commit).await {
                    Ok(revision) => revisions.push(revision),
                    Err(StoreError::Conflict { .. }) => yield_now().await,
                    Err(error) => panic!("{error}"),
                }
            }
            revisions
        });
    }
    let mut revisions: Vec<_> = tasks.join_all().await.concat();
    revisions.sort_unstable();
    revisions.dedup();
    assert_eq!(revisions.len(), WRITERS * INCREMENTS);
    let counted = number(subject.get("n").await.as_ref());
    assert_eq!(counted, WRITERS * INCREMENTS);
}

/// `Expect::Absent` elects exactly one.
pub async fn one_of_many_creators_wins(subject: Subject) {
    let mut tasks = JoinSet::new();
    for n in 0..WRITERS {
        let store = Arc::clone(&subject.store);
        let commit = Commit::new()
            .check("lease", Expect::Absent)
            .put("lease", n.to_string(), None);
        tasks.spawn(async move { store.commit(commit).await.map(|_| n) });
    }
    let won: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(won.len(), 1);
    assert_eq!(number(subject.get("lease").await.as_ref()), won[0]);
}

/// Two who each check both records and delete their own never both succeed.
pub async fn write_skew_is_impossible(subject: Subject) {
    for round in 0..50 {
        let keys = [format!("{round}/a"), format!("{round}/b")];
        let put = keys.iter().fold(Commit::new(), |c, k| c.put(k, "1", None));
        subject.commit(put).await;
        let mut tasks = JoinSet::new();
        for own in keys.clone() {
            let store = Arc::clone(&subject.store);
            let keys = keys.clone();
            tasks.spawn(async move {
                let found = store.get_many(&keys).await.unwrap();
                if found.iter().any(Option::is_none) {
                    return;
                }
                let commit = keys.iter().zip(&found).fold(Commit::new(), |c, (key, r)| {
                    c.check(key, expect(r.as_ref()))
                });
                // A conflict is the rule at work.
                let _ = store.commit(commit.delete(own)).await;
            });
        }
        tasks.join_all().await;
        assert_eq!(subject.keys(&format!("{round}/")).await.len(), 1);
    }
}

/// A writer in the background, until told to stop.
struct Background {
    stop: Arc<AtomicBool>,
    rounds: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Background {
    /// Commits what `round` makes of 1, 2, 3, … and answers once the first round was committed.
    async fn start(
        store: &Arc<dyn Store>,
        round: impl Fn(usize) -> Commit + Send + 'static,
    ) -> Self {
        let store = Arc::clone(store);
        let stop = Arc::new(AtomicBool::new(false));
        let rounds = Arc::new(AtomicUsize::new(0));
        let (stopped, done) = (Arc::clone(&stop), Arc::clone(&rounds));
        let task = tokio::spawn(async move {
            while !stopped.load(Ordering::SeqCst) {
                store
                    .commit(round(done.load(Ordering::SeqCst) + 1))
                    .await
                    .unwrap();
                done.fetch_add(1, Ordering::SeqCst);
                yield_now().await;
            }
        });
        let background = Self { stop, rounds, task };
        background.wait_for(1).await;
        background
    }

    fn rounds(&self) -> usize {
        self.rounds.load(Ordering::SeqCst)
    }

    async fn wait_for(&self, rounds: usize) {
        while self.rounds() < rounds {
            assert!(!self.task.is_finished(), "the writer died");
            yield_now().await;
        }
    }

    async fn stop(self) {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await.unwrap();
    }
}

fn transfer(round: usize) -> Commit {
    let left = round % 101;
    Commit::new()
        .put("sum/a", left.to_string(), None)
        .put("sum/z", (100 - left).to_string(), None)
}

/// `get_many` under a writer that moves a sum between two keys.
pub async fn a_snapshot_never_shows_half_a_commit(subject: Subject) {
    let writer = Background::start(&subject.store, transfer).await;
    let keys = ["sum/a".to_owned(), "sum/z".to_owned()];
    for _ in 0..300 {
        let found = subject.store.get_many(&keys).await.unwrap();
        let [a, z] = &found[..] else {
            panic!("{found:?}")
        };
        assert_eq!(number(a.as_ref()) + number(z.as_ref()), 100);
        assert_eq!(expect(a.as_ref()), expect(z.as_ref()));
    }
    // The writer was alive all the while.
    writer.wait_for(writer.rounds() + 1).await;
    writer.stop().await;
}

/// A page is one snapshot too.
pub async fn a_scan_never_shows_half_a_commit(subject: Subject) {
    let writer = Background::start(&subject.store, transfer).await;
    for _ in 0..300 {
        let page = subject.store.scan("sum/", None, 10).await.unwrap();
        let sum: usize = page.iter().map(|entry| number(Some(&entry.record))).sum();
        assert_eq!((page.len(), sum), (2, 100));
    }
    writer.wait_for(writer.rounds() + 1).await;
    writer.stop().await;
}

/// Keys that stay are seen exactly once, in order, while others come, go and change around them.
pub async fn paging_beside_a_writer_loses_and_repeats_nothing(subject: Subject) {
    let stable: Vec<_> = (0..200).map(|n| format!("s/{n:03}")).collect();
    let fill = stable
        .iter()
        .fold(Commit::new(), |c, k| c.put(k, "1", None));
    subject.commit(fill).await;
    let writer = Background::start(&subject.store, |round| {
        let n = round * 37 % 200;
        Commit::new()
            .put(format!("s/{n:03}-new"), "1", None)
            .put(format!("s/{:03}", (n + 11) % 200), "2", None)
            .delete(format!("s/{:03}-new", (n + 23) % 200))
    })
    .await;
    for _ in 0..10 {
        let mut seen: Vec<String> = Vec::new();
        loop {
            let page = subject.page("s/", seen.last().map(String::as_str), 7).await;
            if page.is_empty() {
                break;
            }
            seen.extend(page);
        }
        assert!(seen.is_sorted_by(|a, b| a < b));
        seen.retain(|key| !key.ends_with("-new"));
        assert_eq!(seen, stable);
    }
    writer.wait_for(writer.rounds() + 1).await;
    writer.stop().await;
}

/// Keys expire and are written again while sweeps run; none of the new records is lost.
pub async fn a_sweep_beside_a_writer_removes_no_live_record(subject: Subject) {
    let mut tasks = JoinSet::new();
    for task in 0..8 {
        let store = Arc::clone(&subject.store);
        tasks.spawn(async move {
            for n in 0..20 {
                let key = format!("{task}/{n}");
                let dead = Commit::new().put(&key, text("0"), Some(START_MS));
                store.commit(dead).await.unwrap();
                let live = Commit::new().check(&key, Expect::Absent).put(
                    &key,
                    text("1"),
                    Some(START_MS + 1),
                );
                store.commit(live).await.unwrap();
                assert!(store.get(&key).await.unwrap().is_some(), "{key}");
            }
        });
    }
    while !tasks.is_empty() {
        subject.store.sweep(3).await.unwrap();
        yield_now().await;
        while let Some(done) = tasks.try_join_next() {
            done.unwrap();
        }
    }
    assert_eq!(subject.keys("").await.len(), 160);
    subject.clock.advance_ms(1);
    assert_eq!(subject.store.sweep(1_000).await, Ok(160));
}
