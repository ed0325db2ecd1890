//! What waits for one peer.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash, RandomState};
use std::io::IoSlice;
use std::sync::LazyLock;

use super::frame::Frame;

/// Names a state-like stream of events on a session: of frames sent under one key only the newest
/// waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SlotKey(u64);

impl SlotKey {
    /// The key of a name, such as `("state", "channel")`. Keyed by the process, so nobody outside
    /// can make two names collide.
    pub fn of(name: impl Hash) -> Self {
        static KEYED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        Self(KEYED.hash_one(name))
    }
}

/// What the smallest frame counts for, in bytes: the queue's own memory for it.
const ENTRY_BYTES_MIN: usize = 64;

#[derive(Debug)]
struct Entry {
    /// `None` where a newer frame of the same slot took over further back.
    frame: Option<Frame>,
    slot: Option<SlotKey>,
    since_ms: u64,
}

impl Entry {
    fn bytes(&self) -> &[u8] {
        self.frame.as_ref().map_or(&[], |frame| frame.as_bytes())
    }

    fn cost_bytes(&self) -> usize {
        self.bytes().len().max(ENTRY_BYTES_MIN)
    }
}

/// Frames in the order they go out. Exists only while something waits.
#[derive(Debug, Default)]
pub(super) struct Queue {
    entries: VecDeque<Entry>,
    /// Which entry waits in a slot, by its number.
    slots: HashMap<SlotKey, u64>,
    /// Number of the first entry.
    first: u64,
    /// Number after the last entry that is not in a slot.
    stream_end: u64,
    /// How much of the first entry is written.
    written: usize,
    cost_bytes: usize,
}

impl Queue {
    /// Appends a frame, of which `written` bytes are out already.
    pub(super) fn push(&mut self, frame: Frame, written: usize, now_ms: u64) {
        if self.entries.is_empty() {
            self.written = written;
        }
        self.append(frame, None, now_ms);
        self.stream_end = self.end();
    }

    /// Puts a frame into a slot in place of an older one that waits there. It takes the older
    /// one's place unless a frame without a slot came in between: never does a newer state
    /// overtake what was sent before it in a stream.
    pub(super) fn push_latest(&mut self, key: SlotKey, frame: Frame, now_ms: u64) {
        if let Some(&number) = self.slots.get(&key)
            && let Ok(index) = usize::try_from(number.wrapping_sub(self.first))
            && let Some(entry) = self.entries.get_mut(index)
        {
            self.cost_bytes -= entry.cost_bytes();
            if number >= self.stream_end {
                entry.frame = Some(frame);
                self.cost_bytes += entry.cost_bytes();
                return;
            }
            entry.frame = None;
            entry.slot = None;
            self.cost_bytes += entry.cost_bytes();
        }
        self.slots.insert(key, self.end());
        self.append(frame, Some(key), now_ms);
    }

    /// Number of the next entry.
    fn end(&self) -> u64 {
        self.first.wrapping_add(self.entries.len() as u64)
    }

    fn append(&mut self, frame: Frame, slot: Option<SlotKey>, since_ms: u64) {
        let entry = Entry {
            frame: Some(frame),
            slot,
            since_ms,
        };
        self.cost_bytes += entry.cost_bytes();
        self.entries.push_back(entry);
    }

    /// Bytes that wait, small frames and gaps counted as [`ENTRY_BYTES_MIN`].
    pub(super) fn cost_bytes(&self) -> usize {
        self.cost_bytes
    }

    /// Since when the first frame waits.
    pub(super) fn since_ms(&self) -> u64 {
        self.entries
            .front()
            .map_or(u64::MAX, |entry| entry.since_ms)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Lays what waits out for one write and tells how many slices are filled.
    pub(super) fn fill<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut count = 0;
        let mut skip = self.written;
        let parts = self.entries.iter().filter_map(|entry| {
            let part = entry.bytes().get(skip..).unwrap_or_default();
            skip = 0;
            (!part.is_empty()).then_some(part)
        });
        for (place, part) in slices.iter_mut().zip(parts) {
            *place = IoSlice::new(part);
            count += 1;
        }
        count
    }

    /// Forgets what was written.
    pub(super) fn advance(&mut self, bytes: usize) {
        self.written += bytes;
        while let Some(entry) = self.entries.front() {
            let length = entry.bytes().len();
            if self.written < length {
                break;
            }
            self.written -= length;
            self.cost_bytes -= entry.cost_bytes();
            self.free_slot_of_first();
            self.entries.pop_front();
            self.first = self.first.wrapping_add(1);
        }
        if self.written > 0 {
            // It is on its way: nothing may replace it any more.
            self.free_slot_of_first();
        }
    }

