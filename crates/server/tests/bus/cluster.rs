//! Nodes on one NATS server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crowdlink_core::{Bus, Delivery, Message, SeededRandom, Subscription};
use crowdlink_server::bus::{NatsBus, Servers};
use crowdlink_store::SystemClock;

/// How long a condition may take to come true.
const PATIENCE: Duration = Duration::from_secs(20);
/// Seeds of nodes: none is used twice, as no name of a node is.
static SEEDS: AtomicU64 = AtomicU64::new(0);

/// A node on the servers of an address.
pub fn node(url: &str) -> Arc<NatsBus> {
    node_of(url, "crowdlink")
}

/// The same of a cluster that is named so.
pub fn node_of(url: &str, subject: &str) -> Arc<NatsBus> {
    let seed = SEEDS.fetch_add(1, Ordering::Relaxed);
    let random = Arc::new(SeededRandom::from_seed(seed));
    let servers = Servers::parse(url).unwrap();
    NatsBus::start(servers, subject, Arc::new(SystemClock::new()), random)
}

/// Nodes that hear each other.
pub async fn nodes(url: &str, count: usize) -> Vec<Arc<NatsBus>> {
    let nodes: Vec<_> = (0..count).map(|_| node(url)).collect();
    for node in &nodes {
        eventually("the nodes hear each other", || {
            node.is_up() && node.peers() == count - 1
        })
        .await;
    }
    nodes
}

/// Waits until a condition holds.
pub async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "never happened: {what}");
}

pub fn message(text: &str) -> Message {
    Message {
        topic: "topic".to_owned(),
        payload: text.to_owned().into(),
    }
}

/// The next delivery.
pub async fn next(subscription: &mut Subscription) -> Delivery {
    let next = tokio::time::timeout(PATIENCE, subscription.next()).await;
    next.expect("nothing was delivered").unwrap()
}

/// Waits for the word that messages are gone; what else was heard before.
pub async fn lost(subscription: &mut Subscription) -> Vec<Message> {
    let mut heard = Vec::new();
    loop {
        match next(subscription).await {
            Delivery::Message(message) => heard.push(message),
            Delivery::Lost => return heard,
        }
    }
}

/// A figure of a node.
pub fn figure(node: &NatsBus, name: &str) -> u64 {
    let figures = node.figures();
    let found = figures.iter().find(|figure| figure.name == name);
    found.expect("no such figure").value
}
