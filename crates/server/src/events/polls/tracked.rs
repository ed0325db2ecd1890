//! Polls with something to be told, now or later, by when to look at them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hash;

use super::track::{Now, PollRhythm, Track};

/// How far the two clocks may drift apart before polls are put in order anew.
const DRIFT_MS_MAX: u64 = 100;

/// At most as many as there are polls that begin or end, and those with news in the tail.
#[derive(Debug)]
pub(super) struct Tracked<K> {
    polls: HashMap<K, (Track, u64)>,
    /// The same by when to look at them (monotonic ms).
    by_time: BTreeMap<u64, HashSet<K>>,
    /// Unix time of the start of monotonic time, when they were put in order.
    epoch_ms: i64,
}

impl<K> Default for Tracked<K> {
    fn default() -> Self {
        Self {
            polls: HashMap::new(),
            by_time: BTreeMap::new(),
            epoch_ms: 0,
        }
    }
}

impl<K: Clone + Eq + Hash> Tracked<K> {
    pub(super) fn has(&self, place: &K) -> bool {
        self.polls.contains_key(place)
    }

    pub(super) fn get(&self, place: &K) -> Option<&Track> {
        self.polls.get(place).map(|(track, _)| track)
    }

    /// Puts a poll back with what is known of it, to be looked at when it wants to.
    pub(super) fn put(&mut self, place: K, track: Track, now: Now) {
        if let Some(at_ms) = track.next_ms(now) {
            self.by_time.entry(at_ms).or_default().insert(place.clone());
            self.polls.insert(place, (track, at_ms));
        }
    }

    pub(super) fn take(&mut self, place: &K) -> Option<Track> {
        let (track, at_ms) = self.polls.remove(place)?;
        if let Some(places) = self.by_time.get_mut(&at_ms) {
            places.remove(place);
            if places.is_empty() {
                self.by_time.remove(&at_ms);
            }
        }
        Some(track)
    }

    /// The polls to look at now. They stay here: what is heard of them meanwhile is kept.
    pub(super) fn due(&self, now_ms: u64) -> Vec<K> {
        let due = self.by_time.range(..=now_ms);
        due.flat_map(|(_, places)| places.iter().cloned()).collect()
    }

    /// Word may have been lost: every poll here is to be looked at.
    pub(super) fn doubt(&mut self, now: Now, rhythm: &PollRhythm) {
        self.rearrange(now, |track| track.doubt(now, rhythm));
    }

    /// When to look at the next (monotonic ms).
    pub(super) fn next_ms(&mut self, now: Now) -> Option<u64> {
        // Polls begin and end by a clock that can be set; pauses go by one that cannot.
        let started_ms = now.unix_ms.saturating_sub_unsigned(now.monotonic_ms);
        if started_ms.abs_diff(self.epoch_ms) > DRIFT_MS_MAX {
            self.epoch_ms = started_ms;
            self.rearrange(now, |_| {});
        }
        self.by_time.keys().next().copied()
    }

    fn rearrange(&mut self, now: Now, change: impl Fn(&mut Track)) {
        self.by_time.clear();
        for (place, (mut track, _)) in std::mem::take(&mut self.polls) {
            change(&mut track);
            self.put(place, track, now);
        }
    }
}
