//! What was called and what was answered.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crowdlink_core::Error;
use parking_lot::Mutex;

use crate::trace::{Moment, Trace};

/// A call, and what is known of its outcome.
#[derive(Clone, Debug)]
pub struct Event<C, A> {
    pub node: usize,
    pub call: C,
    pub start: Moment,
    /// None while it is under way.
    pub end: Option<Moment>,
    /// None where nobody knows what it did.
    pub answer: Option<Result<A, Error>>,
}

/// All calls of one thing.
pub struct History<C, A> {
    name: String,
    events: Arc<Mutex<Vec<Event<C, A>>>>,
}

impl<C, A> Clone for History<C, A> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            events: Arc::clone(&self.events),
        }
    }
}

impl<C, A> Default for History<C, A> {
    fn default() -> Self {
        Self {
            name: String::new(),
            events: Arc::default(),
        }
    }
}

impl<C: Clone + Debug, A: Clone + Debug> History<C, A> {
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            events: Arc::default(),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn events(&self) -> Vec<Event<C, A>> {
        self.events.lock().clone()
    }

    /// A call begins.
    pub fn begin(&self, clerk: &Clerk, node: usize, call: C) -> Open<C, A> {
        let trace = &clerk.trace;
        trace.say(&format!("n{node} {} {call:?} …", self.name));
        let start = trace.moment();
        let mut events = self.events.lock();
        events.push(Event {
            node,
            call,
            start,
            end: None,
            answer: None,
        });
        clerk.in_flight.fetch_add(1, Ordering::SeqCst);
        Open {
            history: self.clone(),
            clerk: clerk.clone(),
            index: events.len() - 1,
            has_ended: false,
        }
    }
}

/// Who keeps the books.
#[derive(Clone)]
pub struct Clerk {
    pub trace: Arc<Trace>,
    pub in_flight: Arc<AtomicUsize>,
}

/// A call under way. Dropped without an answer, as by a crash, its outcome is unknown.
pub struct Open<C: Clone + Debug, A: Clone + Debug> {
    history: History<C, A>,
    clerk: Clerk,
    index: usize,
    has_ended: bool,
}

impl<C: Clone + Debug, A: Clone + Debug> Open<C, A> {
    /// It was answered. A fault of ours must be the store's, and tells nothing of what was done.
    pub fn end(mut self, answer: Result<A, Error>) {
        let trace = Arc::clone(&self.clerk.trace);
        let answer = match answer {
            Err(Error::Internal(why)) => {
                if !why.contains("simulated") {
                    let name = &self.history.name;
                    trace.wrong(format!("{name} answered: {why}"));
                }
                None
            }
            answer => Some(answer),
        };
        self.has_ended = true;
        let mut events = self.history.events.lock();
        let event = &mut events[self.index];
        let (node, name, call) = (event.node, &self.history.name, &event.call);
        let line = match &answer {
            None => format!("n{node} {name} {call:?} = unknown"),
            Some(Ok(answer)) => format!("n{node} {name} {call:?} = {answer:?}"),
            Some(Err(error)) => format!("n{node} {name} {call:?} = {error:?}"),
        };
        trace.say(&line);
        event.answer = answer;
        event.end = Some(trace.moment());
    }
}

impl<C: Clone + Debug, A: Clone + Debug> Drop for Open<C, A> {
    fn drop(&mut self) {
        self.clerk.in_flight.fetch_sub(1, Ordering::SeqCst);
        if !self.has_ended {
            // A crash drops calls in no order: all of them end at the moment that it happened.
            self.history.events.lock()[self.index].end = Some(self.clerk.trace.last_moment());
        }
    }
}