    /// Drops all that waits but the rest of a frame that is partly out.
    pub(super) fn drop_unstarted(&mut self) {
        let keep = usize::from(self.written > 0);
        self.entries.truncate(keep);
        self.slots = HashMap::new();
        self.cost_bytes = self.entries.iter().map(Entry::cost_bytes).sum();
        self.stream_end = self.end();
    }

    fn free_slot_of_first(&mut self) {
        if let Some(entry) = self.entries.front_mut()
            && let Some(slot) = entry.slot.take()
        {
            self.slots.remove(&slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(text: &str) -> Frame {
        Frame::text(text)
    }

    /// Everything that waits, written in pieces of `size` bytes.
    fn drain(queue: &mut Queue, size: usize) -> Vec<u8> {
        let mut out = Vec::new();
        while !queue.is_empty() {
            let mut slices = [IoSlice::new(&[]); 3];
            let count = queue.fill(&mut slices);
            let bytes: Vec<u8> = slices[..count].iter().flat_map(|s| s.to_vec()).collect();
            let written = bytes.len().min(size);
            out.extend_from_slice(&bytes[..written]);
            queue.advance(written);
        }
        assert_eq!((queue.cost_bytes, queue.slots.len()), (0, 0));
        out
    }

    fn wire(texts: &[&str]) -> Vec<u8> {
        texts
            .iter()
            .flat_map(|text| frame(text).as_bytes().to_vec())
            .collect()
    }

    #[test]
    fn frames_go_out_whole_and_in_order_however_writes_fall() {
        for size in 1..40 {
            let mut queue = Queue::default();
            for text in ["one", "two", "three", "four", "five"] {
                queue.push(frame(text), 0, 0);
            }
            assert_eq!(
                drain(&mut queue, size),
                wire(&["one", "two", "three", "four", "five"])
            );
        }
    }

    #[test]
    fn a_newer_state_takes_the_place_of_the_one_that_waits() {
        let (a, b) = (SlotKey::of("a"), SlotKey::of("b"));
        let mut queue = Queue::default();
        queue.push(frame("stream"), 0, 0);
        queue.push_latest(a, frame("a1"), 1);
        queue.push_latest(b, frame("b1"), 2);
        queue.push_latest(a, frame("a2"), 3);
        assert_eq!(drain(&mut queue, 99), wire(&["stream", "a2", "b1"]));
    }

    #[test]
    fn a_newer_state_never_overtakes_the_stream() {
        let a = SlotKey::of("a");
        let mut queue = Queue::default();
        queue.push_latest(a, frame("a1"), 0);
        queue.push(frame("stream"), 0, 1);
        queue.push_latest(a, frame("a2"), 2);
        queue.push_latest(a, frame("a3"), 3);
        assert_eq!(queue.since_ms(), 0);
        assert_eq!(drain(&mut queue, 99), wire(&["stream", "a3"]));
    }

    #[test]
    fn a_state_that_is_partly_out_is_not_replaced() {
        let a = SlotKey::of("a");
        let mut queue = Queue::default();
        queue.push_latest(a, frame("a1"), 0);
        queue.advance(2);
        queue.push_latest(a, frame("a2"), 1);
        let rest = [&frame("a1").as_bytes()[2..], frame("a2").as_bytes()].concat();
        assert_eq!(drain(&mut queue, 1), rest);
    }

    #[test]
    fn gaps_count_so_they_cannot_pile_up() {
        let a = SlotKey::of("a");
        let mut queue = Queue::default();
        for round in 0..100 {
            queue.push_latest(a, frame("state"), round);
            queue.push(frame("stream"), 0, round);
        }
        assert_eq!(queue.cost_bytes(), queue.entries.len() * ENTRY_BYTES_MIN);
        let mut expected = vec!["stream"; 99];
        expected.extend(["state", "stream"]);
        assert_eq!(drain(&mut queue, 50), wire(&expected));
    }

    #[test]
    fn only_the_rest_of_a_started_frame_survives_dropping() {
        let mut queue = Queue::default();
        queue.push(frame("begun"), 3, 0);
        queue.push(frame("lost"), 0, 0);
        queue.drop_unstarted();
        queue.push(frame("last"), 0, 0);
        let rest = [&frame("begun").as_bytes()[3..], frame("last").as_bytes()].concat();
        assert_eq!(drain(&mut queue, 99), rest);
        queue.push(frame("new"), 0, 0);
        queue.drop_unstarted();
        assert!(queue.is_empty());
    }
}
