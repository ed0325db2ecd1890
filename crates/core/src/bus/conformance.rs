//! The rules of the bus, told on every kind of it. A rule that is not here does not exist.
//!
//! [`crate::bus_conformance_tests!`] makes one named test of each rule:
//!
//! ```ignore
//! crowdlink_core::bus_conformance_tests!(local, async || Subject::of(nodes, lose, ()));
//! ```
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "these are tests: they fail by panicking"
)]

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{BACKLOG_MESSAGES_MAX, Bus, Delivery, Message, Subscription};

/// How long a delivery may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Messages on their way at once: fewer than any bus holds.
const WINDOW_MESSAGES: usize = 1_000;

/// The same bus as each of its nodes has it, none of which has published yet.
pub struct Subject {
    /// Two nodes or more, which hear each other.
    pub nodes: Vec<Arc<dyn Bus>>,
    lose: Box<dyn Fn() + Send + Sync>,
    _guard: Box<dyn Any + Send + Sync>,
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("nodes", &self.nodes)
            .finish_non_exhaustive()
    }
}

impl Subject {
    /// A subject that keeps `guard` until it is dropped; `lose` does what must make every node
    /// believe that messages are gone.
    pub fn of(
        nodes: Vec<Arc<dyn Bus>>,
        lose: impl Fn() + Send + Sync + 'static,
        guard: impl Any + Send + Sync,
    ) -> Self {
        Self {
            nodes,
            lose: Box::new(lose),
            _guard: Box::new(guard),
        }
    }

    fn subscribe(&self) -> Vec<Subscription> {
        self.nodes.iter().map(|node| node.subscribe()).collect()
    }
}

fn message(topic: &str, payload: impl Into<Bytes>) -> Message {
    Message {
        topic: topic.to_owned(),
        payload: payload.into(),
    }
}

async fn next(subscription: &mut Subscription) -> Delivery {
    let next = tokio::time::timeout(PATIENCE, subscription.next()).await;
    next.expect("nothing was delivered").unwrap()
}

async fn hears(subscription: &mut Subscription) -> Message {
    match next(subscription).await {
        Delivery::Message(message) => message,
        Delivery::Lost => panic!("messages were lost"),
    }
}

/// The sender's own node hears it like all the others.
pub async fn every_node_hears_what_one_publishes(subject: Subject) {
    let mut subscriptions = subject.subscribe();
    for (n, node) in subject.nodes.iter().enumerate() {
        let sent = message("topic", n.to_string());
        node.publish(sent.clone());
        for subscription in &mut subscriptions {
            assert_eq!(hears(subscription).await, sent);
        }
    }
}

/// Ordered for each publisher, whatever the others publish in between.
pub async fn what_one_node_publishes_comes_in_its_order(subject: Subject) {
    let mut subscriptions = subject.subscribe();
    let rounds = WINDOW_MESSAGES / subject.nodes.len();
    for round in 0..rounds {
        for (n, node) in subject.nodes.iter().enumerate() {
            node.publish(message(&n.to_string(), round.to_string()));
        }
    }
    for subscription in &mut subscriptions {
        let mut heard = vec![0; subject.nodes.len()];
        for _ in 0..rounds * subject.nodes.len() {
            let message = hears(subscription).await;
            let from: usize = message.topic.parse().unwrap();
            assert_eq!(message.payload, heard[from].to_string());
            heard[from] += 1;
        }
    }
}

/// Topics are compared byte for byte and come back as they were given.
pub async fn no_two_topics_are_mixed_up(subject: Subject) {
    let mut subscriptions = subject.subscribe();
    let topics = [
        "a",
        "A",
        "a.b",
        "a.b.",
        ".",
        "*",
        ">",
        "a.*",
        "a.>",
        "a b",
        "a\tb",
        "a\r\nb",
        "%",
        "%2E",
        "a%2Eb",
        "ä",
        "/",
        "",
        "sandbox/x/channel/4",
        "\u{0}",
    ];
    for topic in topics {
        subject.nodes[0].publish(message(topic, topic.to_owned()));
    }
    for subscription in &mut subscriptions {
        for topic in topics {
            assert_eq!(hears(subscription).await, message(topic, topic.to_owned()));
        }
    }
}

/// Many who listen on one node all hear the same.
pub async fn many_subscribers_of_a_node_hear_all(subject: Subject) {
    let mut subscriptions: Vec<_> = (0..100).flat_map(|_| subject.subscribe()).collect();
    for n in 0..10 {
        subject.nodes[0].publish(message("topic", n.to_string()));
    }
    for subscription in &mut subscriptions {
        for n in 0..10 {
            assert_eq!(hears(subscription).await.payload, n.to_string());
        }
    }
}

/// What was published before somebody subscribed is not for him.
pub async fn a_subscriber_hears_only_what_comes_after(subject: Subject) {
    let mut before = subject.subscribe();
    subject.nodes[0].publish(message("topic", "1"));
    for subscription in &mut before {
        hears(subscription).await;
    }
    let mut after = subject.subscribe();
    subject.nodes[0].publish(message("topic", "2"));
    for subscription in &mut after {
        assert_eq!(hears(subscription).await.payload, "2");
    }
}

