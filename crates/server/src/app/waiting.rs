//! A start while the database is away: an operator may start both at once.

use std::sync::Arc;

use crowdlink_core::Random;
use crowdlink_store::{Clock, StoreError};

use super::store::{Opened, open_store};
use crate::backoff::jittered;
use crate::settings::Settings;
use crate::shutdown::Shutdown;

/// The first pause between two tries, in ms. The next are twice as long each.
const PAUSE_MS_MIN: u64 = 250;
/// The longest pause, in ms.
const PAUSE_MS_MAX: u64 = 5_000;

/// Opens the store that the settings name, for a server. One in a database that cannot be reached
/// is waited for, as long as the settings say; `None` where the shutdown began meanwhile.
///
/// # Errors
/// As [`open_store`], and at once where waiting cannot mend it: a wrong password, an unknown
/// database, a schema that is not ours.
pub async fn await_store(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
    random: &dyn Random,
    shutdown: &Shutdown,
) -> anyhow::Result<Option<Opened>> {
    let waiting = Waiting {
        clock: &**clock,
        random,
        ms_max: if settings.store.url.is_empty() {
            0
        } else {
            settings.store.wait_ms_max
        },
    };
    tokio::select! {
        biased;
        () = shutdown.draining() => Ok(None),
        opened = waiting.until(|| open_store(settings, clock, random)) => opened.map(Some),
    }
}

/// How long something is waited for.
#[derive(Debug)]
pub struct Waiting<'a> {
    /// Time.
    pub clock: &'a dyn Clock,
    /// What makes the pauses of several nodes differ.
    pub random: &'a dyn Random,
    /// The last try begins no later than so many ms after the first.
    pub ms_max: u64,
}

impl Waiting<'_> {
    /// Tries to open a store until it can be reached. Says so once for each try that failed.
    ///
    /// # Errors
    /// That of the last try; or of the first that waiting cannot mend.
    pub async fn until<T, F>(&self, mut open: impl FnMut() -> F) -> anyhow::Result<T>
    where
        F: Future<Output = anyhow::Result<T>>,
    {
        let began_ms = self.clock.monotonic_ms();
        let mut pause_ms = PAUSE_MS_MIN;
        loop {
            let error = match open().await {
                Ok(opened) => return Ok(opened),
                Err(error) => error,
            };
            let waited_ms = self.clock.monotonic_ms().saturating_sub(began_ms);
            let left_ms = self.ms_max.saturating_sub(waited_ms);
            if self.ms_max == 0 || !is_away(&error) {
                return Err(error);
            }
            if left_ms == 0 {
                let waited = format!("waited {waited_ms} ms for the store (store.wait_ms_max)");
                return Err(error.context(waited));
            }
            let next_ms = jittered(pause_ms, self.random).min(left_ms);
            let error = format!("{error:#}");
            tracing::warn!(error, next_ms, left_ms, "the store is away: trying again");
            self.clock.sleep_ms(next_ms).await;
            pause_ms = pause_ms.saturating_mul(2).min(PAUSE_MS_MAX);
        }
    }
}

/// Whether it may be there a moment later.
fn is_away(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref::<StoreError>(),
        Some(StoreError::Unavailable(_))
    )
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use anyhow::{Context as _, anyhow};
    use crowdlink_core::SeededRandom;
    use crowdlink_store::ManualClock;
    use futures::poll;

    use super::*;

    fn away() -> anyhow::Error {
        let error: Result<(), _> = Err(StoreError::Unavailable("gone".into()));
        error.context("cannot open the store").unwrap_err()
    }

    /// Counts tries while time goes on in steps of 1 ms until the waiting is over.
    async fn tries(ms_max: u64, open: impl Fn(u32) -> anyhow::Result<()>) -> (Vec<u64>, String) {
        let clock = ManualClock::new(0);
        let random = SeededRandom::from_seed(7);
        let waiting = Waiting {
            clock: &*clock,
            random: &random,
            ms_max,
        };
        let count = Cell::new(0);
        let at_ms = std::cell::RefCell::new(Vec::new());
        let mut until = std::pin::pin!(waiting.until(|| {
            count.set(count.get() + 1);
            at_ms.borrow_mut().push(clock.monotonic_ms());
            let opened = open(count.get());
            async { opened }
        }));
        for _ in 0..1_000_000 {
            if let std::task::Poll::Ready(ended) = poll!(until.as_mut()) {
                let said = ended.map_or_else(|error| format!("{error:#}"), |()| "open".into());
                let first_ms = at_ms.borrow()[0];
                let at_ms = at_ms.borrow().iter().map(|ms| ms - first_ms).collect();
                return (at_ms, said);
            }
            clock.advance_ms(1);
        }
        panic!("waits for ever");
    }

    #[tokio::test]
    async fn a_store_that_comes_back_is_opened() {
        let come_back = |count| if count < 4 { Err(away()) } else { Ok(()) };
        let (at_ms, said) = tries(60_000, come_back).await;
        assert_eq!((at_ms.len(), said.as_str()), (4, "open"));
    }

    #[tokio::test]
    async fn pauses_double_up_to_five_seconds_and_are_cut_by_a_half_at_most() {
        let (at_ms, _) = tries(60_000, |_| Err(away())).await;
        let mut longest_ms = PAUSE_MS_MIN;
        let pauses: Vec<u64> = at_ms.windows(2).map(|pair| pair[1] - pair[0]).collect();
        // The last one is what was left.
        for pause_ms in &pauses[..pauses.len() - 1] {
            assert!(
                (longest_ms / 2..=longest_ms).contains(pause_ms),
                "{pauses:?}"
            );
            longest_ms = (longest_ms * 2).min(PAUSE_MS_MAX);
        }
        assert_eq!(longest_ms, PAUSE_MS_MAX);
    }

    #[tokio::test]
    async fn waiting_ends_in_time_with_the_last_error() {
        let (at_ms, said) = tries(60_000, |_| Err(away())).await;
        assert_eq!(at_ms.last(), Some(&60_000));
        let expected = "waited 60000 ms for the store (store.wait_ms_max): \
                        cannot open the store: store unavailable: gone";
        assert_eq!(said, expected);
    }

    #[tokio::test]
    async fn with_0_nothing_is_waited_for() {
        let (at_ms, said) = tries(0, |_| Err(away())).await;
        assert_eq!(at_ms, [0]);
        assert_eq!(said, "cannot open the store: store unavailable: gone");
    }

    #[tokio::test]
    async fn what_waiting_cannot_mend_ends_it_at_once() {
        let refused = || StoreError::Refused("password".into());
        let (at_ms, _) = tries(60_000, |_| Err(refused().into())).await;
        assert_eq!(at_ms, [0]);
        let (at_ms, _) = tries(60_000, |_| Err(anyhow!("two stores are given"))).await;
        assert_eq!(at_ms, [0]);
        let later = |count| Err(if count < 3 { away() } else { refused().into() });
        assert_eq!(tries(60_000, later).await.0.len(), 3);
    }
}
