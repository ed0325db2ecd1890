//! Randomness, handed in: the system's generator, or a seeded one that replays.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use uuid::Uuid;

/// A source of random bytes.
pub trait Random: fmt::Debug + Send + Sync + 'static {
    /// Fills a buffer.
    fn fill(&self, buffer: &mut [u8]);
}

/// A ChaCha20 generator, seeded by the operating system or by a test.
pub struct SeededRandom(Mutex<ChaCha20Rng>);

impl SeededRandom {
    /// The same seed gives the same bytes, for tests and simulation. Not for secrets.
    pub fn from_seed(seed: u64) -> Self {
        Self(Mutex::new(ChaCha20Rng::seed_from_u64(seed)))
    }

    /// A generator that nobody can predict. Fails where the system has no randomness.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks the system"
    )]
    pub fn from_system() -> Result<Self, getrandom::Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        Ok(Self(Mutex::new(ChaCha20Rng::from_seed(seed))))
    }
}

impl fmt::Debug for SeededRandom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SeededRandom(…)")
    }
}

impl Random for SeededRandom {
    fn fill(&self, buffer: &mut [u8]) {
        self.0.lock().fill_bytes(buffer);
    }
}

/// `N` random bytes.
pub(crate) fn bytes<const N: usize>(random: &dyn Random) -> [u8; N] {
    let mut buffer = [0; N];
    random.fill(&mut buffer);
    buffer
}

/// 256 random bits as text, fit for a bearer secret.
pub(crate) fn secret_text(random: &dyn Random) -> String {
    URL_SAFE_NO_PAD.encode(bytes::<32>(random))
}

/// A time-ordered id (UUID v7). Unique, but never a secret.
pub(crate) fn id(random: &dyn Random, now_ms: i64) -> String {
    let millis = u64::try_from(now_ms).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &bytes(random))
        .into_uuid()
        .to_string()
}

/// An id before every [`id`] of that time.
pub(crate) fn lowest_id(now_ms: i64) -> String {
    let millis = u64::try_from(now_ms).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10])
        .into_uuid()
        .to_string()
}

/// The time an [`id`] was made (Unix ms), if it is one.
pub(crate) fn id_time_ms(id: &str) -> Option<i64> {
    let (seconds, nanos) = Uuid::parse_str(id).ok()?.get_timestamp()?.to_unix();
    i64::try_from(
        seconds
            .saturating_mul(1_000)
            .saturating_add(u64::from(nanos) / 1_000_000),
    )
    .ok()
}

/// A number in `0..bound`, unbiased.
pub(crate) fn below(random: &dyn Random, bound: u8) -> u8 {
    let fair = u8::MAX - (u8::MAX % bound + 1) % bound;
    loop {
        let [byte] = bytes::<1>(random);
        if byte <= fair {
            return byte % bound;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_when_it_was_made_and_ids_sort_by_time() {
        let random = SeededRandom::from_seed(1);
        let (early, late) = (
            id(&random, 1_700_000_000_123),
            id(&random, 1_700_000_000_124),
        );
        assert_eq!(id_time_ms(&early), Some(1_700_000_000_123));
        assert!(early < late);
    }

    #[test]
    fn every_number_below_the_bound_is_equally_likely() {
        let random = SeededRandom::from_seed(2);
        let mut counts = [0_u32; 30];
        for _ in 0..300_000 {
            counts[usize::from(below(&random, 30))] += 1;
        }
        // 10,000 each; six standard deviations are about 590.
        assert!(
            counts.iter().all(|count| count.abs_diff(10_000) < 600),
            "{counts:?}"
        );
    }
}
