//! Where calls of the store wait until the scheduler lets one of them go.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use crate::time::Time;

/// Before a call takes effect, or between its effect and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Before,
    After,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Fate {
    /// It is answered `Unavailable`, here: before, and nothing was done, or after it was.
    pub fails: bool,
    /// It waits a second time, for its answer.
    pub waits_after: bool,
}

/// A call that waits.
#[derive(Clone, Copy, Debug)]
pub struct Parked {
    pub id: u64,
    pub node: usize,
    pub side: Side,
    pub since_ms: u64,
}

#[derive(Default)]
struct Inner {
    next: u64,
    parked: Vec<Parked>,
    wakers: Vec<(u64, Waker)>,
    opened: Vec<(u64, Fate)>,
}

pub struct Gates {
    time: Arc<Time>,
    inner: Mutex<Inner>,
}

impl Gates {
    pub fn new(time: &Arc<Time>) -> Arc<Self> {
        Arc::new(Self {
            time: Arc::clone(time),
            inner: Mutex::default(),
        })
    }

    /// Waits until the scheduler says what becomes of a call.
    pub fn wait(self: &Arc<Self>, node: usize, side: Side) -> Gate {
        let since_ms = self.time.now_ms();
        let mut inner = self.inner.lock();
        inner.next += 1;
        let id = inner.next;
        inner.parked.push(Parked {
            id,
            node,
            side,
            since_ms,
        });
        Gate {
            gates: Arc::clone(self),
            id,
        }
    }

    /// Who waits, whoever came first first.
    pub fn parked(&self) -> Vec<Parked> {
        self.inner.lock().parked.clone()
    }

    pub fn open(&self, id: u64, fate: Fate) {
        let mut inner = self.inner.lock();
        inner.parked.retain(|parked| parked.id != id);
        inner.opened.push((id, fate));
        let waker = inner.wakers.iter().position(|(of, _)| *of == id);
        if let Some(at) = waker {
            inner.wakers.swap_remove(at).1.wake();
        }
    }
}

/// One call's wait.
pub struct Gate {
    gates: Arc<Gates>,
    id: u64,
}

impl Future for Gate {
    type Output = Fate;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Fate> {
        let mut inner = self.gates.inner.lock();
        if let Some(at) = inner.opened.iter().position(|(id, _)| *id == self.id) {
            return Poll::Ready(inner.opened.swap_remove(at).1);
        }
        inner.wakers.retain(|(id, _)| *id != self.id);
        inner.wakers.push((self.id, context.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let mut inner = self.gates.inner.lock();
        inner.parked.retain(|parked| parked.id != self.id);
        inner.wakers.retain(|(id, _)| *id != self.id);
        inner.opened.retain(|(id, _)| *id != self.id);
    }
}
