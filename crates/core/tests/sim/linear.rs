//! Whether a history can be told as one thing after the other.
//!
//! Each call must seem to happen at one moment between its beginning and its answer (Herlihy and
//! Wing); a call of unknown outcome at one such moment or never. All worlds that are possible are
//! carried along; when none is left, something happened that no order explains.

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;

use crate::history::Event;

/// What a cache may be behind the store (DESIGN 2).
const STALE_MS_MAX: u64 = 1_000;
/// Calls of one thing that may be under way together, late reads included.
const OPEN_MAX: usize = 128;

/// Calls that a failure shows.
const EVENTS_SHOWN: usize = 25;

/// How a call relates to what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Write,
    Read,
    /// Through a cache of the node.
    CachedRead,
}

/// The plain thing that a history is compared with.
pub trait Model {
    type State: Clone + Debug + Eq + Hash;
    type Call: Clone + Debug;
    type Answer: Clone + Debug;

    /// What was refused and changed nothing is as good as a read.
    fn kind(&self, event: &Event<Self::Call, Self::Answer>) -> Kind;

    /// Whether a cached read is about what a write changed.
    fn concerns(&self, read: &Self::Call, write: &Self::Call) -> bool {
        let _ = (read, write);
        true
    }

    /// What may be after a call: nothing where its answer does not fit; for a call of unknown
    /// outcome, all that it may have done. For a read the same state, or nothing.
    fn apply(
        &self,
        state: &Self::State,
        event: &Event<Self::Call, Self::Answer>,
    ) -> Vec<Self::State>;
}

type Worlds<S> = HashSet<(S, u128)>;

struct Search<'a, M: Model> {
    model: &'a M,
    events: &'a [Event<M::Call, M::Answer>],
    /// Calls under way, by the bit that stands for each.
    open: [Option<usize>; OPEN_MAX],
}

/// Every state that may be at the end; else which answer no order explains, and what was possible
/// before it.
pub fn check<M: Model>(
    model: &M,
    initial: M::State,
    events: &[Event<M::Call, M::Answer>],
) -> Result<HashSet<M::State>, String> {
    let mut points = Vec::with_capacity(events.len() * 2);
    for (index, event) in events.iter().enumerate() {
        let kind = model.kind(event);
        if kind != Kind::Write && event.answer.is_none() {
            continue;
        }
        let start = match kind {
            Kind::CachedRead => stale_since(model, events, event),
            Kind::Write | Kind::Read => (event.start.seq, 0),
        };
        let end = event.end.map_or(u64::MAX, |end| end.seq);
        points.push((start, index, true));
        points.push(((end, 1), index, false));
    }
    points.sort_unstable();
    let mut search = Search {
        model,
        events,
        open: [None; OPEN_MAX],
    };
    let mut worlds = HashSet::from([(initial, 0)]);
    for (_, index, starts) in points {
        let after = if starts {
            search.start(&worlds, index)
        } else {
            search.end(&worlds, index)
        };
        if after.is_empty() {
            let event = &events[index];
            let possible: Vec<_> = worlds.iter().take(4).map(|(state, _)| state).collect();
            let before = events_before(events, event);
            return Err(format!(
                "{before}no order explains {event:?}\nafter {possible:?}"
            ));
        }
        worlds = after;
    }
    Ok(worlds.into_iter().map(|(state, _)| state).collect())
}

/// The last calls that began before one ended, as lines.
fn events_before<C: Debug, A: Debug>(events: &[Event<C, A>], last: &Event<C, A>) -> String {
    let began = |event: &&Event<C, A>| last.end.is_none_or(|end| event.start < end);
    let began: Vec<_> = events.iter().filter(began).collect();
    let shown = &began[began.len().saturating_sub(EVENTS_SHOWN)..];
    let line = |event: &&Event<C, A>| {
        let end = event.end.map_or(0, |end| end.seq);
        let (start, ms) = (event.start.seq, event.start.ms);
        let (node, call, answer) = (event.node, &event.call, &event.answer);
        format!("  {start}..{end} at {ms} ms: n{node} {call:?} = {answer:?}\n")
    };
    shown.iter().map(line).collect()
}

