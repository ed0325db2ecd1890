//! The bus between the nodes: at most once, in the order of each publisher, at any time.

use std::collections::VecDeque;
use std::sync::Arc;

use crowdlink_core::{Bus, LocalBus, Message, Subscription};
use parking_lot::Mutex;

use crate::NODES;

#[derive(Default)]
struct Inner {
    /// From, to.
    queues: [[VecDeque<Message>; NODES]; NODES],
    cut: [[bool; NODES]; NODES],
    /// To whom messages are gone without a word yet.
    gaps: [bool; NODES],
}

#[derive(Default)]
pub struct Wire(Mutex<Inner>);

impl Wire {
    /// Links, from and to, that something is under way on.
    pub fn busy(&self) -> Vec<(usize, usize)> {
        let inner = self.0.lock();
        let links = (0..NODES).flat_map(|from| (0..NODES).map(move |to| (from, to)));
        links
            .filter(|(from, to)| !inner.queues[*from][*to].is_empty())
            .collect()
    }

    pub fn take(&self, (from, to): (usize, usize)) -> Option<Message> {
        self.0.lock().queues[from][to].pop_front()
    }

    /// Loses the next message of a link.
    pub fn lose(&self, (from, to): (usize, usize)) {
        let mut inner = self.0.lock();
        if inner.queues[from][to].pop_front().is_some() {
            inner.gaps[to] = true;
        }
    }

    /// To whom it can be told now that messages are gone: not while nothing gets there.
    pub fn gaps(&self) -> Vec<usize> {
        let inner = self.0.lock();
        let reached = |to: usize| (0..NODES).any(|from| from != to && !inner.cut[from][to]);
        (0..NODES)
            .filter(|to| inner.gaps[*to] && reached(*to))
            .collect()
    }

    /// It is being told.
    pub fn told(&self, to: usize) {
        self.0.lock().gaps[to] = false;
    }

    pub fn set_cut(&self, (from, to): (usize, usize), cut: bool) {
        self.0.lock().cut[from][to] = cut;
    }

    pub fn is_cut(&self, (from, to): (usize, usize)) -> bool {
        self.0.lock().cut[from][to]
    }

    /// What was on its way to a node that is no more.
    pub fn forget(&self, to: usize) {
        let mut inner = self.0.lock();
        for from in 0..NODES {
            inner.queues[from][to].clear();
        }
        inner.gaps[to] = false;
    }

    fn publish(&self, from: usize, message: &Message) {
        let mut inner = self.0.lock();
        for to in (0..NODES).filter(|to| *to != from) {
            inner.queues[from][to].push_back(message.clone());
        }
    }
}

/// A node's end.
#[derive(Debug)]
pub struct NodeBus {
    node: usize,
    pub local: LocalBus,
    wire: Arc<Wire>,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire").finish_non_exhaustive()
    }
}

impl NodeBus {
    pub fn new(node: usize, wire: &Arc<Wire>) -> Arc<Self> {
        Arc::new(Self {
            node,
            local: LocalBus::new(),
            wire: Arc::clone(wire),
        })
    }
}

impl Bus for NodeBus {
    fn publish(&self, message: Message) {
        self.wire.publish(self.node, &message);
        self.local.publish(message);
    }

    fn subscribe(&self) -> Subscription {
        self.local.subscribe()
    }
}
