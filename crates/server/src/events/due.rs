//! When what is to be told.

use std::collections::{BTreeMap, HashMap, HashSet};

use crowdlink_core::Place;

/// Documents that changed, and when their viewers may hear of it. Holds a document while it waits
/// and for the pause after it was told, no longer.
#[derive(Debug, Default)]
pub(super) struct Due {
    /// To be told to games now.
    games: HashSet<Place>,
    /// Monotonic ms at which viewers may hear again; whether there is something to hear.
    viewers: HashMap<Place, (u64, bool)>,
    /// The same by time.
    by_time: BTreeMap<u64, HashSet<Place>>,
}

impl Due {
    /// A document changed.
    pub(super) fn changed(&mut self, place: Place, now_ms: u64) {
        self.games.insert(place.clone());
        if let Some((_, waits)) = self.viewers.get_mut(&place) {
            *waits = true;
        } else {
            self.schedule(place, now_ms, true);
        }
    }

    /// A document could not be read: everybody is to hear of it a little later, viewers not
    /// before their pause is over.
    pub(super) fn retry(&mut self, place: Place, mut at_ms: u64) {
        self.games.insert(place.clone());
        if let Some((old_ms, _)) = self.viewers.remove(&place) {
            if let Some(places) = self.by_time.get_mut(&old_ms) {
                places.remove(&place);
            }
            at_ms = at_ms.max(old_ms);
        }
        self.schedule(place, at_ms, true);
    }

    fn schedule(&mut self, place: Place, at_ms: u64, waits: bool) {
        self.by_time.entry(at_ms).or_default().insert(place.clone());
        self.viewers.insert(place, (at_ms, waits));
    }

    /// Takes the documents that games are to hear of.
    pub(super) fn take_games(&mut self) -> HashSet<Place> {
        std::mem::take(&mut self.games)
    }

    /// Takes the documents that viewers are to hear of now; they hear of them again after the
    /// pause at the earliest.
    pub(super) fn take_viewers(&mut self, now_ms: u64, pause_ms: u64) -> Vec<Place> {
        let mut told = Vec::new();
        while let Some(entry) = self.by_time.first_entry() {
            if *entry.key() > now_ms {
                break;
            }
            for place in entry.remove() {
                // Otherwise nothing happened in the pause.
                if let Some((_, true)) = self.viewers.remove(&place) {
                    told.push(place);
                }
            }
        }
        for place in &told {
            self.schedule(place.clone(), now_ms + pause_ms, false);
        }
        told
    }

    /// When [`Due::take_viewers`] has something to do next (monotonic ms).
    pub(super) fn next_ms(&self) -> Option<u64> {
        self.by_time.keys().next().copied()
    }
}

#[cfg(test)]
mod tests {
    use crowdlink_core::{DocumentKind, Scope};
    use crowdlink_protocol::{ClientId, Stage};

    use super::*;

    fn place(channel: &str) -> Place {
        Place {
            stage: Stage::Sandbox,
            client_id: ClientId::new("x").unwrap(),
            kind: DocumentKind::State,
            scope: Scope::Channel(channel.to_owned()),
        }
    }

    #[test]
    fn viewers_hear_at_once_then_after_the_pause_and_the_last_change_always() {
        let mut due = Due::default();
        due.changed(place("1"), 0);
        assert_eq!(due.take_viewers(0, 500), [place("1")]);
        due.changed(place("1"), 10);
        due.changed(place("1"), 20);
        assert_eq!(due.take_viewers(499, 500), []);
        assert_eq!(due.take_viewers(500, 500), [place("1")]);
        assert_eq!(due.take_viewers(1_000, 500), []);
        assert_eq!(due.next_ms(), None);
        due.changed(place("1"), 1_001);
        assert_eq!(due.take_viewers(1_001, 500), [place("1")]);
    }

    #[test]
    fn a_document_that_could_not_be_read_waits_for_the_end_of_the_pause() {
        let mut due = Due::default();
        due.changed(place("1"), 0);
        assert_eq!(due.take_viewers(0, 500), [place("1")]);
        due.changed(place("1"), 10);
        due.retry(place("1"), 260);
        assert_eq!(due.take_viewers(499, 500), []);
        assert_eq!(due.take_viewers(500, 500), [place("1")]);
        due.retry(place("1"), 1_250);
        assert_eq!(due.take_viewers(1_249, 500), []);
        assert_eq!(due.take_viewers(1_250, 500), [place("1")]);
    }

    #[test]
    fn games_hear_of_a_document_once_however_often_it_changed() {
        let mut due = Due::default();
        due.changed(place("1"), 0);
        due.changed(place("1"), 0);
        due.changed(place("2"), 0);
        assert_eq!(due.take_games().len(), 2);
        assert!(due.take_games().is_empty());
    }
}
