//! Pauses between attempts to connect: they double, and differ from node to node.

use parking_lot::Mutex;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::options::{PostgresOptions, RECONNECT_MS_MIN};
use crate::clock::Clock;

/// Shared by all connections of a store: while the database is away, they try together.
#[derive(Debug)]
pub(super) struct Backoff {
    state: Mutex<State>,
    pause_ms_max: u64,
}

#[derive(Debug)]
struct State {
    rng: ChaCha8Rng,
    /// The next pause, before chance cuts it.
    pause_ms: u64,
    /// Monotonic time of the next attempt.
    not_before_ms: u64,
}

impl Backoff {
    pub(super) fn new(options: &PostgresOptions) -> Self {
        Self {
            state: Mutex::new(State {
                rng: ChaCha8Rng::seed_from_u64(options.seed),
                pause_ms: RECONNECT_MS_MIN,
                not_before_ms: 0,
            }),
            pause_ms_max: options.reconnect_ms_max.max(RECONNECT_MS_MIN),
        }
    }

    /// Waits until an attempt is due; at once where the last one succeeded.
    pub(super) async fn wait(&self, clock: &dyn Clock) {
        let left_ms = {
            let state = self.state.lock();
            state.not_before_ms.saturating_sub(clock.monotonic_ms())
        };
        if left_ms > 0 {
            clock.sleep_ms(left_ms).await;
        }
    }

    pub(super) fn succeeded(&self) {
        let mut state = self.state.lock();
        state.pause_ms = RECONNECT_MS_MIN;
        state.not_before_ms = 0;
    }

    /// Several attempts that began together count as one.
    pub(super) fn failed(&self, clock: &dyn Clock) {
        let mut state = self.state.lock();
        let now_ms = clock.monotonic_ms();
        if now_ms < state.not_before_ms {
            return;
        }
        let pause_ms = state.pause_ms;
        let cut_ms = state.rng.random_range(0..=pause_ms / 2);
        state.not_before_ms = now_ms.saturating_add(pause_ms - cut_ms);
        state.pause_ms = pause_ms.saturating_mul(2).min(self.pause_ms_max);
    }
}

#[cfg(test)]
mod tests {
    use futures::poll;

    use super::*;
    use crate::ManualClock;

    #[tokio::test]
    async fn pauses_double_to_their_maximum_and_a_success_ends_them() {
        let clock = ManualClock::new(0);
        let options = PostgresOptions::default();
        let backoff = Backoff::new(&options);
        let mut longest_ms = RECONNECT_MS_MIN;
        for _ in 0..10 {
            backoff.failed(&*clock);
            // One that began at the same time changes nothing.
            backoff.failed(&*clock);
            let mut wait = std::pin::pin!(backoff.wait(&*clock));
            assert!(poll!(wait.as_mut()).is_pending());
            clock.advance_ms(longest_ms / 2 - 1);
            assert!(poll!(wait.as_mut()).is_pending());
            clock.advance_ms(longest_ms - (longest_ms / 2 - 1));
            wait.await;
            longest_ms = (longest_ms * 2).min(options.reconnect_ms_max);
        }
        assert_eq!(longest_ms, options.reconnect_ms_max);
        backoff.failed(&*clock);
        backoff.succeeded();
        assert!(poll!(std::pin::pin!(backoff.wait(&*clock))).is_ready());
    }
}
