//! Sessions in numbered seats: joining and leaving take constant time.

use std::ops::Range;
use std::sync::Arc;

use super::session::Session;

/// A set of sessions. A seat keeps its number while it is taken.
#[derive(Debug, Default)]
pub(super) struct Roster {
    seats: Vec<Option<Arc<Session>>>,
    free: Vec<u32>,
}

impl Roster {
    /// Seats a session and tells where.
    pub(super) fn join(&mut self, session: Arc<Session>) -> u32 {
        if let Some(number) = self.free.pop()
            && let Some(seat) = self.seats.get_mut(number as usize)
        {
            *seat = Some(session);
            return number;
        }
        let number = u32::try_from(self.seats.len()).unwrap_or(u32::MAX);
        self.seats.push(Some(session));
        number
    }

    /// Frees a seat. The last one to leave takes the memory along.
    pub(super) fn leave(&mut self, number: u32) {
        let Some(seat) = self.seats.get_mut(number as usize) else {
            return;
        };
        if seat.take().is_some() {
            self.free.push(number);
        }
        if self.is_empty() {
            *self = Self::default();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.seats.len() - self.free.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Seats, free ones too.
    pub(super) fn seats_count(&self) -> usize {
        self.seats.len()
    }

    /// Who sits in some seats, as far as there are so many.
    pub(super) fn seats(&self, range: Range<usize>) -> impl Iterator<Item = &Arc<Session>> {
        let end = range.end.min(self.seats.len());
        let seats = self.seats.get(range.start.min(end)..end);
        seats.unwrap_or_default().iter().flatten()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Session>> {
        self.seats.iter().flatten()
    }
}
