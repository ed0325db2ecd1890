//! What happened, in order: the last of it as lines, all of it as a hash, and what was wrong.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::time::Time;

/// Lines that a failure shows.
const LINES_MAX: usize = 50;

/// A point in the order of everything, and the true time (ms since the beginning).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    pub seq: u64,
    pub ms: u64,
}

pub struct Trace {
    time: Arc<Time>,
    /// Prints every line, not only the last ones of a failure.
    prints: bool,
    inner: Mutex<Inner>,
}

struct Inner {
    seq: u64,
    hash: DefaultHasher,
    lines: VecDeque<String>,
    wrong: Vec<String>,
}

impl Trace {
    pub fn new(time: &Arc<Time>) -> Arc<Self> {
        Arc::new(Self {
            time: Arc::clone(time),
            prints: std::env::var_os("SIM_TRACE").is_some(),
            inner: Mutex::new(Inner {
                seq: 0,
                // Without keys of its own: the same in every run.
                hash: DefaultHasher::new(),
                lines: VecDeque::new(),
                wrong: Vec::new(),
            }),
        })
    }

    /// The next point in the order of everything.
    pub fn moment(&self) -> Moment {
        let ms = self.time.now_ms();
        let mut inner = self.inner.lock();
        inner.seq += 1;
        Moment { seq: inner.seq, ms }
    }

    /// The point that the order of everything is at.
    pub fn last_moment(&self) -> Moment {
        let ms = self.time.now_ms();
        let seq = self.inner.lock().seq;
        Moment { seq, ms }
    }

    /// Adds to the hash alone.
    pub fn note(&self, what: impl Hash + std::fmt::Debug) {
        if self.prints {
            eprintln!("note {what:?}");
        }
        what.hash(&mut self.inner.lock().hash);
    }

    /// Adds a line, and its text to the hash.
    pub fn say(&self, line: &str) {
        let ms = self.time.now_ms();
        let mut inner = self.inner.lock();
        (ms, line).hash(&mut inner.hash);
        if inner.lines.len() == LINES_MAX {
            inner.lines.pop_front();
        }
        let (s, rest) = (ms / 1_000, ms % 1_000);
        let line = format!("{s:>7}.{rest:03} {line}");
        if self.prints {
            eprintln!("{line}");
        }
        inner.lines.push_back(line);
    }

    /// Something that must not be.
    pub fn wrong(&self, what: String) {
        self.inner.lock().wrong.push(what);
    }

    pub fn is_wrong(&self) -> bool {
        !self.inner.lock().wrong.is_empty()
    }

    pub fn hash(&self) -> u64 {
        self.inner.lock().hash.finish()
    }

    /// What was wrong, behind the last lines; `None` where nothing was.
    pub fn failure(&self) -> Option<String> {
        let inner = self.inner.lock();
        if inner.wrong.is_empty() {
            return None;
        }
        let lines: Vec<&str> = inner.lines.iter().map(String::as_str).collect();
        let (lines, wrong) = (lines.join("\n"), inner.wrong.join("\n"));
        Some(format!("{lines}\n\n{wrong}"))
    }
}
