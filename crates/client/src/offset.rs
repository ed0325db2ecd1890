//! How far the player's clock is from the server's.

use std::collections::VecDeque;

use parking_lot::Mutex;

/// So many newest answers are remembered; the one that came back fastest tells the offset.
const SAMPLES_MAX: usize = 16;

#[derive(Clone, Copy, Debug)]
struct Sample {
    round_trip_ms: i64,
    offset_ms: i64,
}

/// What the answers' timestamps say of the clocks (`spec 2.2`).
#[derive(Debug, Default)]
pub(crate) struct TimeOffset {
    samples: Mutex<VecDeque<Sample>>,
}

impl TimeOffset {
    /// Notes an answer: when it was asked for and when it came by the player's clock, and when it
    /// was given by the server's. The server is taken to have looked half-way between. What cannot
    /// be, because the player's clock was set meanwhile, is ignored.
    pub(crate) fn note(&self, sent_ms: i64, received_ms: i64, server_ms: i64) {
        let Some(round_trip_ms) = received_ms.checked_sub(sent_ms).filter(|ms| *ms >= 0) else {
            return;
        };
        let Some(offset_ms) = server_ms.checked_sub(sent_ms.saturating_add(round_trip_ms / 2))
        else {
            return;
        };
        let mut samples = self.samples.lock();
        if samples.len() == SAMPLES_MAX {
            samples.pop_front();
        }
        samples.push_back(Sample {
            round_trip_ms,
            offset_ms,
        });
    }

    /// The server's clock minus the player's, in ms; 0 before the first answer.
    pub(crate) fn ms(&self) -> i64 {
        let samples = self.samples.lock();
        let best = samples.iter().min_by_key(|sample| sample.round_trip_ms);
        best.map_or(0, |sample| sample.offset_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_is_counted_from_half_the_round_trip() {
        let offset = TimeOffset::default();
        assert_eq!(offset.ms(), 0);
        offset.note(1_000, 1_100, 5_050);
        assert_eq!(offset.ms(), 4_000);
    }

    #[test]
    fn the_fastest_of_the_newest_answers_counts() {
        let offset = TimeOffset::default();
        offset.note(0, 10, 105);
        offset.note(100, 900, 1_000);
        assert_eq!(offset.ms(), 100);
        for _ in 0..SAMPLES_MAX {
            offset.note(1_000, 1_400, 1_500);
        }
        assert_eq!(offset.ms(), 300, "the old sample is forgotten");
        assert_eq!(offset.samples.lock().len(), SAMPLES_MAX);
    }

    #[test]
    fn times_that_cannot_be_are_ignored() {
        let offset = TimeOffset::default();
        offset.note(1_000, 900, 5_000);
        offset.note(i64::MIN, i64::MAX, 0);
        offset.note(-10, 0, i64::MAX);
        assert_eq!(offset.ms(), 0);
    }
}
