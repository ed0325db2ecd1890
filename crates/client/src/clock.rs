//! The player's clock, handed in.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where a game takes the time from.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Unix time in ms, as the player's machine believes it.
    fn now_ms(&self) -> i64;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

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
}
