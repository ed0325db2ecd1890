//! Medians and quantiles of what was measured.

use anyhow::{Context as _, Result};

/// The median of one figure of each round; of an even number the upper one.
pub(crate) fn median<T>(rounds: &[T], figure: impl Fn(&T) -> f64) -> Result<f64> {
    let mut sorted: Vec<f64> = rounds.iter().map(figure).collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().context("no rounds")
}

/// A quantile of sorted times in microseconds, in ms.
pub(crate) fn quantile_ms(sorted_us: &[u32], percent: usize) -> Result<f64> {
    let index = sorted_us.len() * percent / 100;
    let us = sorted_us.get(index.min(sorted_us.len().saturating_sub(1)));
    Ok(f64::from(*us.context("nothing was measured")?) / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_has_as_many_below_as_above() {
        let of = |rounds: &[f64]| median(rounds, |figure| *figure).ok();
        assert_eq!(of(&[9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(of(&[2.0, 1.0]), Some(2.0));
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn quantiles_are_of_what_came() {
        let times: Vec<u32> = (0..200).map(|ms| ms * 1_000).collect();
        assert!((quantile_ms(&times, 50).unwrap() - 100.0).abs() < 1e-9);
        assert!((quantile_ms(&times, 99).unwrap() - 198.0).abs() < 1e-9);
        assert!((quantile_ms(&[1_000], 99).unwrap() - 1.0).abs() < 1e-9);
        assert!(quantile_ms(&[], 50).is_err());
    }
}
