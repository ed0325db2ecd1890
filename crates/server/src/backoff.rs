//! Pauses between tries.

use crowdlink_core::Random;

/// Half of the time to all of it, so that nodes do not come back all at once.
pub(crate) fn jittered(ms: u64, random: &dyn Random) -> u64 {
    let mut byte = [0];
    random.fill(&mut byte);
    let [byte] = byte;
    ms / 2 + ms / 2 * u64::from(byte) / 255
}

#[cfg(test)]
mod tests {
    use crowdlink_core::SeededRandom;

    use super::*;

    #[test]
    fn pauses_differ_and_keep_within_half_and_all() {
        let random = SeededRandom::from_seed(1);
        let pauses: Vec<u64> = (0..100).map(|_| jittered(5_000, &random)).collect();
        assert!(pauses.iter().all(|ms| (2_500..=5_000).contains(ms)));
        assert!(pauses.iter().any(|ms| *ms != pauses[0]));
    }
}
