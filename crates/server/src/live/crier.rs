//! Fan-out on a server with one worker. Nobody else could write meanwhile, so what goes to many is
//! written to one socket after the other, without a queue, a task and a wake-up for each. With
//! several workers the connections' own tasks write: those share the work.
//!
//! A publication waits for one turn of the runtime. What others publish by then goes out with it,
//! merged into one write for each receiver. Whatever is published while something waits here waits
//! behind it, however few it goes to: that keeps the order of the calls.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::frame::Frame;
use super::hub::Topic;
use super::outbound::SlotKey;
use super::session::Session;

/// Receivers written to before others have their turn.
const TURN_RECEIVERS_MAX: usize = 256;
/// Bytes that are merged into one write.
const MERGED_BYTES_MAX: usize = 64 * 1024;
/// Bytes that may wait; whoever publishes beyond that does the work itself.
const WAITING_BYTES_MAX: usize = 1024 * 1024;

/// Those to whom a frame goes.
#[derive(Debug)]
pub(super) enum Receivers {
    /// Whoever is subscribed when it goes out.
    Topic(Arc<Topic>),
    /// These.
    Listed(Vec<Arc<Session>>),
}

impl Receivers {
    fn is_same_topic(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Topic(one), Self::Topic(other)) => Arc::ptr_eq(one, other),
            (Self::Topic(_) | Self::Listed(_), _) => false,
        }
    }
}

/// A frame of a stream, or the newest of a state.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) frame: Frame,
    pub(super) slot: Option<SlotKey>,
}

impl Part {
    fn bytes(&self) -> usize {
        self.frame.as_bytes().len()
    }
}

/// What goes to many, one after the other.
#[derive(Debug)]
pub(super) struct Crier {
    runtime: Handle,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    pass: Option<Pass>,
    waiting: VecDeque<(Receivers, Part)>,
    waiting_bytes: usize,
    /// Its task is there, or will be.
    is_at_work: bool,
}

/// Frames on their way to their receivers.
#[derive(Debug)]
struct Pass {
    to: Receivers,
    parts: Vec<Part>,
    /// All of them.
    joined: Frame,
    /// Where it goes on.
    next: usize,
}

impl Crier {
    /// One for the runtime that this is called in, if that has one worker.
    pub(super) fn for_one_worker() -> Option<Arc<Self>> {
        let runtime = Handle::try_current().ok()?;
        let alone = runtime.metrics().num_workers() == 1;
        alone.then(|| {
            Arc::new(Self {
                runtime,
                state: Mutex::default(),
            })
        })
    }

    /// Takes what goes to many over, and what must go behind that; else gives the receivers back.
    pub(super) fn take(
        self: &Arc<Self>,
        are_many: bool,
        to: Receivers,
        part: Part,
    ) -> Option<Receivers> {
        let mut state = self.state.lock();
        if !are_many && !state.is_at_work {
            return Some(to);
        }
        state.waiting_bytes += part.bytes();
        state.waiting.push_back((to, part));
        while state.waiting_bytes > WAITING_BYTES_MAX {
            state.advance(usize::MAX);
        }
        if !state.is_at_work {
            state.is_at_work = true;
            self.runtime.spawn(Arc::clone(self).work());
        }
        None
    }

    /// Sends all that waits, before something that must not overtake it.
    pub(super) fn settle(&self) {
        let mut state = self.state.lock();
        while state.advance(usize::MAX) {}
    }

    async fn work(self: Arc<Self>) {
        let _turn = Turn(&self);
        loop {
            tokio::task::yield_now().await;
            let mut state = self.state.lock();
            if !state.advance(TURN_RECEIVERS_MAX) {
                state.is_at_work = false;
                break;
            }
        }
    }
}

/// The work of the task. Should it end early, the next publication begins anew.
struct Turn<'a>(&'a Crier);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.state.lock().is_at_work = false;
        }
    }
}

impl State {
    /// Goes on to so many receivers at most, of one pass, and tells whether anything is left.
    fn advance(&mut self, receivers_max: usize) -> bool {
        let Some(mut pass) = self.pass.take().or_else(|| self.next_pass()) else {
            return false;
        };
        if !pass.proceed(receivers_max) {
            self.pass = Some(pass);
        }
        self.pass.is_some() || !self.waiting.is_empty()
    }

    /// The first that waits, and those right behind it that go to the same topic.
    fn next_pass(&mut self) -> Option<Pass> {
        let (to, first) = self.waiting.pop_front()?;
        let mut bytes = first.bytes();
        let mut parts = vec![first];
        while let Some((receivers, part)) = self.waiting.front()
            && receivers.is_same_topic(&to)
            && bytes + part.bytes() <= MERGED_BYTES_MAX
        {
            bytes += part.bytes();
            parts.extend(self.waiting.pop_front().map(|(_, part)| part));
        }
        self.waiting_bytes -= bytes;
        let frames: Vec<Frame> = parts.iter().map(|part| part.frame.clone()).collect();
        Some(Pass {
            to,
            parts,
            joined: Frame::sequence(&frames),
            next: 0,
        })
    }
}

impl Pass {
    /// Goes on to so many receivers at most, and tells whether it is over.
    fn proceed(&mut self, receivers_max: usize) -> bool {
        let end = self.next.saturating_add(receivers_max);
        let from = std::mem::replace(&mut self.next, end);
        match &self.to {
            Receivers::Topic(topic) => {
                let seated = topic.seated();
                self.cry(seated.seats(from..end));
                end >= seated.seats_count()
            }
            Receivers::Listed(sessions) => {
                let end = end.min(sessions.len());
                self.cry(sessions.get(from..end).unwrap_or_default().iter());
                end == sessions.len()
            }
        }
    }

    fn cry<'a>(&self, sessions: impl Iterator<Item = &'a Arc<Session>>) {
        let mut now_ms = None;
        for session in sessions {
            let now_ms = *now_ms.get_or_insert_with(|| session.now_ms());
            session.offer_merged(&self.parts, &self.joined, now_ms);
        }
    }
}
