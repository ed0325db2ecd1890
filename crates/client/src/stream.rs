//! Streams of events.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::Stream;
use futures::future::poll_fn;
use tokio::sync::Notify;

use crate::queue::{Queue, Told};

/// Events as they come. It lives through reconnects, and ends (`None`) when the game is closed, has
/// to be paired again, or its last [`Game`](crate::Game) is dropped. Dropping a stream ends its
/// subscription, unless another stream has the same.
///
/// At most [`EVENTS_MAX`](crate::EVENTS_MAX) events and [`EVENT_BYTES_MAX`](crate::EVENT_BYTES_MAX)
/// bytes wait for a game that reads slowly. Of state, configuration and polls, older news make room for
/// newer ones of the same thing, silently. Of purchases, datastream, matchmaking and
/// [`Game::events`](crate::Game::events), where every event counts, the oldest go and a
/// [`Gap`](crate::Gap) takes their place.
pub struct EventStream<T> {
    queue: Arc<Queue>,
    left: Arc<Notify>,
    read: fn(Told) -> Option<T>,
}

impl<T> EventStream<T> {
    pub(crate) fn new(queue: Arc<Queue>, left: Arc<Notify>, read: fn(Told) -> Option<T>) -> Self {
        Self { queue, left, read }
    }

    /// The next event, once there is one. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<T> {
        poll_fn(|context| self.poll_event(context)).await
    }

    fn poll_event(&self, context: &mut Context<'_>) -> Poll<Option<T>> {
        loop {
            let told = match self.queue.poll_next(context) {
                Poll::Ready(Some(told)) => told,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            };
            if let Some(event) = (self.read)(told) {
                return Poll::Ready(Some(event));
            }
        }
    }
}

impl<T> Stream for EventStream<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        self.poll_event(context)
    }
}

impl<T> fmt::Debug for EventStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventStream(…)")
    }
}

impl<T> Drop for EventStream<T> {
    fn drop(&mut self) {
        self.queue.leave();
        self.left.notify_one();
    }
}
