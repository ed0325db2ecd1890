//! The datastream on its way to games: in order, in batches (`spec 2.8`).

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use crowdlink_protocol::{StreamBatch, StreamItem, encode_event};
use parking_lot::Mutex;
use serde_json::value::RawValue;
use tokio::sync::Notify;

use crate::live::{Frame, Live, Session, SubscribeError};

/// Time between two batches of a channel.
const BATCH_MS: u64 = 100;
/// A batch this large does not wait: to lose nothing comes before the pace.
const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// How long an event is held that found no game.
const HELD_MS: u64 = 1_000;
/// What is held for the games of one channel; the oldest goes first.
const HELD_CHANNEL_BYTES_MAX: usize = 256 * 1024;
/// What is held for all channels that have no game now; more is not held.
const HELD_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What an event costs beside its text.
const ITEM_BYTES: usize = 64;

#[derive(Debug)]
struct Waiting {
    item: StreamItem,
    since_ms: u64,
}

impl Waiting {
    fn bytes(&self) -> usize {
        self.item.event.get().len() + ITEM_BYTES
    }
}

/// What waits for the games of one channel.
#[derive(Debug, Default)]
struct Channel {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// When the next batch may go.
    next_ms: u64,
    /// When to look again.
    due_ms: u64,
}

impl Channel {
    fn push(&mut self, waiting: Waiting) {
        self.bytes += waiting.bytes();
        self.waiting.push_back(waiting);
    }

    fn pop(&mut self) -> Option<Waiting> {
        let waiting = self.waiting.pop_front()?;
        self.bytes -= waiting.bytes();
        Some(waiting)
    }

    fn forget_old(&mut self, now_ms: u64) {
        let is_old = |waiting: &Waiting| now_ms >= waiting.since_ms + HELD_MS;
        while self.waiting.front().is_some_and(is_old) {
            self.pop();
        }
    }
}

/// Channels by topic: those for which something waits, and those that had a batch just now.
#[derive(Debug, Default)]
struct Channels {
    by_topic: HashMap<String, Channel>,
    /// Each of them once, by the time to look at it.
    due: BTreeSet<(u64, String)>,
    bytes: usize,
}

#[derive(Debug)]
pub(super) struct Datastream {
    live: Arc<Live>,
    /// Locked while a batch is told, so that it is in order and nobody misses one.
    channels: Mutex<Channels>,
    woken: Notify,
}

impl Datastream {
    pub(super) fn new(live: &Arc<Live>) -> Self {
        Self {
            live: Arc::clone(live),
            channels: Mutex::default(),
            woken: Notify::new(),
        }
    }

    fn now_ms(&self) -> u64 {
        self.live.clock().monotonic_ms()
    }

    /// An event for the games of a channel. Never waits.
    pub(super) fn push(&self, topic: String, event: Box<RawValue>, at_ms: i64) {
        let now_ms = self.now_ms();
        let timestamp = at_ms / 1_000;
        let waiting = Waiting {
            item: StreamItem { event, timestamp },
            since_ms: now_ms,
        };
        let mut channels = self.channels.lock();
        let has_game = self.live.hub().subscribers(&topic) > 0;
        if !has_game && channels.bytes + waiting.bytes() > HELD_BYTES_MAX {
            tracing::debug!("an event that no game hears is not held: too many are");
            return;
        }
        let mut channel = channels.take(&topic);
        channel.push(waiting);
        if !has_game {
            channel.forget_old(now_ms);
            while channel.bytes > HELD_CHANNEL_BYTES_MAX && channel.pop().is_some() {}
        }
        self.look(&mut channels, topic, channel, now_ms);
        drop(channels);
        self.woken.notify_one();
    }

    pub(super) fn join(
        &self,
        session: &Arc<Session>,
        topic: &str,
        answered: impl FnOnce(),
    ) -> Result<(), SubscribeError> {
        let now_ms = self.now_ms();
        let mut channels = self.channels.lock();
        // What is over must not be told to the one who comes now.
        let mut channel = channels.take(topic);
        if self.live.hub().subscribers(topic) == 0 {
            channel.forget_old(now_ms);
        }
        let subscribed = self.live.hub().subscribe(session, topic);
        if subscribed.is_ok() {
            answered();
        }
        self.look(&mut channels, topic.to_owned(), channel, now_ms);
        drop(channels);
        self.woken.notify_one();
        subscribed.map(|_| ())
    }

