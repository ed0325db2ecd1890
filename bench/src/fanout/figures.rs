//! What is measured, its medians, and how it is shown.

use std::fmt;

use anyhow::Result;

use crate::statistics::median;

/// What one measurement brought.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    /// Deliveries in a second.
    pub(super) per_s: f64,
    /// Deliveries in a second of the server's processor time.
    pub(super) per_core_s: f64,
    /// From before an event was written to when a viewer had all of it.
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    /// Processor time of the load, as a part of the time that passed.
    pub(super) load: f64,
}

impl Figures {
    /// The median of each figure by itself.
    pub(super) fn median(rounds: &[Self]) -> Result<Self> {
        let of = |figure: fn(&Self) -> f64| median(rounds, figure);
        Ok(Self {
            per_s: of(|figures| figures.per_s)?,
            per_core_s: of(|figures| figures.per_core_s)?,
            p50_ms: of(|figures| figures.p50_ms)?,
            p99_ms: of(|figures| figures.p99_ms)?,
            load: of(|figures| figures.load)?,
        })
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>7.0}/s, {:>7.0} per core second, p50 {:>6.1} ms, p99 {:>6.1} ms, load {:>3.0}%",
            self.per_s,
            self.per_core_s,
            self.p50_ms,
            self.p99_ms,
            self.load * 100.0
        )
    }
}
