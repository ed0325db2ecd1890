//! How fast a channel's messages may go out (`spec 5`).

/// A bucket of messages. In any 60 s no more of them go than the platform takes, whatever the
/// moment from which one counts: what the bucket holds and what flows into it in a minute make the
/// limit together, less a few for changes of the sender.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    burst: u64,
    interval_us: u64,
    /// Messages that a new sender may send at once.
    welcome: u64,
    /// When the bucket is full again (monotonic µs).
    full_us: u64,
}

const MINUTE_US: u64 = 60_000_000;

impl Pace {
    /// A full bucket for a limit of messages a minute.
    pub(super) fn new(per_min_max: u32) -> Self {
        let max = u64::from(per_min_max).max(1);
        let burst = (max / 5).max(1);
        let spare = max / 20;
        let flow = max.saturating_sub(burst + spare).max(1);
        Self {
            burst,
            interval_us: MINUTE_US.div_ceil(flow),
            welcome: spare.min(1),
            full_us: 0,
        }
    }

    /// When the next message may go (monotonic ms); may be in the past.
    pub(super) fn next_ms(&self) -> u64 {
        let room_us = self.interval_us * (self.burst - 1);
        self.full_us.saturating_sub(room_us).div_ceil(1_000)
    }

    /// When the bucket is full again (monotonic ms); may be in the past.
    pub(super) fn full_ms(&self) -> u64 {
        self.full_us.div_ceil(1_000)
    }

    /// A message goes.
    pub(super) fn take(&mut self, now_ms: u64) {
        self.full_us = self.full_us.max(now_ms * 1_000) + self.interval_us;
    }

    /// No more than `left` messages may go at once now: the platform says so.
    pub(super) fn leave(&mut self, now_ms: u64, left: u64) {
        let missing = self.burst.saturating_sub(left);
        let full_us = now_ms * 1_000 + self.interval_us * missing;
        self.full_us = self.full_us.max(full_us);
    }

    /// Another node sent until just now, and may have emptied the bucket.
    pub(super) fn take_over(&mut self, now_ms: u64) {
        self.leave(now_ms, self.welcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The times (ms) at which messages go for ten minutes when there are always some.
    fn times(pace: &mut Pace, from_ms: u64, to_ms: u64) -> Vec<u64> {
        let mut times = Vec::new();
        let mut now_ms = from_ms;
        while now_ms < to_ms {
            now_ms = now_ms.max(pace.next_ms());
            pace.take(now_ms);
            times.push(now_ms);
        }
        times
    }

    fn most_in_a_minute(times: &[u64]) -> usize {
        let in_minute = |from: &u64| {
            let within = |at: &&u64| (*from..from + 60_000).contains(at);
            times.iter().filter(within).count()
        };
        times.iter().map(in_minute).max().unwrap()
    }

    #[test]
    fn no_minute_has_more_messages_than_the_limit() {
        for per_min in [1, 2, 3, 5, 19, 20, 100, 300] {
            let mut pace = Pace::new(per_min);
            let most = most_in_a_minute(&times(&mut pace, 7, 600_000));
            let limit = usize::try_from(per_min).unwrap();
            assert!(most <= limit && most * 2 >= limit, "{per_min}: {most}");
        }
    }

    #[test]
    fn also_not_when_the_sender_changes() {
        for change_ms in [1, 500, 5_000, 30_000, 59_999, 61_000] {
            let mut all = times(&mut Pace::new(100), 0, change_ms);
            let mut next = Pace::new(100);
            next.take_over(change_ms);
            all.extend(times(&mut next, change_ms, 200_000));
            let most = most_in_a_minute(&all);
            assert!(most <= 100, "{change_ms}: {most}");
        }
    }

    #[test]
    fn what_the_platform_says_slows_down_and_never_speeds_up() {
        let mut pace = Pace::new(100);
        pace.leave(1_000, 3);
        for _ in 0..3 {
            assert!(pace.next_ms() <= 1_000);
            pace.take(1_000);
        }
        assert_eq!(pace.next_ms(), 1_800);
        pace.leave(1_000, 80);
        assert_eq!(pace.next_ms(), 1_800);
    }
}
