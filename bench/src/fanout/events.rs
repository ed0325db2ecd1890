//! Events on their way: which were published, when, and who has them.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::time::Instant;

/// What every event's text ends with: this, and its number.
const MARK: &[u8] = b"#@";
const NUMBER_DIGITS: usize = 12;
/// A mark with its number, in bytes.
pub(super) const MARK_BYTES: usize = 2 + NUMBER_DIGITS;

/// The text of an event, of so many bytes and not less than [`MARK_BYTES`].
pub(super) fn text(number: usize, bytes: usize) -> String {
    let filling = "x".repeat(bytes.saturating_sub(MARK_BYTES));
    format!("{filling}#@{number:012}")
}

/// Calls `found` with the number of each event that ends in these bytes, and tells how many bytes at
/// the end may be the beginning of a mark.
pub(super) fn scan(bytes: &[u8], mut found: impl FnMut(usize)) -> usize {
    let mut rest = bytes;
    while let Some(at) = memchr::memchr(b'#', rest) {
        let from = rest.get(at..).unwrap_or_default();
        let Some(mark) = from.get(..MARK_BYTES) else {
            return from.len();
        };
        let number = mark.strip_prefix(MARK).and_then(number);
        if let Some(number) = number {
            found(number);
        }
        let step = if number.is_some() { MARK_BYTES } else { 1 };
        rest = from.get(step..).unwrap_or_default();
    }
    0
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

struct Event {
    sent: Instant,
    /// Which publisher sent it.
    slot: usize,
    received: usize,
}

/// All events of one measurement.
pub(super) struct Events {
    receivers: usize,
    /// Number of the first one.
    first: usize,
    published: Vec<Event>,
    finished: usize,
    /// Deliveries from here on count.
    counts_from: Instant,
    counts_to: Instant,
    pub(super) deliveries: u32,
    /// Of the events that were sent in time, in microseconds.
    pub(super) latencies_us: Vec<u32>,
}

impl Events {
    pub(super) fn new(
        receivers: usize,
        first: usize,
        counts_from: Instant,
        time: Duration,
    ) -> Self {
        Self {
            receivers,
            first,
            published: Vec::new(),
            finished: 0,
            counts_from,
            counts_to: counts_from + time,
            deliveries: 0,
            latencies_us: Vec::new(),
        }
    }

    /// Number of the next event.
    pub(super) fn next(&self) -> usize {
        self.first + self.published.len()
    }

    /// Takes note of an event that goes out now.
    pub(super) fn sent(&mut self, slot: usize, now: Instant) {
        self.published.push(Event {
            sent: now,
            slot,
            received: 0,
        });
    }

    /// Takes note of a delivery; the publisher's number if it was the last one of its event.
    pub(super) fn received(&mut self, number: usize, now: Instant) -> Result<Option<usize>> {
        let index = number.checked_sub(self.first).context("an old event")?;
        let event = self.published.get_mut(index).context("a strange event")?;
        event.received += 1;
        anyhow::ensure!(event.received <= self.receivers, "an event came twice");
        if self.counts_from <= now && now < self.counts_to {
            self.deliveries += 1;
        }
        if self.counts_from <= event.sent && event.sent < self.counts_to {
            let latency = now.duration_since(event.sent).as_micros();
            self.latencies_us.push(u32::try_from(latency)?);
        }
        let finished = event.received == self.receivers;
        self.finished += usize::from(finished);
        Ok(finished.then_some(event.slot))
    }

    /// Whether everybody has every event.
    pub(super) fn all_received(&self) -> bool {
        self.finished == self.published.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::now;

    #[test]
    fn a_mark_is_found_wherever_the_bytes_are_cut() {
        let wire = format!("\u{1}#{}\"}}#@x{}", text(7, 40), text(123_456, MARK_BYTES));
        for cut in 0..=wire.len() {
            let (first, second) = wire.as_bytes().split_at(cut);
            let mut found = Vec::new();
            let rest = scan(first, |number| found.push(number));
            let carried = [&first[first.len() - rest..], second].concat();
            scan(&carried, |number| found.push(number));
            assert_eq!(found, [7, 123_456], "cut at {cut}");
        }
    }

    #[test]
    fn an_event_is_finished_when_each_has_it_and_none_twice() {
        let start = now();
        let mut events = Events::new(2, 10, start, Duration::from_secs(1));
        assert_eq!(events.next(), 10);
        events.sent(3, start);
        assert_eq!(events.received(10, start).unwrap(), None);
        assert!(!events.all_received());
        assert_eq!(events.received(10, start).unwrap(), Some(3));
        assert!(events.all_received());
        assert!(events.received(10, start).is_err());
        assert!(events.received(9, start).is_err());
        assert!(events.received(11, start).is_err());
        assert_eq!((events.deliveries, events.latencies_us.len()), (2, 2));
    }

    #[test]
    fn what_is_sent_or_comes_too_early_or_too_late_does_not_count() {
        let start = now();
        let second = Duration::from_secs(1);
        let mut events = Events::new(1, 0, start + second, second);
        events.sent(0, start);
        events.sent(0, start + second * 2);
        events.received(0, start).unwrap();
        events.received(1, start + second * 2).unwrap();
        assert_eq!((events.deliveries, events.latencies_us.len()), (0, 0));
    }
}
