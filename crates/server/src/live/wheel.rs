//! One timer wheel for all connections: a session is one entry in it, and no timer of its own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::session::Session;

/// Slots of the wheel. What is due later is looked at when the wheel has turned once.
const SLOTS: u64 = 512;
/// Not in the wheel.
pub(super) const UNARMED: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct Wheel {
    tick_ms: u64,
    turning: Mutex<Turning>,
}

#[derive(Debug)]
struct Turning {
    /// The last tick that was taken out.
    now: u64,
    slots: Vec<Vec<Weak<Session>>>,
}

impl Wheel {
    pub(super) fn new(tick_ms: u64, now_ms: u64) -> Self {
        let tick_ms = tick_ms.max(1);
        Self {
            tick_ms,
            turning: Mutex::new(Turning {
                now: now_ms / tick_ms,
                slots: (0..SLOTS).map(|_| Vec::new()).collect(),
            }),
        }
    }

    /// Has a session looked at when `due_ms` has come, unless that is to happen sooner anyway.
    /// `armed` is the session's own note of when that is.
    pub(super) fn arm(&self, session: &Arc<Session>, armed: &AtomicU64, due_ms: u64) {
        // The tick that begins at or after the deadline.
        let tick = due_ms.div_ceil(self.tick_ms);
        if armed.load(Ordering::Acquire) <= tick {
            return;
        }
        let mut turning = self.turning.lock();
        let tick = tick.clamp(turning.now + 1, turning.now + SLOTS - 1);
        if armed.fetch_min(tick, Ordering::AcqRel) <= tick {
            return;
        }
        if let Some(slot) = turning.slot(tick) {
            slot.push(Arc::downgrade(session));
        }
    }

    /// Takes out everything due until `now_ms`, with the tick it was due at.
    pub(super) fn turn(&self, now_ms: u64) -> Vec<(u64, Vec<Weak<Session>>)> {
        let mut turning = self.turning.lock();
        let until = now_ms / self.tick_ms;
        let mut due = Vec::new();
        // After a long stop every slot is due, each once.
        let from = turning.now + 1;
        for tick in from..=until.min(turning.now + SLOTS) {
            if let Some(slot) = turning.slot(tick)
                && !slot.is_empty()
            {
                due.push((tick, std::mem::take(slot)));
            }
        }
        turning.now = turning.now.max(until);
        due
    }

    pub(super) fn tick_ms(&self) -> u64 {
        self.tick_ms
    }
}

impl Turning {
    fn slot(&mut self, tick: u64) -> Option<&mut Vec<Weak<Session>>> {
        let index = usize::try_from(tick % SLOTS).ok()?;
        self.slots.get_mut(index)
    }
}
