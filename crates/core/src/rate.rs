//! Rates (`spec 5`), by the library's generic cell rate algorithm on the clock handed in.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crowdlink_store::Clock;
use governor::clock::Reference;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::error::Error;
use crate::guess::address_of;
use crate::limits::{Limits, Rate};

/// Keys above which the idle ones are dropped before their time.
const KEYS_MAX: usize = 500_000;

/// The clock handed in, as the library wants it.
#[derive(Clone, Debug)]
struct Ticks(Arc<dyn Clock>);

impl governor::clock::Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.monotonic_ms())
    }
}

type Keyed = RateLimiter<Arc<str>, DashMapStateStore<Arc<str>>, Ticks, NoOpMiddleware<Duration>>;

/// A rate, kept for each key.
pub(crate) struct KeyedRate {
    limiter: Keyed,
    ticks: Ticks,
}

impl fmt::Debug for KeyedRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedRate")
            .field("keys", &self.limiter.len())
            .finish_non_exhaustive()
    }
}

impl KeyedRate {
    fn new(rate: Rate, clock: &Arc<dyn Clock>) -> Self {
        let at_least_one = |count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        let period = Duration::from_millis(rate.period_ms.max(1));
        let each = (period / at_least_one(rate.per_period).get()).max(Duration::from_nanos(1));
        let quota = Quota::with_period(each)
            .unwrap_or(Quota::per_second(NonZeroU32::MIN))
            .allow_burst(at_least_one(rate.burst));
        let ticks = Ticks(Arc::clone(clock));
        Self {
            limiter: RateLimiter::dashmap_with_clock(quota, ticks.clone()),
            ticks,
        }
    }

    /// Takes one, or tells when there is another.
    pub(crate) fn take(&self, key: impl Into<Arc<str>>) -> Result<(), Error> {
        self.limiter.check_key(&key.into()).map_err(|not_until| {
            let now = governor::clock::Clock::now(&self.ticks);
            let wait = Duration::from(not_until.earliest_possible().duration_since(now));
            let retry_after_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
            Error::RateLimited { retry_after_ms }
        })
    }

    /// Takes one for a source address.
    pub(crate) fn take_for_address(&self, address: IpAddr) -> Result<(), Error> {
        self.take(address_of(address).to_string())
    }

    fn tidy(&self) {
        self.limiter.retain_recent();
        if self.limiter.len() > KEYS_MAX {
            tracing::warn!(
                keys = self.limiter.len(),
                "more callers than a rate remembers"
            );
        }
        self.limiter.shrink_to_fit();
    }
}

/// The rates that core keeps.
#[derive(Debug)]
pub(crate) struct Rates {
    pub(crate) rest: KeyedRate,
    pub(crate) votes: KeyedRate,
    pub(crate) pin_channel: KeyedRate,
    pub(crate) pin_address: KeyedRate,
    pub(crate) pin_extension: KeyedRate,
}

impl Rates {
    pub(crate) fn new(limits: &Limits, clock: &Arc<dyn Clock>) -> Self {
        let keyed = |rate| KeyedRate::new(rate, clock);
        Self {
            rest: keyed(limits.rest),
            votes: keyed(limits.votes),
            pin_channel: keyed(limits.pin_channel),
            pin_address: keyed(limits.pin_address),
            pin_extension: keyed(limits.pin_extension),
        }
    }

    /// Forgets those who are as good as new.
    pub(crate) fn tidy(&self) {
        for rate in [
            &self.rest,
            &self.votes,
            &self.pin_channel,
            &self.pin_address,
            &self.pin_extension,
        ] {
            rate.tidy();
        }
    }
}

#[cfg(test)]
mod tests {
    use crowdlink_store::ManualClock;

    use super::*;

    #[test]
    fn a_burst_is_let_through_then_the_steady_rate() {
        let clock = ManualClock::new(0);
        let handed: Arc<dyn Clock> = clock.clone();
        let rate = KeyedRate::new(Rate::per_second(50, 3), &handed);
        let take = |key: &str| rate.take(key);
        for _ in 0..3 {
            assert_eq!(take("a"), Ok(()));
        }
        assert_eq!(take("a"), Err(Error::RateLimited { retry_after_ms: 20 }));
        assert_eq!(take("b"), Ok(()));
        clock.advance_ms(20);
        assert_eq!(take("a"), Ok(()));
        assert!(take("a").is_err());
        clock.advance_ms(60_000);
        rate.tidy();
        assert_eq!(rate.limiter.len(), 0);
    }
}
