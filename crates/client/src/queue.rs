//! What waits for the game: bounded, and never in the way of the connection.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use futures::task::AtomicWaker;
use parking_lot::Mutex;

use crate::event::Event;

/// The most events that wait in one stream.
pub const EVENTS_MAX: usize = 1_024;
/// The most bytes of frames that wait in one stream; a single event may be longer.
pub const EVENT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Events are missing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Gap {
    /// The game was slow: so many of the oldest events were dropped, for more than [`EVENTS_MAX`] or
    /// [`EVENT_BYTES_MAX`] waited.
    #[error("{events} events were dropped: the game reads too slowly")]
    Overflow {
        /// How many.
        events: u64,
    },
    /// The connection was lost and is there again; what happened between was not heard.
    #[error("the connection was lost for a while")]
    Disconnected,
}

/// What a stream keeps of the events that its game was too slow to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Of what has a newer one the older goes first, and nobody is told: the newest state counts.
    Newest,
    /// The oldest goes, and the stream says how many.
    All,
}

/// The next thing in a stream.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are events")]
pub(crate) enum Told {
    Event(Event),
    Gap(Gap),
}

#[derive(Debug, Default)]
struct Waiting {
    told: VecDeque<(Told, usize)>,
    events: usize,
    bytes: usize,
    ended: bool,
    unread: bool,
}

/// Between the connection, which only ever puts in, and one stream.
#[derive(Debug)]
pub(crate) struct Queue {
    keep: Keep,
    waiting: Mutex<Waiting>,
    reader: AtomicWaker,
}

impl Queue {
    pub(crate) fn new(keep: Keep) -> Self {
        Self {
            keep,
            waiting: Mutex::default(),
            reader: AtomicWaker::new(),
        }
    }

    /// Puts an event in that came in so many bytes.
    pub(crate) fn push(&self, event: Event, bytes: usize) {
        let mut waiting = self.waiting.lock();
        if waiting.unread {
            return;
        }
        waiting.told.push_back((Told::Event(event), bytes));
        waiting.events += 1;
        waiting.bytes = waiting.bytes.saturating_add(bytes);
        while waiting.events > 1 && (waiting.events > EVENTS_MAX || waiting.bytes > EVENT_BYTES_MAX)
        {
            waiting.drop_one(self.keep);
        }
        drop(waiting);
        self.reader.wake();
    }

    /// The connection was lost and is there again.
    pub(crate) fn reconnected(&self) {
        let mut waiting = self.waiting.lock();
        let again = matches!(waiting.told.back(), Some((Told::Gap(Gap::Disconnected), _)));
        if self.keep == Keep::All && !again && !waiting.unread {
            waiting.told.push_back((Told::Gap(Gap::Disconnected), 0));
            waiting.limit_gaps();
        }
        drop(waiting);
        self.reader.wake();
    }

    /// Nothing more will come.
    pub(crate) fn end(&self) {
        self.waiting.lock().ended = true;
        self.reader.wake();
    }

    /// Nobody reads any more.
    pub(crate) fn leave(&self) {
        let mut waiting = self.waiting.lock();
        waiting.unread = true;
        waiting.told.clear();
    }

    /// Whether nobody reads any more.
    pub(crate) fn is_left(&self) -> bool {
        self.waiting.lock().unread
    }

    pub(crate) fn poll_next(&self, context: &mut Context<'_>) -> Poll<Option<Told>> {
        self.reader.register(context.waker());
        let mut waiting = self.waiting.lock();
        if let Some((told, bytes)) = waiting.told.pop_front() {
            if matches!(told, Told::Event(_)) {
                waiting.events -= 1;
                waiting.bytes = waiting.bytes.saturating_sub(bytes);
            }
            return Poll::Ready(Some(told));
        }
        if waiting.ended {
            Poll::Ready(None)
        } else {
            Poll::Pending
        }
    }
}

impl Waiting {
    fn drop_one(&mut self, keep: Keep) {
        let place = match keep {
            Keep::Newest => self.superseded(),
            Keep::All => None,
        };
        let oldest = || {
            let mut told = self.told.iter();
            told.position(|(told, _)| matches!(told, Told::Event(_)))
        };
        let Some(place) = place.or_else(oldest) else {
            return;
        };
        let Some((_, bytes)) = self.told.remove(place) else {
            return;
        };
        self.events -= 1;
        self.bytes = self.bytes.saturating_sub(bytes);
        if keep == Keep::All {
            self.count_dropped(place);
        }
    }

    /// The oldest event that a later one makes void: of the one that was just put in, or of any.
    fn superseded(&self) -> Option<usize> {
        let newest = self.told.back().and_then(|(told, _)| told.key());
        let same = |(told, _): &(Told, usize)| told.key() == newest;
        let last = self.told.len().checked_sub(1)?;
        let of_newest = self.told.iter().take(last).position(same);
        of_newest.or_else(|| {
            let mut later = std::collections::HashSet::new();
            let from_newest = self.told.iter().enumerate().rev();
            let void = from_newest.filter(|(_, (told, _))| !later.insert(told.key()));
            void.last().map(|(place, _)| place)
        })
    }

    /// Says in the place of a dropped event that there was one.
    fn count_dropped(&mut self, place: usize) {
        let before = place
            .checked_sub(1)
            .and_then(|place| self.told.get_mut(place));
        if let Some((Told::Gap(Gap::Overflow { events }), _)) = before {
            *events = events.saturating_add(1);
            return;
        }
        let gap = Gap::Overflow { events: 1 };
        self.told.insert(place, (Told::Gap(gap), 0));
        self.limit_gaps();
    }

    /// There are never more gaps than events could be.
    fn limit_gaps(&mut self) {
        let gaps = self.told.len().saturating_sub(self.events);
        if gaps > EVENTS_MAX {
            let first = self
                .told
                .iter()
                .position(|(told, _)| matches!(told, Told::Gap(_)));
            first.and_then(|place| self.told.remove(place));
        }
    }
}

impl Told {
    /// What the event is the newest of.
    fn key(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Event(event) => Some(event.key()),
            Self::Gap(_) => None,
        }
    }
}
