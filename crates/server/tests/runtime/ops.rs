use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use async_trait::async_trait;
use crowdlink_core::{Bus, LocalBus, Message, Subscription};
use crowdlink_server::ops::{MeteredStore, Metrics, Readiness, Watched, router};
use crowdlink_server::shutdown::Shutdown;
use crowdlink_store::{Commit, Entry, ManualClock, Record, Store, StoreError};

use crate::harness::{TestServer, get, limits, soon, start};

/// A store that is well (0), broken (1), silent (2) or contended (3).
#[derive(Debug, Default)]
struct MoodyStore(AtomicU8);

impl MoodyStore {
    async fn answer<T>(&self, value: T) -> Result<T, StoreError> {
        match self.0.load(Ordering::Relaxed) {
            0 => Ok(value),
            1 => Err(StoreError::Unavailable("on purpose".into())),
            2 => std::future::pending().await,
            _ => Err(StoreError::Conflict { key: "k".into() }),
        }
    }
}

#[async_trait]
impl Store for MoodyStore {
    async fn get(&self, _: &str) -> Result<Option<Record>, StoreError> {
        self.answer(None).await
    }
    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Record>>, StoreError> {
        self.answer(vec![None; keys.len()]).await
    }
    async fn scan(&self, _: &str, _: Option<&str>, _: usize) -> Result<Vec<Entry>, StoreError> {
        self.answer(Vec::new()).await
    }
    async fn commit(&self, _: Commit) -> Result<u64, StoreError> {
        self.answer(7).await
    }
    async fn sweep(&self, limit: usize) -> Result<usize, StoreError> {
        self.answer(limit).await
    }
    async fn ping(&self) -> Result<(), StoreError> {
        self.answer(()).await
    }
}

/// Reaches the other nodes, or does not.
#[derive(Debug, Default)]
struct MoodyBus {
    down: AtomicBool,
    local: LocalBus,
}

impl Bus for MoodyBus {
    fn publish(&self, message: Message) {
        self.local.publish(message);
    }
    fn subscribe(&self) -> Subscription {
        self.local.subscribe()
    }
    fn is_up(&self) -> bool {
        !self.down.load(Ordering::Relaxed)
    }
}

struct Node {
    store: Arc<MoodyStore>,
    bus: Arc<MoodyBus>,
    clock: Arc<ManualClock>,
    shutdown: Shutdown,
    readiness: Arc<Readiness>,
    metrics: Arc<Metrics>,
    server: TestServer,
}

fn node() -> Node {
    let store = Arc::new(MoodyStore::default());
    let clock = ManualClock::new(0);
    let shutdown = Shutdown::new();
    let bus = Arc::new(MoodyBus::default());
    let watched = Watched {
        store: Arc::clone(&store) as Arc<dyn Store>,
        bus: Arc::clone(&bus) as Arc<dyn Bus>,
    };
    let readiness = Arc::new(Readiness::new(
        watched,
        shutdown.clone(),
        Arc::clone(&clock) as _,
        1_000,
    ));
    let metrics = Arc::new(Metrics::new());
    let server = start(
        router(Arc::clone(&metrics), Arc::clone(&readiness)),
        limits(),
    );
    Node {
        store,
        bus,
        clock,
        shutdown,
        readiness,
        metrics,
        server,
    }
}

/// Every node is without the bus at once as a rule: none is better than the others.
#[tokio::test]
async fn a_node_without_its_bus_is_degraded_and_takes_callers() {
    let node = node();
    node.readiness.started();
    node.bus.down.store(true, Ordering::Relaxed);
    let response = get(node.server.address, "/readyz").await;
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    let body = r#"{"ready":true,"process":"running","store":"ok","bus":"degraded"}"#;
    assert!(response.ends_with(body), "{response}");
}

