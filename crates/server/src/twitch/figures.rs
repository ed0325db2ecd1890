//! What is counted of the platform, and said once a minute.

use parking_lot::Mutex;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use crate::ops::Metrics;

/// What happened to a message or to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Outcome {
    /// The platform took a message.
    Sent,
    /// It said that there were too many (429); tried again.
    Limited,
    /// It did not take our token (401); tried again with a new one.
    Unauthorized,
    /// It failed (5xx) or did not answer in time; tried again.
    Failed,
    /// It will not take this message: the event is dropped.
    Refused,
    /// An event waited too long, and is dropped.
    Stale,
    /// An event found no room, and is dropped.
    Overflowed,
    /// A newer event took the place of one that waited.
    Superseded,
}

impl Outcome {
    const ALL: [Self; 8] = [
        Self::Sent,
        Self::Limited,
        Self::Unauthorized,
        Self::Failed,
        Self::Refused,
        Self::Stale,
        Self::Overflowed,
        Self::Superseded,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Limited => "limited",
            Self::Unauthorized => "unauthorized",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Stale => "stale",
            Self::Overflowed => "overflowed",
            Self::Superseded => "superseded",
        }
    }

    /// Whether operators want to know.
    const fn is_trouble(self) -> bool {
        !matches!(self, Self::Sent | Self::Superseded)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

/// Counters.
#[derive(Debug, Default)]
pub(super) struct Figures {
    outcomes: Family<OutcomeLabel, Counter>,
    /// Totals at the last report.
    reported: Mutex<[u64; Outcome::ALL.len()]>,
    /// What went wrong last, without anything secret.
    trouble: Mutex<String>,
}

impl Figures {
    /// Counters at nothing, shown to operators.
    pub(super) fn register(metrics: &Metrics) -> Self {
        let own = Self::default();
        metrics.register(|registry| {
            registry.register(
                "platform_messages",
                "Messages to the platform's PubSub and events dropped before it, by what became \
                 of them",
                own.outcomes.clone(),
            );
        });
        own
    }

    fn counter(&self, outcome: Outcome) -> Counter {
        let outcome = outcome.name();
        self.outcomes
            .get_or_create(&OutcomeLabel { outcome })
            .clone()
    }

    pub(super) fn count(&self, outcome: Outcome, times: u64) {
        if times > 0 {
            self.counter(outcome).inc_by(times);
        }
    }

    /// Counts something that went wrong, and keeps why.
    pub(super) fn trouble(&self, outcome: Outcome, why: String) {
        self.count(outcome, 1);
        *self.trouble.lock() = why;
    }

    /// Logs what went wrong since the last report, if anything did. Whether it did.
    pub(super) fn report(&self) -> bool {
        let mut reported = self.reported.lock();
        let mut lines = Vec::new();
        for (outcome, old) in Outcome::ALL.into_iter().zip(reported.iter_mut()) {
            let total = self.counter(outcome).get();
            if outcome.is_trouble() && total > *old {
                lines.push(format!("{} {}", total - *old, outcome.name()));
            }
            *old = total;
        }
        let last = std::mem::take(&mut *self.trouble.lock());
        if lines.is_empty() {
            return false;
        }
        let last_minute = lines.join(", ");
        tracing::warn!(%last_minute, %last, "the platform's PubSub did not take everything");
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_reported_once() {
        let figures = Figures::default();
        figures.count(Outcome::Sent, 5);
        assert!(!figures.report());
        figures.trouble(Outcome::Failed, "status 503".to_owned());
        assert!(figures.report());
        assert!(!figures.report());
    }
}
