//! What waits for the platform in one channel.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::events::ViewerEvent;

/// Most messages that wait in one channel: an event makes one for each target and each part.
pub(super) const WAITING_MESSAGES_MAX: usize = 2_000;
/// Most bytes that wait in one channel.
pub(super) const WAITING_CHANNEL_BYTES_MAX: usize = 1024 * 1024;
/// Most bytes that wait in all channels.
pub(super) const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Broadcasts and whispers that could not go for so long are not sent any more.
pub(super) const STALE_MS: u64 = 120_000;
/// By how much the clocks of two nodes may differ, and the time that word takes between them.
const CLOCKS_APART_MS: i64 = 1_000;
/// What a message costs beside its text.
const MESSAGE_BYTES: usize = 64;

/// An event that waits.
#[derive(Debug)]
struct Waiting {
    /// Of those of one name only the newest waits.
    name: Option<String>,
    /// As the platform calls them.
    targets: Vec<String>,
    messages: Arc<[String]>,
    /// How many messages of it have gone.
    gone: usize,
    /// Tells an event from the one that took its place.
    number: u64,
    /// When it was heard of (monotonic ms, and Unix ms).
    heard_ms: u64,
    heard_at_ms: i64,
}

/// One message that is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Next {
    /// Of which event.
    pub(super) number: u64,
    /// For whom.
    pub(super) target: String,
    messages: Arc<[String]>,
    part: usize,
}

impl Next {
    /// The text.
    pub(super) fn message(&self) -> &str {
        self.messages.get(self.part).map_or("", String::as_str)
    }
}

/// What became of an event that came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pushed {
    /// Older ones it took the place of.
    pub(super) superseded: u64,
    /// Events that found no room: older ones, or itself.
    pub(super) overflowed: u64,
}

impl Waiting {
    fn len(&self) -> usize {
        self.targets.len() * self.messages.len()
    }

    fn bytes(&self) -> usize {
        let text: usize = self.messages.iter().map(String::len).sum();
        let targets: usize = self.targets.iter().map(String::len).sum();
        text + targets + MESSAGE_BYTES * self.len()
    }

    fn next(&self) -> Option<Next> {
        // All parts of a message to one target, then those to the next.
        let parts = self.messages.len().max(1);
        Some(Next {
            number: self.number,
            target: self.targets.get(self.gone / parts)?.clone(),
            messages: Arc::clone(&self.messages),
            part: self.gone % parts,
        })
    }
}

/// In order, but for an event that takes the place of an older one of its name.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
    messages: usize,
    bytes: usize,
    /// Bytes of all queues.
    total_bytes: Arc<AtomicUsize>,
    next_number: u64,
}

impl Queue {
    pub(super) fn new(total_bytes: Arc<AtomicUsize>) -> Self {
        Self {
            waiting: VecDeque::new(),
            messages: 0,
            bytes: 0,
            total_bytes,
            next_number: 0,
        }
    }

    /// Takes an event in, heard of at a time (monotonic ms, Unix ms).
    pub(super) fn push(
        &mut self,
        event: &ViewerEvent,
        targets: Vec<String>,
        (heard_ms, heard_at_ms): (u64, i64),
    ) -> Pushed {
        let new = Waiting {
            name: event.newest_of.clone(),
            targets,
            messages: event.messages.as_slice().into(),
            gone: 0,
            number: self.next_number,
            heard_ms,
            heard_at_ms,
        };
        self.next_number += 1;
        let mut pushed = Pushed::default();
        if new.len() > WAITING_MESSAGES_MAX || new.bytes() > WAITING_CHANNEL_BYTES_MAX {
            pushed.overflowed = 1;
            return pushed;
        }
        let same = |old: &Waiting| old.name.is_some() && old.name == new.name;
        let place = self.waiting.iter().position(same);
        let old = place.and_then(|place| self.remove(place));
        pushed.superseded = u64::from(old.is_some());
        while !self.has_room_for(&new) {
            // What only the newest of matters is kept: it is little, and nobody says it again.
            let oldest = self.waiting.iter().position(|old| old.name.is_none());
            pushed.overflowed += 1;
            if oldest.and_then(|oldest| self.remove(oldest)).is_none() {
                return pushed;
            }
        }
        self.messages += new.len();
        self.bytes += new.bytes();
        self.total_bytes.fetch_add(new.bytes(), Ordering::Relaxed);
        let place = place.unwrap_or(self.waiting.len()).min(self.waiting.len());
        self.waiting.insert(place, new);
        pushed
    }

    fn has_room_for(&self, new: &Waiting) -> bool {
        self.messages + new.len() <= WAITING_MESSAGES_MAX
            && self.bytes + new.bytes() <= WAITING_CHANNEL_BYTES_MAX
            && self.total_bytes.load(Ordering::Relaxed) + new.bytes() <= WAITING_BYTES_MAX
    }

    fn remove(&mut self, place: usize) -> Option<Waiting> {
        let gone = self.waiting.remove(place)?;
        self.messages -= gone.len();
        self.bytes -= gone.bytes();
        self.total_bytes.fetch_sub(gone.bytes(), Ordering::Relaxed);
        Some(gone)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The message that is to go next.
    pub(super) fn next(&self) -> Option<Next> {
        self.waiting.front()?.next()
    }

    /// A message went; what took its event's place meanwhile is untouched.
    pub(super) fn went(&mut self, sent: &Next) {
        let Some(first) = self.waiting.front_mut() else {
            return;
        };
        if first.number == sent.number {
            first.gone += 1;
            if first.gone >= first.len() {
                self.remove(0);
            }
        }
    }

    /// Nobody will take this message: its event goes, unless another took its place.
    pub(super) fn give_up(&mut self, refused: &Next) {
        if self
            .waiting
            .front()
            .is_some_and(|first| first.number == refused.number)
        {
            self.remove(0);
        }
    }

    /// Drops broadcasts and whispers that waited too long; how many.
    pub(super) fn drop_stale(&mut self, now_ms: u64) -> u64 {
        self.drop_where(|one| one.name.is_none() && now_ms >= one.heard_ms + STALE_MS)
    }

    /// Drops what another node has sent: what it heard of before a time (Unix ms, by its clock).
    pub(super) fn drop_done(&mut self, done_until_ms: i64) {
        self.drop_where(|one| one.heard_at_ms + CLOCKS_APART_MS < done_until_ms);
    }

    fn drop_where(&mut self, goes: impl Fn(&Waiting) -> bool) -> u64 {
        let mut dropped = 0;
        while let Some(place) = self.waiting.iter().position(&goes) {
            self.remove(place);
            dropped += 1;
        }
        dropped
    }

    /// Everything heard of before this time is done (Unix ms): the time of the oldest event that
    /// waits, or now.
    pub(super) fn done_until_ms(&self, now_ms: i64) -> i64 {
        let oldest = self.waiting.iter().map(|one| one.heard_at_ms).min();
        oldest.map_or(now_ms, |oldest| oldest.min(now_ms))
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.total_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