#[tokio::test]
async fn readiness_says_which_part_is_not_well() {
    let node = node();
    let ask = || get(node.server.address, "/readyz");
    let check = |response: &str, status: u16, process: &str, store: &str| {
        let ready = status == 200;
        let body =
            format!(r#"{{"ready":{ready},"process":"{process}","store":"{store}","bus":"ok"}}"#);
        assert!(
            response.starts_with(&format!("HTTP/1.1 {status}")),
            "{response}"
        );
        assert!(
            response.contains("content-type: application/json"),
            "{response}"
        );
        assert!(response.ends_with(&body), "{response}");
    };
    check(&ask().await, 503, "starting", "ok");
    node.readiness.started();
    check(&ask().await, 200, "running", "ok");
    node.store.0.store(1, Ordering::Relaxed);
    check(&ask().await, 503, "running", "failed");
    node.store.0.store(0, Ordering::Relaxed);
    node.shutdown.drain();
    check(&ask().await, 503, "draining", "ok");
    assert!(
        get(node.server.address, "/healthz")
            .await
            .starts_with("HTTP/1.1 200")
    );
}

#[tokio::test]
async fn a_store_slower_than_a_second_is_not_ready() {
    let node = node();
    node.readiness.started();
    node.store.0.store(2, Ordering::Relaxed);
    let mut report = Box::pin(node.readiness.report());
    assert!(futures::poll!(report.as_mut()).is_pending());
    node.clock.advance_ms(999);
    assert!(futures::poll!(report.as_mut()).is_pending());
    node.clock.advance_ms(1);
    let report = soon(report).await;
    assert_eq!((report.ready, report.store), (false, "slow"));
}

#[tokio::test]
async fn metrics_are_open_metrics_text_with_the_process_and_every_family() {
    let node = node();
    let own = prometheus_client::metrics::counter::Counter::<u64>::default();
    own.inc_by(5);
    node.metrics
        .register(|registry| registry.register("votes", "Votes", own.clone()));
    let response = get(node.server.address, "/metrics").await;
    assert!(response.contains("content-type: application/openmetrics-text; version=1.0.0"));
    assert!(response.ends_with("# EOF\n"), "{response}");
    let line = "crowdlink_votes_total 5";
    assert!(response.contains(line), "{line} is not in {response}");
    let value = |name: &str| -> u64 {
        let line = response
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("no {name} in {response}"))[name.len() + 1..]
            .parse()
            .unwrap()
    };
    assert!(value("process_resident_memory_bytes") > 1_000_000);
    let open = value("process_open_fds");
    assert!(open > 3 && open <= value("process_max_fds"));
}

#[tokio::test]
async fn every_call_of_the_store_is_measured_by_its_outcome() {
    let moody = Arc::new(MoodyStore::default());
    let metrics = Metrics::new();
    let store = MeteredStore::new(Arc::clone(&moody) as Arc<dyn Store>, metrics.store.clone());
    assert_eq!(store.commit(Commit::new()).await, Ok(7));
    assert_eq!(store.sweep(9).await, Ok(9));
    assert_eq!(store.get_many(&["a".into()]).await, Ok(vec![None]));
    assert_eq!(store.get("a").await, Ok(None));
    assert_eq!(store.scan("a", None, 1).await, Ok(Vec::new()));
    moody.0.store(3, Ordering::Relaxed);
    assert!(store.commit(Commit::new()).await.is_err());
    moody.0.store(1, Ordering::Relaxed);
    assert!(store.ping().await.is_err());
    let text = metrics.encode().unwrap();
    for (operation, outcome) in [
        ("commit", "ok"),
        ("sweep", "ok"),
        ("get_many", "ok"),
        ("get", "ok"),
        ("scan", "ok"),
        ("commit", "conflict"),
        ("ping", "unavailable"),
    ] {
        let line = format!(
            "crowdlink_store_operation_duration_seconds_count{{operation=\"{operation}\",outcome=\"{outcome}\"}} 1"
        );
        assert!(text.contains(&line), "{line} is not in {text}");
    }
}