/// Whether a write was answered longer before a read than caches may be behind.
fn is_old<M: Model>(
    model: &M,
    read: &Event<M::Call, M::Answer>,
    write: &Event<M::Call, M::Answer>,
) -> bool {
    let end = write.end.filter(|end| end.seq < read.start.seq);
    end.is_some_and(|end| end.ms + STALE_MS_MAX < read.start.ms)
        && model.kind(write) == Kind::Write
        && model.concerns(&read.call, &write.call)
}

/// Whether a cached read must see a write: one that its own node answered, or an old one.
fn must_see<M: Model>(
    model: &M,
    read: &Event<M::Call, M::Answer>,
    write: &Event<M::Call, M::Answer>,
) -> bool {
    let own = || {
        write.node == read.node
            && write.end.is_some_and(|end| end.seq < read.start.seq)
            && model.kind(write) == Kind::Write
            && model.concerns(&read.call, &write.call)
    };
    write.answer.is_some() && (own() || is_old(model, read, write))
}

/// From where on a cached read may be true: since what it must see began, and what may have
/// happened long ago has happened or never will.
fn stale_since<M: Model>(
    model: &M,
    events: &[Event<M::Call, M::Answer>],
    read: &Event<M::Call, M::Answer>,
) -> (u64, u8) {
    let point = |event: &Event<M::Call, M::Answer>| {
        if must_see(model, read, event) {
            return Some((event.start.seq, 0));
        }
        let end = event.end.filter(|_| is_old(model, read, event));
        end.map(|end| (end.seq, 2))
    };
    events.iter().filter_map(point).max().unwrap_or((0, 0))
}

impl<M: Model> Search<'_, M> {
    fn bit_of(&self, index: usize) -> usize {
        let at = self.open.iter().position(|open| *open == Some(index));
        at.expect("a call that has begun")
    }

    fn start(&mut self, worlds: &Worlds<M::State>, index: usize) -> Worlds<M::State> {
        let free = self.open.iter().position(Option::is_none);
        let bit = free.expect("too many calls under way");
        self.open[bit] = Some(index);
        let worlds = worlds.iter().cloned();
        worlds.map(|world| self.with_reads(world)).collect()
    }

    /// Reads change nothing: each is done as soon as its answer fits.
    fn with_reads(&self, (state, mut done): (M::State, u128)) -> (M::State, u128) {
        for (bit, open) in self.open.iter().enumerate() {
            let Some(event) = open.map(|index| &self.events[index]) else {
                continue;
            };
            if done & (1 << bit) == 0
                && self.model.kind(event) != Kind::Write
                && !self.model.apply(&state, event).is_empty()
                && self.has_seen(event, done)
            {
                done |= 1 << bit;
            }
        }
        (state, done)
    }

    /// Whether everything has happened that a read must see.
    fn has_seen(&self, read: &Event<M::Call, M::Answer>, done: u128) -> bool {
        let under_way = self.open.iter().enumerate().filter_map(|(bit, open)| {
            let index = open.filter(|_| done & (1 << bit) == 0)?;
            Some(&self.events[index])
        });
        let cached = self.model.kind(read) == Kind::CachedRead;
        !cached
            || !under_way
                .into_iter()
                .any(|write| must_see(self.model, read, write))
    }

    /// Every world in which the call has happened; with an unknown outcome also those without.
    fn end(&mut self, worlds: &Worlds<M::State>, index: usize) -> Worlds<M::State> {
        let bit = self.bit_of(index);
        let unknown = self.events[index].answer.is_none();
        let mut left: Vec<_> = worlds.iter().cloned().collect();
        let mut known: Worlds<M::State> = worlds.clone();
        let mut ended = HashSet::new();
        while let Some((state, done)) = left.pop() {
            let has_happened = done & (1 << bit) != 0;
            if has_happened || unknown {
                ended.insert((state.clone(), done & !(1 << bit)));
            }
            if has_happened {
                continue;
            }
            for (at, open) in self.open.iter().enumerate() {
                let Some(event) = open.map(|index| &self.events[index]) else {
                    continue;
                };
                if done & (1 << at) != 0 || self.model.kind(event) != Kind::Write {
                    continue;
                }
                for next in self.model.apply(&state, event) {
                    let world = self.with_reads((next, done | (1 << at)));
                    if known.insert(world.clone()) {
                        left.push(world);
                    }
                }
            }
        }
        self.open[bit] = None;
        ended
    }
}
