//! What waits to go to NATS. Never waited for: what finds no room is dropped, and its number is
//! used up, so that the other nodes see the gap.

use std::collections::VecDeque;

use crowdlink_core::Message;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::wire::{PART_BYTES_MAX, PARTS_MAX};

/// Messages that wait.
const QUEUE_MESSAGES_MAX: usize = 4_096;
/// Bytes of their payloads.
const QUEUE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Messages written together. As many may still be on their way when a connection breaks.
const BATCH_MESSAGES_MAX: usize = 256;
/// Largest payload that is sent.
const PAYLOAD_BYTES_MAX: usize = PART_BYTES_MAX * PARTS_MAX;

/// A message with its number.
pub(super) type Numbered = (u64, Message);

#[derive(Debug, Default)]
struct Queue {
    /// The number of the newest message, sent or not.
    sequence: u64,
    waiting: VecDeque<Numbered>,
    bytes: usize,
    /// Whether there is a connection: nothing waits for one that may be far off.
    open: bool,
}

#[derive(Debug, Default)]
pub(super) struct Outbound {
    queue: Mutex<Queue>,
    woken: Notify,
}

impl Outbound {
    /// Puts a message in line, after `before` was called with it; whether it found room. Those
    /// who hear it by `before` hear it in the order in which the others do.
    pub(super) fn push(&self, message: Message, before: impl FnOnce(Message)) -> bool {
        let mut queue = self.queue.lock();
        before(message.clone());
        queue.sequence += 1;
        let bytes = message.payload.len();
        let fits = queue.open
            && bytes <= PAYLOAD_BYTES_MAX
            && queue.waiting.len() < QUEUE_MESSAGES_MAX
            && queue.bytes + bytes <= QUEUE_BYTES_MAX;
        if fits {
            let sequence = queue.sequence;
            queue.bytes += bytes;
            queue.waiting.push_back((sequence, message));
            drop(queue);
            self.woken.notify_one();
        }
        fits
    }

    /// From now on messages are kept in line.
    pub(super) fn open(&self) {
        self.queue.lock().open = true;
    }

    /// From now on they are not; how many were dropped.
    pub(super) fn close(&self) -> usize {
        let mut queue = self.queue.lock();
        queue.open = false;
        queue.bytes = 0;
        std::mem::take(&mut queue.waiting).len()
    }

    /// The first of those that wait.
    pub(super) fn take(&self) -> Vec<Numbered> {
        let mut queue = self.queue.lock();
        let count = queue.waiting.len().min(BATCH_MESSAGES_MAX);
        let batch: Vec<Numbered> = queue.waiting.drain(..count).collect();
        queue.bytes -= batch
            .iter()
            .map(|(_, message)| message.payload.len())
            .sum::<usize>();
        batch
    }

    /// Ends when something may wait.
    pub(super) async fn woken(&self) {
        self.woken.notified().await;
    }

    /// The newest number before those that still wait.
    pub(super) fn newest_gone(&self) -> u64 {
        let queue = self.queue.lock();
        match queue.waiting.front() {
            Some((sequence, _)) => sequence - 1,
            None => queue.sequence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: usize) -> Message {
        Message {
            topic: "t".to_owned(),
            payload: vec![0; bytes].into(),
        }
    }

    fn push(outbound: &Outbound, bytes: usize) -> bool {
        outbound.push(message(bytes), |_| {})
    }

    #[test]
    fn so_many_messages_wait_and_the_next_leaves_a_gap() {
        let outbound = Outbound::default();
        outbound.open();
        for _ in 0..QUEUE_MESSAGES_MAX {
            assert!(push(&outbound, 1));
        }
        assert!(!push(&outbound, 1));
        assert_eq!(outbound.newest_gone(), 0);
        let mut taken = 0;
        loop {
            let batch = outbound.take();
            assert!(batch.len() <= BATCH_MESSAGES_MAX);
            if batch.is_empty() {
                break;
            }
            taken += batch.len() as u64;
            assert_eq!(batch.last().unwrap().0, taken);
            if taken < QUEUE_MESSAGES_MAX as u64 {
                assert_eq!(outbound.newest_gone(), taken);
            }
        }
        assert_eq!(outbound.newest_gone(), QUEUE_MESSAGES_MAX as u64 + 1);
    }

    #[test]
    fn so_many_bytes_wait_and_a_payload_has_a_bound() {
        let outbound = Outbound::default();
        outbound.open();
        assert!(!push(&outbound, PAYLOAD_BYTES_MAX + 1));
        for _ in 0..QUEUE_BYTES_MAX / PAYLOAD_BYTES_MAX {
            assert!(push(&outbound, PAYLOAD_BYTES_MAX));
        }
        assert!(!push(&outbound, 1));
        outbound.take();
        assert!(push(&outbound, 1));
    }

    #[test]
    fn nothing_waits_for_a_connection_but_its_own_node_hears_it() {
        let outbound = Outbound::default();
        let mut heard = Vec::new();
        assert!(!outbound.push(message(1), |message| heard.push(message)));
        assert_eq!(heard, [message(1)]);
        outbound.open();
        assert!(push(&outbound, 1));
        assert_eq!(outbound.close(), 1);
        assert!(!push(&outbound, 1));
        outbound.open();
        assert!(push(&outbound, 1));
        let numbers: Vec<u64> = outbound.take().into_iter().map(|(n, _)| n).collect();
        assert_eq!(numbers, [4]);
    }
}
