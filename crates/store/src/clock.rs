//! Time, handed in: the system's clock, or one that a test moves.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

/// A future that ends when its time has come.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send + 'static>>;

/// The time, as everything in Crowdlink sees it.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Unix time in ms. May jump when the machine's clock is set.
    fn now_ms(&self) -> i64;
    /// Time in ms from an arbitrary start; never goes back. For intervals and deadlines.
    fn monotonic_ms(&self) -> u64;
    /// Ends once [`Clock::monotonic_ms`] has grown by `ms`.
    fn sleep_ms(&self, ms: u64) -> Sleep;
}

/// The clock of the machine.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts now.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the machine's clock"
    )]
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the machine's clock"
    )]
    fn now_ms(&self) -> i64 {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn sleep_ms(&self, ms: u64) -> Sleep {
        Box::pin(tokio::time::sleep(Duration::from_millis(ms)))
    }
}

/// A clock that stands still until it is moved: for tests and simulation.
#[derive(Debug)]
pub struct ManualClock {
    now: watch::Sender<(i64, u64)>,
}

impl ManualClock {
    /// A clock that shows `now_ms` until it is moved.
    pub fn new(now_ms: i64) -> Arc<Self> {
        Arc::new(Self {
            now: watch::Sender::new((now_ms, 0)),
        })
    }

    /// Moves wall and monotonic time forward.
    pub fn advance_ms(&self, ms: u64) {
        self.now.send_modify(|(wall, monotonic)| {
            *wall = wall.saturating_add_unsigned(ms);
            *monotonic = monotonic.saturating_add(ms);
        });
    }

    /// Sets the wall clock alone, as an operator or NTP would.
    pub fn set_wall_ms(&self, now_ms: i64) {
        self.now.send_modify(|(wall, _)| *wall = now_ms);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.now.borrow().0
    }

    fn monotonic_ms(&self) -> u64 {
        self.now.borrow().1
    }

    fn sleep_ms(&self, ms: u64) -> Sleep {
        let mut seen = self.now.subscribe();
        let until = self.monotonic_ms().saturating_add(ms);
        Box::pin(async move {
            // An error means that the clock is gone: nobody will ever move it again.
            if seen
                .wait_for(|(_, monotonic)| *monotonic >= until)
                .await
                .is_err()
            {
                std::future::pending::<()>().await;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sleeper_wakes_when_the_clock_is_moved_and_not_before() {
        let clock = ManualClock::new(1_000);
        let mut sleep = clock.sleep_ms(50);
        clock.advance_ms(49);
        assert!(futures::poll!(sleep.as_mut()).is_pending());
        clock.advance_ms(1);
        sleep.await;
        assert_eq!((clock.now_ms(), clock.monotonic_ms()), (1_050, 50));
        clock.set_wall_ms(7);
        assert_eq!((clock.now_ms(), clock.monotonic_ms()), (7, 50));
    }
}
