//! A bus of nodes that does what a test says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crowdlink_core::{Bus, LocalBus, Message, Subscription};
use parking_lot::Mutex;

/// What becomes of a message on its way to other nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Carried,
    /// Kept until [`Wire::deliver`].
    Delayed,
    /// Gone; nobody knows before [`Wire::tell_loss`].
    Lost,
}

#[derive(Debug)]
struct Traffic {
    way: Way,
    delayed: Vec<(usize, Message)>,
}

/// What connects the nodes.
#[derive(Debug)]
pub struct Wire {
    nodes: Vec<LocalBus>,
    traffic: Mutex<Traffic>,
    up: AtomicBool,
}

impl Wire {
    pub fn new(nodes: usize) -> Arc<Self> {
        Arc::new(Self {
            nodes: (0..nodes).map(|_| LocalBus::new()).collect(),
            traffic: Mutex::new(Traffic {
                way: Way::Carried,
                delayed: Vec::new(),
            }),
            up: AtomicBool::new(true),
        })
    }

    pub fn end(self: &Arc<Self>, node: usize) -> Arc<dyn Bus> {
        Arc::new(End {
            wire: Arc::clone(self),
            node,
        })
    }

    /// What happens to messages from now on.
    pub fn set(&self, way: Way) {
        self.traffic.lock().way = way;
    }

    /// Whether the nodes know that they are cut off.
    pub fn set_up(&self, up: bool) {
        self.up.store(up, Ordering::Relaxed);
    }

    /// Brings what was delayed.
    pub fn deliver(&self) {
        let delayed = std::mem::take(&mut self.traffic.lock().delayed);
        for (from, message) in delayed {
            self.carry(from, &message);
        }
    }

    /// Tells every node that messages are gone.
    pub fn tell_loss(&self) {
        for node in &self.nodes {
            node.lose();
        }
    }

    fn carry(&self, from: usize, message: &Message) {
        for (n, node) in self.nodes.iter().enumerate() {
            if n != from {
                node.publish(message.clone());
            }
        }
    }

    fn publish(&self, from: usize, message: Message) {
        let mut traffic = self.traffic.lock();
        match traffic.way {
            Way::Carried => self.carry(from, &message),
            Way::Delayed => traffic.delayed.push((from, message.clone())),
            Way::Lost => {}
        }
        drop(traffic);
        self.nodes[from].publish(message);
    }
}

/// The wire as one node has it.
#[derive(Debug)]
struct End {
    wire: Arc<Wire>,
    node: usize,
}

impl Bus for End {
    fn publish(&self, message: Message) {
        self.wire.publish(self.node, message);
    }

    fn subscribe(&self) -> Subscription {
        self.wire.nodes[self.node].subscribe()
    }

    fn is_up(&self) -> bool {
        self.wire.up.load(Ordering::Relaxed)
    }
}
