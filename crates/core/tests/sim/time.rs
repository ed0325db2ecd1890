//! Virtual time, and the clocks of nodes, which may be wrong.
//!
//! Not `ManualClock`: that wakes its sleepers in an order that tokio draws at random.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crowdlink_store::{Clock, Sleep};
use parking_lot::Mutex;

/// When simulations begin (Unix ms).
pub const START_MS: i64 = 1_700_000_000_000;

/// The true time, in ms since the beginning, and who sleeps.
#[derive(Debug, Default)]
pub struct Time(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    now_ms: u64,
    sleepers: u64,
    timers: BTreeMap<(u64, u64), Waker>,
}

impl Time {
    pub fn now_ms(&self) -> u64 {
        self.0.lock().now_ms
    }

    /// Moves on, and wakes whose time has come, the earliest first.
    pub fn advance_ms(&self, ms: u64) {
        let due = {
            let mut inner = self.0.lock();
            inner.now_ms += ms;
            let after = (inner.now_ms + 1, 0);
            let later = inner.timers.split_off(&after);
            std::mem::replace(&mut inner.timers, later)
        };
        due.into_values().for_each(Waker::wake);
    }
}

/// The clock of a node: true, but for its wall clock.
#[derive(Debug)]
pub struct NodeClock {
    time: Arc<Time>,
    offset_ms: i64,
}

impl NodeClock {
    pub fn new(time: &Arc<Time>, offset_ms: i64) -> Arc<Self> {
        Arc::new(Self {
            time: Arc::clone(time),
            offset_ms,
        })
    }
}

impl Clock for NodeClock {
    fn now_ms(&self) -> i64 {
        START_MS + i64::try_from(self.time.now_ms()).unwrap() + self.offset_ms
    }

    fn monotonic_ms(&self) -> u64 {
        self.time.now_ms()
    }

    fn sleep_ms(&self, ms: u64) -> Sleep {
        let id = {
            let mut inner = self.time.0.lock();
            inner.sleepers += 1;
            inner.sleepers
        };
        Box::pin(Sleeper {
            time: Arc::clone(&self.time),
            key: (self.time.now_ms() + ms, id),
        })
    }
}

struct Sleeper {
    time: Arc<Time>,
    key: (u64, u64),
}

impl Future for Sleeper {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.time.0.lock();
        if inner.now_ms >= self.key.0 {
            return Poll::Ready(());
        }
        inner.timers.insert(self.key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.time.0.lock().timers.remove(&self.key);
    }
}
