//! The numbers of a poll, exact in whole numbers.

use crowdlink_protocol::{POLL_COUNTERS, VoteStatistics};
use serde::{Deserialize, Serialize};

/// What one node counted in one run of a poll.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    count: i64,
    sum: i64,
    /// Sum of the squares: beyond 64 bits, so it is kept as text.
    #[serde(with = "wide")]
    squares: i128,
    /// Votes of the values from 0 on, as far as there are any.
    specific: Vec<i64>,
    /// When the last vote was counted (Unix ms); 0 without one.
    pub(super) last_vote_ms: i64,
}

mod wide {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(value: &i128, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<i128, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(from)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl Tally {
    /// Counts votes of one value; takes them back with a negative number.
    pub(super) fn add(&mut self, value: i64, times: i64) {
        self.count = self.count.saturating_add(times);
        self.sum = self.sum.saturating_add(value.saturating_mul(times));
        let (wide, times_wide) = (i128::from(value), i128::from(times));
        self.squares = self.squares.saturating_add(wide * wide * times_wide);
        let Some(index) = usize::try_from(value).ok().filter(|at| *at < POLL_COUNTERS) else {
            return;
        };
        if self.specific.len() <= index {
            self.specific.resize(index + 1, 0);
        }
        if let Some(counter) = self.specific.get_mut(index) {
            *counter = counter.saturating_add(times);
        }
    }

    /// Adds what another node counted.
    pub(super) fn merge(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
        self.squares = self.squares.saturating_add(other.squares);
        if self.specific.len() < other.specific.len() {
            self.specific.resize(other.specific.len(), 0);
        }
        for (own, others) in self.specific.iter_mut().zip(&other.specific) {
            *own = own.saturating_add(*others);
        }
        self.last_vote_ms = self.last_vote_ms.max(other.last_vote_ms);
    }

    pub(super) const fn count(&self) -> i64 {
        self.count
    }

    /// The numbers as they are told.
    pub(super) fn statistics(&self) -> VoteStatistics {
        let mut specific = self.specific.clone();
        specific.resize(POLL_COUNTERS, 0);
        VoteStatistics {
            count: self.count,
            sum: self.sum,
            mean: self.mean(),
            stddev: self.sample_deviation(),
            specific,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers to be shown")]
    fn mean(&self) -> f64 {
        if self.count == 0 {
            0.0
        } else {
            self.sum as f64 / self.count as f64
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers to be shown")]
    fn sample_deviation(&self) -> f64 {
        if self.count < 2 {
            return 0.0;
        }
        let (count, sum) = (i128::from(self.count), i128::from(self.sum));
        // Whole numbers as far as they reach: the difference of two large sums keeps its digits.
        let spread = match (count.checked_mul(self.squares), sum.checked_mul(sum)) {
            (Some(squares), Some(square)) => (squares - square) as f64,
            _ => (count as f64).mul_add(self.squares as f64, -(sum as f64 * sum as f64)),
        };
        (spread / (count as f64 * (count - 1) as f64))
            .max(0.0)
            .sqrt()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn statistics_are_those_of_the_textbook(
            votes in proptest::collection::vec((-1_000_i32..=1_000, 1_i32..5), 0..60),
            taken_back in 0_usize..20,
        ) {
            let mut tally = Tally::default();
            for (value, times) in &votes {
                tally.add((*value).into(), (*times).into());
            }
            let kept = votes.len().saturating_sub(taken_back);
            for (value, times) in &votes[kept..] {
                tally.add((*value).into(), (-times).into());
            }
            let stored = serde_json::to_string(&tally).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Tally>(&stored).unwrap(), &tally);
            let values: Vec<i32> = votes[..kept]
                .iter()
                .flat_map(|(value, times)| (0..*times).map(|_| *value))
                .collect();
            let n = f64::from(u32::try_from(values.len()).unwrap());
            let mean = values.iter().copied().map(f64::from).sum::<f64>() / n.max(1.0);
            let spread: f64 = values.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum();
            let deviation = if values.len() < 2 { 0.0 } else { (spread / (n - 1.0)).sqrt() };
            let told = tally.statistics();
            prop_assert_eq!(usize::try_from(told.count).unwrap(), values.len());
            prop_assert!((told.mean - mean).abs() < 1e-9);
            prop_assert!((told.stddev - deviation).abs() < 1e-6, "{} {}", told.stddev, deviation);
            prop_assert_eq!(told.specific.len(), POLL_COUNTERS);
            for (option, counted) in (0..).zip(&told.specific) {
                let naive = values.iter().filter(|value| **value == option).count();
                prop_assert_eq!(usize::try_from(*counted).unwrap(), naive);
            }
        }
    }

    #[test]
    fn nodes_add_up() {
        let (mut one, mut other, mut both) = <(Tally, Tally, Tally)>::default();
        for (value, times) in [(3, 1), (63, 2), (64, 1), (-1_000, 4)] {
            one.add(value, times);
            both.add(value, times);
        }
        other.add(5, 1);
        both.add(5, 1);
        one.merge(&other);
        assert_eq!(one, both);
    }
}
