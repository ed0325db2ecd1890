//! What goes wrong, drawn from a seed.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::contract::StoreError;

/// How often calls of a [`super::MemoryStore`] go wrong, in calls per thousand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Answered `Unavailable`, and nothing was done.
    pub refuse_per_mille: u16,
    /// Commits that are applied and then answered `Unavailable`: the unknown outcome.
    pub unknown_per_mille: u16,
    /// Calls that let other tasks go first, before and after they take effect, so that concurrent
    /// callers change places.
    pub delay_per_mille: u16,
    /// The most times a delayed call yields, each side.
    pub yields_max: u8,
}

/// The source of misfortune.
pub(super) struct Trouble {
    rng: ChaCha8Rng,
    pub(super) faults: Faults,
    pub(super) down: bool,
}

impl Trouble {
    pub(super) fn new(seed: u64, faults: Faults) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            faults,
            down: false,
        }
    }

    /// What happens to the next call. Always draws the same number of times, so that switching one
    /// fault on does not move the others.
    pub(super) fn draw(&mut self) -> Fate {
        let faults = self.faults;
        let refused = self.happens(faults.refuse_per_mille);
        let unknown = self.happens(faults.unknown_per_mille);
        let delayed = self.happens(faults.delay_per_mille);
        let before = self.rng.random_range(0..=faults.yields_max);
        let after = self.rng.random_range(0..=faults.yields_max);
        Fate {
            refused,
            unknown,
            yields_before: if delayed { before } else { 0 },
            yields_after: if delayed { after } else { 0 },
        }
    }

    fn happens(&mut self, per_mille: u16) -> bool {
        self.rng.random_range(0..1_000) < per_mille
    }
}

/// What happens to one call.
#[derive(Clone, Copy)]
pub(super) struct Fate {
    refused: bool,
    unknown: bool,
    yields_before: u8,
    yields_after: u8,
}

impl Fate {
    /// Before the call takes effect.
    pub(super) async fn before(self) -> Result<(), StoreError> {
        yields(self.yields_before).await;
        if self.refused {
            return Err(StoreError::Unavailable("injected, not applied".into()));
        }
        Ok(())
    }

    /// Between effect and answer.
    pub(super) async fn after(self) {
        yields(self.yields_after).await;
    }

    /// Whether the caller of a commit learns that it happened.
    pub(super) fn outcome(self) -> Result<(), StoreError> {
        if self.unknown {
            return Err(StoreError::Unavailable("injected, outcome unknown".into()));
        }
        Ok(())
    }
}

async fn yields(times: u8) {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
}
