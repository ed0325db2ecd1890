//! How many answers came while they were counted, and how long they took.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use crate::load::now;
use crate::statistics::{median, quantile_ms};

/// Times of answers, in microseconds; those of the warm-up are taken out in between.
#[derive(Clone, Default)]
pub(crate) struct Times(Arc<Mutex<Vec<u32>>>);

impl Times {
    /// Takes note of an answer that came now.
    pub(crate) fn answered(&self, asked: Instant) -> Result<()> {
        let time = u32::try_from((now() - asked).as_micros())?;
        self.0.lock().push(time);
        Ok(())
    }

    /// Forgets what was, and counts for so long.
    pub(crate) async fn count(&self, time: Duration) -> Result<Answers> {
        self.0.lock().clear();
        let start = now();
        sleep(time).await;
        let passed = (now() - start).as_secs_f64();
        let mut times = std::mem::take(&mut *self.0.lock());
        times.sort_unstable();
        let count = f64::from(u32::try_from(times.len())?);
        Ok(Answers {
            count,
            per_s: count / passed,
            p50_ms: quantile_ms(&times, 50)?,
            p99_ms: quantile_ms(&times, 99)?,
        })
    }
}

/// What was counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answers {
    pub(crate) count: f64,
    /// Answers in a second.
    pub(crate) per_s: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

impl Answers {
    /// The median of each figure by itself.
    pub(crate) fn median(rounds: &[Self]) -> Result<Self> {
        Ok(Self {
            count: median(rounds, |answers| answers.count)?,
            per_s: median(rounds, |answers| answers.per_s)?,
            p50_ms: median(rounds, |answers| answers.p50_ms)?,
            p99_ms: median(rounds, |answers| answers.p99_ms)?,
        })
    }
}

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            per_s,
            p50_ms,
            p99_ms,
            ..
        } = self;
        write!(f, "{per_s:.0}/s, p50 {p50_ms:.2} ms, p99 {p99_ms:.2} ms")
    }
}
