//! The database goes away and comes back; the network breaks.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crowdlink_store::{Commit, PostgresOptions, PostgresStore, Store, StoreError, SystemClock};
use services::Proxy;
use tokio::task::{JoinSet, yield_now};

use super::server::{Server, open_for_real, open_with, options};
use crate::harness::{put, value};

const WRITERS: usize = 16;
/// What every call must be answered in, and some more for a machine under load.
const BOUND: Duration = Duration::from_secs(8);

async fn in_time<T>(call: impl Future<Output = T>) -> T {
    tokio::time::timeout(BOUND, call)
        .await
        .expect("a call hangs")
}

/// Writers that go on whatever they are answered.
struct Writers {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    tasks: JoinSet<BTreeSet<String>>,
}

impl Writers {
    fn start(store: &Arc<PostgresStore>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        for writer in 0..WRITERS {
            let (store, stop) = (Arc::clone(store), Arc::clone(&stop));
            let acknowledged = Arc::clone(&acknowledged);
            tasks.spawn(async move {
                let mut own = BTreeSet::new();
                for n in 0.. {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let key = format!("{writer:02}/{n:06}");
                    let commit = Commit::new().put(format!("a/{key}"), "1", None).put(
                        format!("z/{key}"),
                        "1",
                        None,
                    );
                    match in_time(store.commit(commit)).await {
                        Ok(_) => {
                            own.insert(key);
                            acknowledged.fetch_add(1, Ordering::SeqCst);
                        }
                        Err(StoreError::Unavailable(_)) => yield_now().await,
                        Err(error) => panic!("{error}"),
                    }
                }
                own
            });
        }
        Self {
            stop,
            acknowledged,
            tasks,
        }
    }

    /// Waits until so many more commits were acknowledged.
    async fn go_on(&self, more: usize) {
        let wanted = self.acknowledged.load(Ordering::SeqCst) + more;
        while self.acknowledged.load(Ordering::SeqCst) < wanted {
            yield_now().await;
        }
    }

    async fn stop(self) -> BTreeSet<String> {
        self.stop.store(true, Ordering::SeqCst);
        self.tasks.join_all().await.into_iter().flatten().collect()
    }
}

async fn keys(store: &PostgresStore, side: &str) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut after: Option<String> = None;
    loop {
        let page = store.scan(side, after.as_deref(), 5_000).await.unwrap();
        let Some(last) = page.last() else {
            return keys;
        };
        after = Some(last.key.clone());
        keys.extend(page.iter().map(|entry| entry.key[side.len()..].to_owned()));
    }
}

/// Nothing acknowledged is lost, nothing is half there.
async fn verify(store: &PostgresStore, acknowledged: &BTreeSet<String>) {
    let (a, z) = (keys(store, "a/").await, keys(store, "z/").await);
    assert_eq!(a, z, "half a commit");
    let lost: Vec<_> = acknowledged.difference(&a).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_the_database_loses_nothing_and_service_comes_back() {
    let server = Server::start();
    let store = open_for_real(&server.database().await).await;
    let writers = Writers::start(&store);
    for round in 0..4 {
        writers.go_on(200).await;
        if round % 2 == 0 {
            server.postgres.stop().unwrap();
        } else {
            server.postgres.kill().unwrap();
        }
        server.postgres.start_again().unwrap();
    }
    writers.go_on(200).await;
    let acknowledged = writers.stop().await;
    assert!(acknowledged.len() >= 1_000);
    verify(&store, &acknowledged).await;
}

#[tokio::test]
async fn calls_are_answered_while_the_database_is_away() {
    let server = Server::start();
    let store = open_for_real(&server.database().await).await;
    put(store.as_ref(), "k", "1").await;
    server.postgres.stop().unwrap();
    for _ in 0..4 {
        let get = in_time(store.get("k")).await;
        assert!(matches!(get, Err(StoreError::Unavailable(_))), "{get:?}");
        let commit = in_time(store.commit(Commit::new())).await;
        assert!(
            matches!(commit, Err(StoreError::Unavailable(_))),
            "{commit:?}"
        );
        let ping = in_time(store.ping()).await;
        assert!(matches!(ping, Err(StoreError::Unavailable(_))), "{ping:?}");
    }
    server.postgres.start_again().unwrap();
    while in_time(store.ping()).await.is_err() {}
    assert_eq!(value(store.as_ref(), "k").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn idle_connections_that_died_are_replaced_unnoticed() {
    let server = Server::start();
    let store = open_for_real(&server.database().await).await;
    put(store.as_ref(), "k", "1").await;
    server.postgres.stop().unwrap();
    server.postgres.start_again().unwrap();
    assert_eq!(value(store.as_ref(), "k").await.as_deref(), Some("1"));
    put(store.as_ref(), "k", "2").await;
}

async fn through(proxy: &Proxy, server: &Server) -> Arc<PostgresStore> {
    let url = server.database().await;
    let (_, name) = url.rsplit_once('/').unwrap();
    let url = format!("postgres://crowdlink@{}/{name}", proxy.address());
    let options = PostgresOptions {
        answer_ms_max: 400,
        connect_ms_max: 200,
        lock_ms_max: 200,
        ..options()
    };
    let clock = Arc::new(SystemClock::new());
    open_with(&url, clock, options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_stalls_hangs_no_call_and_heals() {
    let server = Server::start();
    let address = ([127, 0, 0, 1], server.postgres.port()).into();
    let proxy = Proxy::start(address).unwrap();
    let store = through(&proxy, &server).await;
    put(store.as_ref(), "k", "1").await;
    for _ in 0..2 {
        proxy.stall().unwrap();
        let calls = futures::join!(
            in_time(store.get("k")),
            in_time(store.scan("k", None, 10)),
            in_time(store.commit(Commit::new().put("k", "2", None))),
        );
        assert!(calls.0.is_err() && calls.1.is_err() && calls.2.is_err());
        proxy.heal().unwrap();
        while in_time(store.ping()).await.is_err() {}
    }
    put(store.as_ref(), "k", "3").await;
    assert_eq!(value(store.as_ref(), "k").await.as_deref(), Some("3"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_breaks_again_and_again_loses_nothing() {
    let server = Server::start();
    let address = ([127, 0, 0, 1], server.postgres.port()).into();
    let proxy = Proxy::start(address).unwrap();
    let store = through(&proxy, &server).await;
    let writers = Writers::start(&store);
    for _ in 0..10 {
        writers.go_on(50).await;
        proxy.cut().unwrap();
        proxy.heal().unwrap();
    }
    writers.go_on(50).await;
    let acknowledged = writers.stop().await;
    verify(&store, &acknowledged).await;
}
