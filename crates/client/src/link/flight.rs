//! Requests that were sent and are not yet answered.

use std::collections::VecDeque;
use std::sync::Arc;

use crowdlink_protocol::REQUEST_ID_NONE;
use serde_json::value::RawValue;

use super::{Answer, Repeat};
use crate::error::Error;
use crate::frame::Ask;
use crate::queue::Queue;
use crate::topic::Topic;

/// Requests on their way; further ones wait.
pub(crate) const IN_FLIGHT_MAX: usize = 256;

/// A request and who wants its answer.
#[derive(Debug)]
pub(crate) enum Pending {
    /// The game's own.
    Call {
        ask: Ask,
        repeat: Repeat,
        answer: Answer<Option<Box<RawValue>>>,
    },
    /// A stream's first subscription.
    Subscribe {
        topic: Topic,
        queue: Arc<Queue>,
        answer: Answer<()>,
    },
    /// Of the library itself: again after a reconnect.
    Resubscribe(Topic),
    /// The last stream of a topic is gone.
    Unsubscribe(Topic),
    /// What is now, after a reconnect.
    Reread(Topic),
    /// A new access token before the old one ends.
    Reauthenticate(Ask),
}

impl Pending {
    /// The request; `None` where there is none.
    pub(crate) fn ask(&self) -> Option<Ask> {
        match self {
            Self::Call { ask, .. } | Self::Reauthenticate(ask) => Some(ask.clone()),
            Self::Subscribe { topic, .. } | Self::Resubscribe(topic) => topic.subscribe().ok(),
            Self::Unsubscribe(topic) => topic.unsubscribe().ok(),
            Self::Reread(topic) => topic.reread(),
        }
    }

    /// Whether nobody waits for it any more: then it need not be sent.
    pub(crate) fn is_abandoned(&self) -> bool {
        match self {
            Self::Call { answer, .. } => answer.is_closed(),
            Self::Subscribe { answer, .. } => answer.is_closed(),
            Self::Resubscribe(_)
            | Self::Unsubscribe(_)
            | Self::Reread(_)
            | Self::Reauthenticate(_) => false,
        }
    }

    /// Tells whoever waits that there is no answer.
    pub(crate) fn fail(self, error: Error) {
        // Who has gone does not want to know.
        match self {
            Self::Call { answer, .. } => drop(answer.send(Err(error))),
            Self::Subscribe { answer, .. } => drop(answer.send(Err(error))),
            Self::Resubscribe(_)
            | Self::Unsubscribe(_)
            | Self::Reread(_)
            | Self::Reauthenticate(_) => {}
        }
    }

    /// What is left of it when the connection ends before the answer: what may be asked again.
    fn survive(self) -> Option<Self> {
        match self {
            Self::Call {
                repeat: Repeat::Never,
                answer,
                ..
            } => {
                drop(answer.send(Err(Error::Interrupted)));
                None
            }
            Self::Call { .. } | Self::Subscribe { .. } => Some(self),
            // They belong to the connection.
            Self::Resubscribe(_)
            | Self::Unsubscribe(_)
            | Self::Reread(_)
            | Self::Reauthenticate(_) => None,
        }
    }
}

#[derive(Debug)]
struct Sent {
    id: u16,
    at_ms: i64,
    pending: Pending,
}

/// The requests on their way, in order.
#[derive(Debug, Default)]
pub(crate) struct Flight {
    sent: VecDeque<Sent>,
    next_id: u16,
}

impl Flight {
    /// Whether one more may go. What nobody waits for any more makes room.
    pub(crate) fn has_room(&mut self) -> bool {
        if self.sent.len() >= IN_FLIGHT_MAX {
            self.sent.retain(|sent| !sent.pending.is_abandoned());
        }
        self.sent.len() < IN_FLIGHT_MAX
    }

    /// An id that no request on its way has.
    pub(crate) fn free_id(&mut self) -> u16 {
        loop {
            let id = self.next_id;
            self.next_id = if id + 1 == REQUEST_ID_NONE { 0 } else { id + 1 };
            if self.sent.iter().all(|sent| sent.id != id) {
                return id;
            }
        }
    }

    /// One goes.
    pub(crate) fn depart(&mut self, id: u16, at_ms: i64, pending: Pending) {
        self.sent.push_back(Sent { id, at_ms, pending });
    }

    /// One is answered: when it was sent, and what it was.
    pub(crate) fn arrive(&mut self, id: u16) -> Option<(i64, Pending)> {
        let place = self.sent.iter().position(|sent| sent.id == id)?;
        let Sent { at_ms, pending, .. } = self.sent.remove(place)?;
        Some((at_ms, pending))
    }

    /// The connection ended: what may be asked again, in order.
    pub(crate) fn interrupt(&mut self) -> VecDeque<Pending> {
        let sent = self.sent.drain(..);
        sent.filter_map(|sent| sent.pending.survive()).collect()
    }

    /// Everything on its way.
    pub(crate) fn take_all(&mut self) -> Vec<Pending> {
        self.sent.drain(..).map(|sent| sent.pending).collect()
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    type Waiting = oneshot::Receiver<Result<Option<Box<RawValue>>, Error>>;

    fn call(repeat: Repeat) -> (Pending, Waiting) {
        let (answer, waiting) = oneshot::channel();
        let ask = Ask::bare("get", "state");
        let pending = Pending::Call {
            ask,
            repeat,
            answer,
        };
        (pending, waiting)
    }

    #[test]
    fn ids_are_never_that_of_events_nor_one_on_its_way() {
        let mut flight = Flight::default();
        let (held, _waiting) = call(Repeat::Always);
        let first = flight.free_id();
        flight.depart(first, 0, held);
        for _ in 0..200_000 {
            let id = flight.free_id();
            assert!(id != first && id != REQUEST_ID_NONE);
        }
    }

    #[test]
    fn no_more_than_the_bound_are_on_their_way_and_who_went_makes_room() {
        let mut flight = Flight::default();
        let mut waiting = Vec::new();
        while flight.has_room() {
            let (pending, one) = call(Repeat::Always);
            let id = flight.free_id();
            flight.depart(id, 0, pending);
            waiting.push(one);
        }
        assert_eq!(waiting.len(), IN_FLIGHT_MAX);
        waiting.pop();
        assert!(flight.has_room());
        assert_eq!(flight.take_all().len(), IN_FLIGHT_MAX - 1);
    }

    #[test]
    fn an_interruption_keeps_reads_in_order_and_fails_writes() {
        let mut flight = Flight::default();
        let (read, _reader) = call(Repeat::Always);
        let (write, mut writer) = call(Repeat::Never);
        flight.depart(0, 0, Pending::Resubscribe(Topic::Datastream));
        flight.depart(1, 0, read);
        flight.depart(2, 0, write);
        let kept = flight.interrupt();
        assert!(matches!(kept.as_slices().0, [Pending::Call { .. }]));
        assert_eq!(writer.try_recv().unwrap().unwrap_err(), Error::Interrupted);
        assert!(flight.take_all().is_empty());
    }

    #[test]
    fn an_answer_that_nobody_asked_for_is_nobodys() {
        assert!(Flight::default().arrive(5).is_none());
    }
}
