//! The bus between nodes: at most once, ordered for each publisher (DESIGN 3).

#[cfg(feature = "conformance")]
pub mod conformance;

use std::fmt;

use bytes::Bytes;
use tokio::sync::broadcast;

/// Most messages a subscriber may be behind before it is told that it lost some.
const BACKLOG_MESSAGES_MAX: usize = 4_096;

/// What travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where it was published.
    pub topic: String,
    /// What was published.
    pub payload: Bytes,
}

/// What a subscriber gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// A message.
    Message(Message),
    /// Some messages are gone: re-read what they told of.
    Lost,
}

/// Carries what concerns every node. Loss is possible, so nothing may rest on the bus alone.
pub trait Bus: fmt::Debug + Send + Sync + 'static {
    /// Sends to every subscriber, also the sender's own node. Never waits.
    fn publish(&self, message: Message);
    /// Everything published from now on.
    fn subscribe(&self) -> Subscription;
    /// Whether word comes from the other nodes and reaches them, as far as this one knows. A node
    /// that is alone misses nobody.
    fn is_up(&self) -> bool {
        true
    }
}

/// A subscriber's end.
#[derive(Debug)]
pub struct Subscription(broadcast::Receiver<Delivery>);

impl Subscription {
    /// The next delivery; `None` when the bus is gone.
    pub async fn next(&mut self) -> Option<Delivery> {
        match self.0.recv().await {
            Ok(delivery) => Some(delivery),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Delivery::Lost),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// The bus of a server that is alone; inside a networked bus, its end within the node.
#[derive(Debug)]
pub struct LocalBus(broadcast::Sender<Delivery>);

impl LocalBus {
    /// An empty bus.
    pub fn new() -> Self {
        Self(broadcast::Sender::new(BACKLOG_MESSAGES_MAX))
    }

    /// Tells every subscriber that messages are gone: for a bus that rests on this one and saw a gap.
    pub fn lose(&self) {
        // Fails only where nobody listens.
        let _ = self.0.send(Delivery::Lost);
    }
}

impl Default for LocalBus {
    fn default() -> Self {
        Self::new()
    }
}

impl Bus for LocalBus {
    fn publish(&self, message: Message) {
        // Fails only where nobody listens.
        let _ = self.0.send(Delivery::Message(message));
    }

    fn subscribe(&self) -> Subscription {
        Subscription(self.0.subscribe())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_arrive_in_order_and_loss_is_told() {
        let bus = LocalBus::new();
        let mut subscription = bus.subscribe();
        let message = |n: usize| Message {
            topic: n.to_string(),
            payload: Bytes::new(),
        };
        bus.publish(message(1));
        bus.publish(message(2));
        assert_eq!(
            subscription.next().await,
            Some(Delivery::Message(message(1)))
        );
        assert_eq!(
            subscription.next().await,
            Some(Delivery::Message(message(2)))
        );
        bus.lose();
        assert_eq!(subscription.next().await, Some(Delivery::Lost));
        for n in 0..=BACKLOG_MESSAGES_MAX {
            bus.publish(message(n));
        }
        assert_eq!(subscription.next().await, Some(Delivery::Lost));
        assert_eq!(
            subscription.next().await,
            Some(Delivery::Message(message(1)))
        );
    }
}
