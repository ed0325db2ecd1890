//! No faster than a server takes requests (`spec 5`: 100 a second of a connection, 200 at once).

use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

/// Requests that are sent at once after a pause.
pub(crate) const REQUEST_BURST_MAX: u32 = 150;
/// Requests that are sent every [`PACE_MS`] when that is used up: 80 a second.
const REQUESTS_A_STEP: u32 = 8;
/// A step of the pace, in ms.
const PACE_MS: u64 = 100;

#[derive(Debug)]
pub(crate) struct Pace {
    left: u32,
    steps: Interval,
}

impl Pace {
    pub(crate) fn new() -> Self {
        let mut steps = interval(Duration::from_millis(PACE_MS));
        steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            left: REQUEST_BURST_MAX,
            steps,
        }
    }

    /// Whether a request may go now.
    pub(crate) fn is_open(&self) -> bool {
        self.left > 0
    }

    /// One goes.
    pub(crate) fn take(&mut self) {
        self.left = self.left.saturating_sub(1);
    }

    /// Ends when more may go than before; never where nothing is used up.
    pub(crate) async fn step(&mut self) {
        if self.left == REQUEST_BURST_MAX {
            return std::future::pending().await;
        }
        self.steps.tick().await;
        self.left = REQUEST_BURST_MAX.min(self.left + REQUESTS_A_STEP);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    /// How many go within a time; none is waited for in the end.
    async fn sent_within(pace: &mut Pace, time: Duration) -> u32 {
        let mut sent = 0;
        let sending = async {
            loop {
                while pace.is_open() {
                    pace.take();
                    sent += 1;
                }
                pace.step().await;
            }
        };
        let ended: Result<(), _> = timeout(time, sending).await;
        assert!(ended.is_err());
        sent
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_the_burst_and_the_rate_go() {
        let mut pace = Pace::new();
        let sent = sent_within(&mut pace, Duration::from_mins(1)).await;
        assert!(sent <= 150 + 60 * 80 + 8, "{sent}");
        assert!(sent >= 60 * 80, "{sent}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_unused_pace_never_steps() {
        let mut pace = Pace::new();
        let waited = timeout(Duration::from_hours(1), pace.step()).await;
        assert!(waited.is_err() && pace.left == REQUEST_BURST_MAX);
    }
}
