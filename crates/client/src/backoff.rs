//! How long to wait before the next try to connect.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Waits between tries: they double from one failure to the next, and chance spreads them, so that
/// the games of a server that restarts do not come back as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The longest wait before the first try, in ms. Default 250.
    pub first_ms: u64,
    /// The longest wait of all, in ms. Default 30,000.
    pub longest_ms: u64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first_ms: 250,
            longest_ms: 30_000,
        }
    }
}

/// A run of tries.
#[derive(Debug)]
pub(crate) struct Tries {
    backoff: Backoff,
    random: ChaCha8Rng,
    failed: u32,
}

impl Tries {
    pub(crate) fn new(backoff: Backoff, seed: u64) -> Self {
        Self {
            backoff,
            random: ChaCha8Rng::seed_from_u64(seed),
            failed: 0,
        }
    }

    /// How many tries were made since it last worked.
    pub(crate) fn made(&self) -> u32 {
        self.failed
    }

    /// It worked.
    pub(crate) fn worked(&mut self) {
        self.failed = 0;
    }

    /// The wait before the next try: before the first anything up to `first_ms`, for a server that
    /// restarts is back at once (`spec 2.1`), later half of the doubled time and anything up to it.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let doubled = self
            .backoff
            .first_ms
            .saturating_mul(1_u64.checked_shl(self.failed).unwrap_or(u64::MAX));
        let longest = doubled.min(self.backoff.longest_ms);
        let least = if self.failed == 0 { 0 } else { longest / 2 };
        self.failed = self.failed.saturating_add(1);
        Duration::from_millis(self.random.random_range(least..=longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_no_two_games_wait_alike() {
        let backoff = Backoff::default();
        let mut tries = Tries::new(backoff, 7);
        let mut longest = backoff.first_ms;
        for round in 0..100 {
            let waited = u64::try_from(tries.next_wait().as_millis()).unwrap();
            assert!(waited <= longest, "{round}: {waited} > {longest}");
            assert!(round == 0 || waited >= longest / 2, "{round}: {waited}");
            longest = (longest * 2).min(backoff.longest_ms);
        }
        let mut others: Vec<_> = (0..20)
            .map(|seed| {
                let mut tries = Tries::new(backoff, seed);
                (tries.next_wait(), tries.next_wait()).1
            })
            .collect();
        others.sort();
        others.dedup();
        assert!(others.len() > 10, "{others:?}");
    }

    #[test]
    fn after_a_success_the_waits_begin_anew() {
        let mut tries = Tries::new(Backoff::default(), 1);
        for _ in 0..10 {
            tries.next_wait();
        }
        tries.worked();
        assert_eq!(tries.made(), 0);
        assert!(tries.next_wait() <= Duration::from_millis(250));
    }

    #[test]
    fn the_same_seed_waits_the_same() {
        let waits = |seed| {
            let mut tries = Tries::new(Backoff::default(), seed);
            [(); 8].map(|()| tries.next_wait())
        };
        assert_eq!(waits(3), waits(3));
    }
}
