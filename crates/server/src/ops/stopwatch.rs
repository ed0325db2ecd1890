//! Durations for metrics.

use std::time::Instant;

/// Measures how long something took, in fractions of a millisecond. For metrics alone: what
/// decides anything takes its time from [`crowdlink_store::Clock`].
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[expect(
        clippy::disallowed_methods,
        reason = "a measurement that nothing depends on; the clock has whole milliseconds"
    )]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Seconds since the start.
    pub fn seconds(self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}