/// None is lost and none told twice, where nobody is too far behind.
pub async fn ten_thousand_messages_come_complete(subject: Subject) {
    let mut subscriptions = subject.subscribe();
    for window in 0..10_000 / WINDOW_MESSAGES {
        let numbers = window * WINDOW_MESSAGES..(window + 1) * WINDOW_MESSAGES;
        for n in numbers.clone() {
            subject.nodes[0].publish(message("topic", format!("{n} {}", "x".repeat(n % 300))));
        }
        for subscription in &mut subscriptions {
            for n in numbers.clone() {
                let payload = hears(subscription).await.payload;
                assert_eq!(payload, format!("{n} {}", "x".repeat(n % 300)));
            }
        }
    }
}

/// A payload of no bytes, and ones far beyond what one frame of a network carries.
pub async fn a_payload_of_any_size_comes_whole(subject: Subject) {
    let mut subscriptions = subject.subscribe();
    for bytes in [0, 1, 64 * 1024, 1024 * 1024 - 1, 1024 * 1024, 5_000_000] {
        let payload: Vec<u8> = (0..=250).cycle().take(bytes).collect();
        subject.nodes[0].publish(message("topic", payload.clone()));
        subject.nodes[0].publish(message("after", "it"));
        for subscription in &mut subscriptions {
            assert!(
                hears(subscription).await.payload == payload,
                "{bytes} bytes"
            );
            assert_eq!(hears(subscription).await, message("after", "it"));
        }
    }
}

/// Whoever cannot follow is told, and goes on with what is newer.
pub async fn who_is_too_far_behind_is_told(subject: Subject) {
    let mut followers = subject.subscribe();
    let mut sleepers = subject.subscribe();
    let all = BACKLOG_MESSAGES_MAX + WINDOW_MESSAGES;
    for first in (0..all).step_by(WINDOW_MESSAGES) {
        let numbers = first..(first + WINDOW_MESSAGES).min(all);
        for n in numbers.clone() {
            subject.nodes[0].publish(message("topic", n.to_string()));
        }
        for follower in &mut followers {
            for n in numbers.clone() {
                assert_eq!(hears(follower).await.payload, n.to_string());
            }
        }
    }
    for sleeper in &mut sleepers {
        assert_eq!(next(sleeper).await, Delivery::Lost);
        let mut last = String::new();
        while last != (all - 1).to_string() {
            let payload = hears(sleeper).await.payload;
            last = String::from_utf8(payload.to_vec()).unwrap();
        }
    }
}

/// Every node is told that messages are gone, and hears again what comes after.
pub async fn loss_is_told_and_is_not_the_end(subject: Subject) {
    let mut subscriptions = subject.subscribe();
    (subject.lose)();
    for subscription in &mut subscriptions {
        while next(subscription).await != Delivery::Lost {}
    }
    // At most once: what is published while a node finds its way back may be gone too.
    for (n, subscription) in subscriptions.iter_mut().enumerate() {
        let heard = async {
            loop {
                subject.nodes[0].publish(message("again", n.to_string()));
                let soon = Duration::from_millis(50);
                while let Ok(delivery) = tokio::time::timeout(soon, subscription.next()).await {
                    if delivery == Some(Delivery::Message(message("again", n.to_string()))) {
                        return;
                    }
                }
            }
        };
        let heard = tokio::time::timeout(PATIENCE, heard).await;
        assert!(heard.is_ok(), "node {n} never heard again");
    }
}

/// Publishing never waits for anybody, and so many publishers at once lose nothing.
pub async fn publishers_at_the_same_time_keep_their_order(subject: Subject) {
    let mut subscriptions = subject.subscribe();
    let publish = |from: usize| {
        let node = Arc::clone(&subject.nodes[from % subject.nodes.len()]);
        tokio::task::spawn_blocking(move || {
            for n in 0..WINDOW_MESSAGES / 8 {
                node.publish(message(&from.to_string(), n.to_string()));
            }
        })
    };
    let publishing: Vec<_> = (0..8).map(publish).collect();
    for one in publishing {
        one.await.unwrap();
    }
    for subscription in &mut subscriptions {
        let mut heard = [0; 8];
        for _ in 0..WINDOW_MESSAGES / 8 * 8 {
            let message = hears(subscription).await;
            let from: usize = message.topic.parse().unwrap();
            assert_eq!(message.payload, heard[from].to_string());
            heard[from] += 1;
        }
    }
}

/// Makes a module of tests, one for each rule: `bus_conformance_tests!(name, make)`, where
/// `make()` is an async function that gives a fresh [`Subject`].
#[macro_export]
macro_rules! bus_conformance_tests {
    ($bus:ident, $make:expr) => {
        $crate::bus_conformance_tests!(@rules $bus, $make,
            every_node_hears_what_one_publishes
            what_one_node_publishes_comes_in_its_order
            no_two_topics_are_mixed_up
            many_subscribers_of_a_node_hear_all
            a_subscriber_hears_only_what_comes_after
            ten_thousand_messages_come_complete
            a_payload_of_any_size_comes_whole
            who_is_too_far_behind_is_told
            loss_is_told_and_is_not_the_end
            publishers_at_the_same_time_keep_their_order
        );
    };
    (@rules $bus:ident, $make:expr, $($rule:ident)*) => {
        mod $bus {
            #[allow(unused_imports)]
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() {
                $crate::bus_conformance::$rule(($make)().await).await;
            })*
        }
    };
}
