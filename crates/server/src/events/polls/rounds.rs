//! Looking at polls when they are due.

use std::hash::Hash;
use std::sync::Arc;

use crowdlink_core::Error;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::track::{Now, PollRhythm, Seen, Telling, Track};
use super::tracked::Tracked;
use crate::live::Live;

/// Polls read at the same time.
pub(super) const READING_MAX: usize = 16;
/// When a poll that could not be read is tried again.
pub(super) const RETRY_MS: u64 = 250;
/// The longest a round waits for: so soon it is seen that somebody has set the machine's clock.
const ASLEEP_MS_MAX: u64 = 10_000;

/// The polls in mind, by place, and who looks at them.
#[derive(Debug)]
pub(super) struct Rounds<K> {
    live: Arc<Live>,
    pub(super) rhythm: PollRhythm,
    tracked: Mutex<Tracked<K>>,
    woken: Notify,
}

/// What became of a look at a poll.
#[derive(Debug)]
pub(super) enum Looked<P> {
    /// It is there.
    Tell(P, Telling),
    /// It is gone; whether anybody was told of it, or was to be.
    Gone(bool),
    /// It is to be looked at again.
    Later,
}

impl<K: Clone + Eq + Hash> Rounds<K> {
    pub(super) fn new(live: Arc<Live>, rhythm: PollRhythm) -> Self {
        Self {
            live,
            rhythm,
            tracked: Mutex::default(),
            woken: Notify::new(),
        }
    }

    pub(super) fn now(&self) -> Now {
        let clock = self.live.clock();
        Now {
            unix_ms: clock.now_ms(),
            monotonic_ms: clock.monotonic_ms(),
        }
    }

    /// Keeps polls in mind; those that are know more.
    pub(super) fn keep(&self, polls: impl IntoIterator<Item = (K, Track)>) {
        let now = self.now();
        let mut tracked = self.tracked.lock();
        for (place, track) in polls {
            if !tracked.has(&place) {
                tracked.put(place, track, now);
            }
        }
        drop(tracked);
        self.woken.notify_one();
    }

    pub(super) fn has(&self, place: &K) -> bool {
        self.tracked.lock().has(place)
    }

    /// Something was heard of a poll; of one that is not in mind `new` is what is known.
    pub(super) fn hear(&self, place: K, new: Track, hear: impl FnOnce(&mut Track, Now)) {
        let now = self.now();
        let mut tracked = self.tracked.lock();
        let mut track = tracked.take(&place).unwrap_or(new);
        hear(&mut track, now);
        tracked.put(place, track, now);
        drop(tracked);
        self.woken.notify_one();
    }

    /// Word may have been lost.
    pub(super) fn doubt(&self) {
        self.tracked.lock().doubt(self.now(), &self.rhythm);
        self.woken.notify_one();
    }

    pub(super) fn forget(&self, place: &K) {
        self.tracked.lock().take(place);
    }

    /// How often anything was heard of a poll.
    pub(super) fn heard(&self, place: &K) -> Option<u64> {
        self.tracked.lock().get(place).map(Track::heard)
    }

    /// Whether the end of a poll is still to be told.
    pub(super) fn ends_now(&self, place: &K, seen: Seen<'_>) -> bool {
        let tracked = self.tracked.lock();
        let track = tracked.get(place);
        track.is_some_and(|track| track.ends_now(seen))
    }

    /// Waits until there may be something to look at; what that is, maybe nothing. It stays here:
    /// what is heard of it meanwhile is kept.
    pub(super) async fn due(&self) -> Vec<K> {
        let clock = self.live.clock();
        loop {
            let now = self.now();
            let next_ms = self.tracked.lock().next_ms(now);
            let wait_ms = next_ms.map(|at_ms| at_ms.saturating_sub(now.monotonic_ms));
            let asleep = clock.sleep_ms(wait_ms.unwrap_or(ASLEEP_MS_MAX).min(ASLEEP_MS_MAX));
            if clock.monotonic_ms() != now.monotonic_ms {
                // Time went on between the two looks at it: that sleep ends too late.
                continue;
            }
            tokio::select! {
                () = self.woken.notified() => {}
                () = asleep => {}
            }
            return self.tracked.lock().due(clock.monotonic_ms());
        }
    }

    /// Holds a poll that was read against what was told of it. `heard` is how often anything had
    /// been heard of it before it was read.
    pub(super) fn looked<P>(
        &self,
        place: &K,
        heard: Option<u64>,
        read: Result<Option<P>, Error>,
        seen: fn(&P) -> Seen<'_>,
    ) -> Looked<P> {
        let now = self.now();
        let mut tracked = self.tracked.lock();
        let Some(mut track) = tracked.take(place) else {
            return Looked::Later;
        };
        match read {
            Ok(Some(poll)) => {
                let telling = track.tell(seen(&poll), now, &self.rhythm);
                tracked.put(place.clone(), track, now);
                Looked::Tell(poll, telling)
            }
            // It may have been created again since it was read.
            Ok(None) if Some(track.heard()) != heard => {
                tracked.put(place.clone(), track, now);
                Looked::Later
            }
            Ok(None) => Looked::Gone(track.knew_of_it()),
            Err(error) => {
                tracing::warn!(%error, "a poll could not be read; trying again");
                track.postpone(now.monotonic_ms + RETRY_MS);
                tracked.put(place.clone(), track, now);
                Looked::Later
            }
        }
    }
}
