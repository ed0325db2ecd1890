//! What a node knows of the bus, connected or not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_nats::Message as Arrived;
use crowdlink_core::{Bus, LocalBus, Message, Random};
use crowdlink_store::Clock;
use parking_lot::Mutex;

use super::figures::{Counts, Figure};
use super::outbound::Outbound;
use super::peers::{Heard, Peers};
use super::subject::{Subject, Subjects};
use super::wire::Label;

/// Time between two heartbeats.
pub(super) const HEARTBEAT_MS: u64 = 500;
/// Time between two times that the node is told of loss: whoever is told reads much again.
const LOSE_MS_MIN: u64 = 250;

/// When the node was told last that messages are gone, and whether more are since.
#[derive(Debug, Default)]
struct Losses {
    told_ms: Option<u64>,
    untold: bool,
}

#[derive(Debug)]
pub(super) struct Link {
    /// The name of this node as a publisher.
    node: String,
    pub(super) subjects: Subjects,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    pub(super) outbound: Outbound,
    pub(super) counts: Counts,
    local: LocalBus,
    peers: Mutex<Peers>,
    losses: Mutex<Losses>,
    up: AtomicBool,
    /// When the connection was lost last (monotonic ms).
    down_ms: AtomicU64,
}

impl Link {
    pub(super) fn new(subject: &str, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        let mut name = [0; 16];
        random.fill(&mut name);
        Self {
            node: format!("{:032x}", u128::from_be_bytes(name)),
            subjects: Subjects::new(subject),
            outbound: Outbound::default(),
            counts: Counts::default(),
            local: LocalBus::new(),
            peers: Mutex::default(),
            losses: Mutex::default(),
            up: AtomicBool::new(false),
            down_ms: AtomicU64::new(clock.monotonic_ms()),
            clock,
            random,
        }
    }

    pub(super) fn local(&self) -> &LocalBus {
        &self.local
    }

    pub(super) fn is_up(&self) -> bool {
        self.up.load(Ordering::Acquire)
    }

    pub(super) fn peers(&self) -> usize {
        self.peers.lock().len()
    }

    pub(super) fn figures(&self) -> Vec<Figure> {
        self.counts.figures(self.is_up(), self.peers())
    }

    pub(super) fn publish(&self, message: Message) {
        if self
            .outbound
            .push(message, |message| self.local.publish(message))
        {
            self.counts.published.add(1);
        } else {
            self.counts.dropped.add(1);
        }
    }

    /// The connection stands, and hears everything from now on.
    pub(super) fn connected(&self) {
        self.outbound.open();
        self.peers.lock().resume(self.clock.monotonic_ms());
        self.up.store(true, Ordering::Release);
        self.counts.connects.add(1);
        // What happened meanwhile nobody told us.
        self.lose();
    }

    /// It does not, for as long as this (ms).
    pub(super) fn disconnected(&self) -> u64 {
        let now_ms = self.clock.monotonic_ms();
        if self.up.swap(false, Ordering::AcqRel) {
            self.down_ms.store(now_ms, Ordering::Release);
        }
        let dropped = self.outbound.close();
        self.counts.dropped.add(dropped as u64);
        now_ms.saturating_sub(self.down_ms.load(Ordering::Acquire))
    }

    /// How a part of a message of ours is labelled.
    pub(super) fn label(&self, sequence: u64, part: (usize, usize)) -> Label {
        Label {
            node: self.node.clone(),
            sequence,
            part,
        }
    }

    /// Takes what NATS brought.
    pub(super) fn receive(&self, arrived: Arrived) {
        let label = arrived.headers.as_ref().and_then(Label::read);
        let subject = self.subjects.read(&arrived.subject);
        let (Some(label), Some(subject)) = (label, subject) else {
            self.counts.foreign.add(1);
            return;
        };
        if label.node == self.node {
            return;
        }
        let now_ms = self.clock.monotonic_ms();
        let heard = match subject {
            Subject::Heartbeat => self.peers.lock().heartbeat(&label, now_ms),
            Subject::Event(topic) => {
                let part = (topic, arrived.payload);
                self.peers.lock().message(&label, part, now_ms)
            }
        };
        let Heard { message, gap, gone } = heard;
        if let Some(message) = message {
            self.counts.received.add(1);
            self.local.publish(message);
        }
        if gap {
            self.counts.gaps.add(1);
            self.counts.gone.add(gone);
            self.lose();
        }
    }

    /// The client library dropped what we were too slow to take.
    pub(super) fn overrun(&self) {
        self.counts.gaps.add(1);
        self.lose();
    }

    /// Looks for nodes that are silent, and tells what was not told yet.
    pub(super) fn look(&self) {
        let now_ms = self.clock.monotonic_ms();
        if self.peers.lock().forget_silent(now_ms) > 0 {
            self.lose();
        }
        if self.losses.lock().untold {
            self.lose();
        }
    }

    /// Tells the node that messages are gone, now or in a moment.
    fn lose(&self) {
        let now_ms = self.clock.monotonic_ms();
        {
            let mut losses = self.losses.lock();
            let soon = losses.told_ms.is_some_and(|ms| now_ms < ms + LOSE_MS_MIN);
            losses.untold = soon;
            if soon {
                return;
            }
            losses.told_ms = Some(now_ms);
        }
        self.local.lose();
    }
}

#[cfg(test)]
mod tests {
    use crowdlink_core::{Delivery, SeededRandom};
    use crowdlink_store::ManualClock;
    use futures::FutureExt as _;

    use super::*;

    fn link(clock: &Arc<ManualClock>) -> Link {
        let random = Arc::new(SeededRandom::from_seed(1));
        Link::new("crowdlink", clock.clone(), random)
    }

    #[test]
    fn of_many_losses_in_a_moment_the_first_and_the_last_are_told() {
        let clock = ManualClock::new(0);
        let link = link(&clock);
        let mut subscription = link.local.subscribe();
        let mut told = || {
            let mut count = 0;
            while let Some(next) = subscription.next().now_or_never() {
                assert_eq!(next, Some(Delivery::Lost));
                count += 1;
            }
            count
        };
        for _ in 0..1_000 {
            link.overrun();
        }
        assert_eq!(told(), 1);
        link.look();
        assert_eq!(told(), 0);
        clock.advance_ms(LOSE_MS_MIN);
        link.look();
        assert_eq!(told(), 1);
        clock.advance_ms(LOSE_MS_MIN);
        link.look();
        assert_eq!(told(), 0);
    }

    #[test]
    fn what_others_write_under_our_subjects_is_counted_and_left() {
        let clock = ManualClock::new(0);
        let link = link(&clock);
        let mut subscription = link.local.subscribe();
        let arrived = |subject: &str, label: Option<Label>| Arrived {
            subject: subject.into(),
            reply: None,
            payload: bytes::Bytes::from_static(b"x"),
            headers: label.map(|label| label.headers()),
            status: None,
            description: None,
            length: 0,
        };
        link.receive(arrived("crowdlink.event.t", None));
        let mut label = link.label(1, (0, 1));
        // Our own, from a server that does not know that we want no echo.
        link.receive(arrived("crowdlink.event.t", Some(label.clone())));
        label.node = "other".to_owned();
        link.receive(arrived("crowdlink.foreign", Some(label.clone())));
        assert!(subscription.next().now_or_never().is_none());
        assert_eq!(link.counts.foreign.get(), 2);
        link.receive(arrived("crowdlink.event.t", Some(label)));
        assert!(subscription.next().now_or_never().is_some());
    }
}