    /// Tells what may be told now, and puts the channel back for the rest.
    fn look(&self, channels: &mut Channels, topic: String, mut channel: Channel, now_ms: u64) {
        let has_game = self.live.hub().subscribers(&topic) > 0;
        let may_go = now_ms >= channel.next_ms || channel.bytes >= BATCH_BYTES_MAX;
        if has_game && may_go && !channel.waiting.is_empty() && self.tell(&topic, &channel) {
            channel.waiting = VecDeque::new();
            channel.bytes = 0;
            channel.next_ms = now_ms + BATCH_MS;
        }
        if !has_game {
            channel.forget_old(now_ms);
        }
        let due_ms = match channel.waiting.front() {
            Some(first) if !has_game => first.since_ms + HELD_MS,
            // Also where every game that was there is about to go, and took nothing.
            Some(_) => channel.next_ms.max(now_ms + 1),
            None if now_ms < channel.next_ms => channel.next_ms,
            None => return,
        };
        channels.put(topic, channel, due_ms);
    }

    /// Sends everything that waits as one frame; whether a game took it.
    fn tell(&self, topic: &str, channel: &Channel) -> bool {
        let events = channel
            .waiting
            .iter()
            .map(|waiting| &waiting.item)
            .collect();
        let now_ms = self.live.clock().now_ms();
        match encode_event("datastream", now_ms, &StreamBatch { events }) {
            Ok(text) => self.live.hub().publish(topic, &Frame::text(&text)) > 0,
            Err(error) => {
                tracing::error!(%error, "an event could not be encoded");
                true
            }
        }
    }

    /// Tells what is due, until it is dropped.
    pub(super) async fn run(&self) {
        let clock = Arc::clone(self.live.clock());
        loop {
            let next = self.channels.lock().due.first().map(|(due_ms, _)| *due_ms);
            match next {
                None => self.woken.notified().await,
                Some(due_ms) => {
                    let wait_ms = due_ms.saturating_sub(self.now_ms());
                    tokio::select! {
                        () = self.woken.notified() => {}
                        () = clock.sleep_ms(wait_ms) => {}
                    }
                }
            }
            let now_ms = self.now_ms();
            loop {
                let mut channels = self.channels.lock();
                let Some(topic) = channels.next_due(now_ms) else {
                    break;
                };
                let channel = channels.take(&topic);
                self.look(&mut channels, topic, channel, now_ms);
            }
        }
    }
}

impl Channels {
    fn next_due(&self, now_ms: u64) -> Option<String> {
        let (due_ms, topic) = self.due.first()?;
        (*due_ms <= now_ms).then(|| topic.clone())
    }

    /// A channel, out of the books until it is put back.
    fn take(&mut self, topic: &str) -> Channel {
        let Some((topic, channel)) = self.by_topic.remove_entry(topic) else {
            return Channel::default();
        };
        self.bytes -= channel.bytes;
        self.due.remove(&(channel.due_ms, topic));
        channel
    }

    fn put(&mut self, topic: String, mut channel: Channel, due_ms: u64) {
        channel.due_ms = due_ms;
        self.bytes += channel.bytes;
        self.due.insert((due_ms, topic.clone()));
        self.by_topic.insert(topic, channel);
    }
}

#[cfg(test)]
mod tests {
    use crowdlink_store::ManualClock;

    use super::*;
    use crate::live::LiveLimits;

    #[tokio::test]
    async fn what_is_held_for_all_channels_is_bounded_and_goes_after_a_second() {
        let clock = ManualClock::new(0);
        let live = Live::start(clock.clone(), LiveLimits::default());
        let stream = Arc::new(Datastream::new(&live));
        let text = format!("{{\"a\":\"{}\"}}", "x".repeat(8_000));
        for channel in 0..100 {
            for _ in 0..40 {
                let event = RawValue::from_string(text.clone()).unwrap();
                stream.push(channel.to_string(), event, 0);
            }
        }
        {
            let channels = stream.channels.lock();
            let largest = channels
                .by_topic
                .values()
                .map(|channel| channel.bytes)
                .max();
            assert!(largest <= Some(HELD_CHANNEL_BYTES_MAX));
            assert!(channels.bytes <= HELD_BYTES_MAX);
            assert!(channels.bytes > HELD_BYTES_MAX - HELD_CHANNEL_BYTES_MAX);
            assert_eq!(channels.due.len(), channels.by_topic.len());
        }
        let running = {
            let stream = Arc::clone(&stream);
            tokio::spawn(async move { stream.run().await })
        };
        clock.advance_ms(HELD_MS);
        while !stream.channels.lock().by_topic.is_empty() {
            assert!(!running.is_finished(), "nobody looks any more");
            tokio::task::yield_now().await;
        }
        let channels = stream.channels.lock();
        assert_eq!((channels.bytes, channels.due.len()), (0, 0));
        running.abort();
    }
}
