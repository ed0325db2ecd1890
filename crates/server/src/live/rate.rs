//! How fast one peer may ask.

/// What a [`RateLimit`] says to one more request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Within the rate.
    Allowed,
    /// Above it: answer 429.
    Refused,
    /// Above it for longer than [`RequestRate::refused_ms_max`]: close 1008 (spec 5).
    RefusedTooLong,
}

/// How fast one peer may ask, each part a setting (spec 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestRate {
    /// Requests a second, sustained.
    pub per_s: u32,
    /// Requests at once.
    pub burst: u32,
    /// How long refusals may go on, in ms.
    pub refused_ms_max: u64,
}

/// A pause without refusals, in ms, after which the next one starts anew.
const CALM_MS: u64 = 2_000;

/// A token bucket in 8 bytes (as the generic cell rate algorithm: one moment instead of a balance).
/// Times are of [`crowdlink_store::Clock::monotonic_ms`].
#[derive(Clone, Copy, Debug, Default)]
pub struct TokenBucket {
    /// When it will be full again, in µs.
    full_at_us: u64,
}

impl TokenBucket {
    /// A full bucket.
    pub const fn new() -> Self {
        Self { full_at_us: 0 }
    }

    /// Takes one token if there is one. The bucket holds `burst` and gets `per_s` back each second.
    pub fn take(&mut self, now_ms: u64, per_s: u32, burst: u32) -> bool {
        let now_us = now_ms.saturating_mul(1_000);
        let token_us = 1_000_000 / u64::from(per_s.max(1));
        let full_at_us = self.full_at_us.max(now_us) + token_us;
        let taken = full_at_us - now_us <= token_us * u64::from(burst.max(1));
        if taken {
            self.full_at_us = full_at_us;
        }
        taken
    }
}

/// A token bucket that also tells when refusals go on for too long. 32 bytes.
#[derive(Clone, Debug, Default)]
pub struct RateLimit {
    bucket: TokenBucket,
    refused_first_ms: u64,
    refused_last_ms: Option<u64>,
}

impl RateLimit {
    /// A full bucket.
    pub const fn new() -> Self {
        Self {
            bucket: TokenBucket::new(),
            refused_first_ms: 0,
            refused_last_ms: None,
        }
    }

    /// Takes one token from a bucket that holds `rate.burst` and gets `rate.per_s` back each second.
    pub fn check(&mut self, now_ms: u64, rate: RequestRate) -> Verdict {
        if self.bucket.take(now_ms, rate.per_s, rate.burst) {
            return Verdict::Allowed;
        }
        let goes_on = self
            .refused_last_ms
            .is_some_and(|last_ms| now_ms.saturating_sub(last_ms) <= CALM_MS);
        if !goes_on {
            self.refused_first_ms = now_ms;
        }
        self.refused_last_ms = Some(now_ms);
        if now_ms.saturating_sub(self.refused_first_ms) > rate.refused_ms_max {
            Verdict::RefusedTooLong
        } else {
            Verdict::Refused
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: RequestRate = RequestRate {
        per_s: 100,
        burst: 200,
        refused_ms_max: 10_000,
    };

    fn count(limit: &mut RateLimit, now_ms: u64, tries: u32) -> (u32, Verdict) {
        let mut allowed = 0;
        let mut last = Verdict::Allowed;
        for _ in 0..tries {
            last = limit.check(now_ms, RATE);
            allowed += u32::from(last == Verdict::Allowed);
        }
        (allowed, last)
    }

    #[test]
    fn two_hundred_at_once_and_a_hundred_per_second_pass() {
        let mut limit = RateLimit::new();
        assert_eq!(count(&mut limit, 5, 250), (200, Verdict::Refused));
        assert_eq!(count(&mut limit, 1_005, 150), (100, Verdict::Refused));
        assert_eq!(count(&mut limit, 60_000, 200), (200, Verdict::Allowed));
    }

    #[test]
    fn asking_too_fast_for_ten_seconds_is_refused_for_good() {
        let mut limit = RateLimit::new();
        for second in 0..=10 {
            let (_, verdict) = count(&mut limit, second * 1_000, 250);
            assert_eq!(verdict, Verdict::Refused, "second {second}");
        }
        assert_eq!(count(&mut limit, 10_001, 250).1, Verdict::RefusedTooLong);
    }

    #[test]
    fn a_calm_moment_starts_the_ten_seconds_anew() {
        let mut limit = RateLimit::new();
        for second in 0..=9 {
            count(&mut limit, second * 1_000, 250);
        }
        assert_eq!(count(&mut limit, 12_000, 500).1, Verdict::Refused);
        assert_eq!(count(&mut limit, 13_000, 500).1, Verdict::Refused);
    }
}
