//! The write side of a session: everything that happens under its lock.

use std::io::{self, ErrorKind, IoSlice};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use parking_lot::MutexGuard;

use super::crier::Part;
use super::frame::{CloseCode, Frame};
use super::outbound::{Queue, SlotKey};
use super::session::{CloseReason, Session};

/// Most frames merged into one write.
const WRITE_FRAMES_MAX: usize = 128;

/// Who writes a frame that finds the queue empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The sender, at once, but not more than once a ms: in a burst, merging is cheaper.
    Direct,
    /// The connection's task.
    Queue,
}

impl Way {
    pub(super) const fn of(is_direct: bool) -> Self {
        if is_direct { Self::Direct } else { Self::Queue }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// The close frame is sent or waits.
    Closing,
    /// Nothing is sent any more.
    Over,
}

/// The state of a session's write side.
#[derive(Debug)]
pub(super) struct Out {
    /// Exists only while something waits.
    queue: Option<Box<Queue>>,
    phase: Phase,
    /// The handler is at work.
    pub(super) busy: bool,
    /// More messages are at hand: their answers go out together.
    corked: bool,
    direct_ms: u64,
    pub(super) next_ping_ms: u64,
    /// When a closing session is dropped.
    pub(super) close_by_ms: u64,
    reason: Option<CloseReason>,
    /// To be closed so once the handler is done.
    pub(super) close_next: Option<Box<(CloseCode, String)>>,
}

impl Out {
    pub(super) fn new(next_ping_ms: u64) -> Self {
        Self {
            queue: None,
            phase: Phase::Open,
            busy: false,
            corked: false,
            direct_ms: u64::MAX,
            next_ping_ms,
            close_by_ms: u64::MAX,
            reason: None,
            close_next: None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    pub(super) fn queued_bytes(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.cost_bytes())
    }

    /// Since when the first waiting frame waits; `u64::MAX` if none does.
    pub(super) fn waits_since_ms(&self) -> u64 {
        self.queue
            .as_ref()
            .map_or(u64::MAX, |queue| queue.since_ms())
    }
}

impl Session {
    /// Sends or queues one frame and tells whether it was taken.
    pub(super) fn offer(
        self: &Arc<Self>,
        frame: &Frame,
        slot: Option<SlotKey>,
        way: Way,
        now_ms: u64,
    ) -> bool {
        let mut out = self.out.lock();
        if !out.is_open() {
            return false;
        }
        let was_empty = out.queue.is_none();
        let mut written = 0;
        if was_empty && way == Way::Direct && !out.corked && out.direct_ms != now_ms {
            out.direct_ms = now_ms;
            // An error shows again when the task writes or reads; it deals with it.
            written = self.write_now(frame).unwrap_or(0);
            if written == frame.as_bytes().len() {
                drop(out);
                self.written();
                return true;
            }
        }
        let queue = out.queue.get_or_insert_default();
        match slot {
            Some(slot) if written == 0 => queue.push_latest(slot, frame.clone(), now_ms),
            _ => queue.push(frame.clone(), written, now_ms),
        }
        self.queued(out, was_empty)
    }

    /// Sends several frames, which are also given as one: written at once where nothing waits.
    pub(super) fn offer_merged(self: &Arc<Self>, parts: &[Part], joined: &Frame, now_ms: u64) {
        let mut out = self.out.lock();
        if !out.is_open() {
            return;
        }
        let was_empty = out.queue.is_none();
        let mut written = 0;
        if was_empty && !out.corked {
            // An error shows again, as above.
            written = self.write_now(joined).unwrap_or(0);
            if written == joined.as_bytes().len() {
                drop(out);
                return self.written();
            }
        }
        let queue = out.queue.get_or_insert_default();
        if written > 0 {
            queue.push(joined.clone(), written, now_ms);
        } else {
            for Part { frame, slot } in parts {
                match slot {
                    Some(slot) => queue.push_latest(*slot, frame.clone(), now_ms),
                    None => queue.push(frame.clone(), 0, now_ms),
                }
            }
        }
        self.queued(out, was_empty);
    }

    /// All was written. Of a TLS connection something may still be on its way to the socket.
    fn written(&self) {
        if self.io.owes_since_ms() != u64::MAX {
            self.waker.wake();
        }
    }

    /// Something waits: the task is woken, or the peer given up. Tells which.
    fn queued(self: &Arc<Self>, out: MutexGuard<'_, Out>, was_empty: bool) -> bool {
        let (bytes, corked) = (out.queued_bytes(), out.corked);
        drop(out);
        if bytes > self.live.limits().queue_bytes_max {
            self.give_up_slow();
            return false;
        }
        if was_empty && !corked {
            self.waker.wake();
        }
        true
    }

    fn write_now(&self, frame: &Frame) -> io::Result<usize> {
        self.io.try_write(&[IoSlice::new(frame.as_bytes())])
    }

    /// Closes a peer that is too far behind: what waits is dropped (spec 5).
    pub(super) fn give_up_slow(self: &Arc<Self>) {
        if let Some(queue) = &mut self.out.lock().queue {
            queue.drop_unstarted();
        }
        let reason = "too far behind";
        self.close(CloseCode::TRY_AGAIN_LATER, reason);
        let wait_ms = self.live.limits().close_wait_ms_max;
        self.limit_closing(self.now_ms().saturating_add(wait_ms));
    }

    pub(super) fn begin_close(self: &Arc<Self>, code: CloseCode, text: &str, reason: CloseReason) {
        let now_ms = self.now_ms();
        let mut out = self.out.lock();
        if !out.is_open() {
            return;
        }
        out.phase = Phase::Closing;
        out.reason.get_or_insert(reason);
        out.close_next = None;
        let queue = out.queue.get_or_insert_default();
        queue.push(Frame::close(code, text), 0, now_ms);
        drop(out);
        // What is queued gets the time it always has; flushing it shortens this.
        self.limit_closing(now_ms.saturating_add(self.live.limits().behind_ms_max));
        self.waker.wake();
    }

    /// Drops the session at a moment, or earlier if that was set before.
    fn limit_closing(self: &Arc<Self>, by_ms: u64) {
        let mut out = self.out.lock();
        out.close_by_ms = out.close_by_ms.min(by_ms);
        drop(out);
        self.arm(by_ms);
    }

    /// Ends the session without a word.
    pub(super) fn kill(&self, reason: CloseReason) {
        self.out.lock().reason.get_or_insert(reason);
        self.killed.store(true, Ordering::Release);
        self.waker.wake();
    }

    pub(super) fn is_killed(&self) -> bool {
        self.killed.load(Ordering::Acquire)
    }

    /// Why it ended, as far as is known.
    pub(super) fn reason(&self) -> CloseReason {
        self.out.lock().reason.unwrap_or(CloseReason::Dropped)
    }

    /// Writes what waits; ready when nothing does. The task is woken when there is more to do.
    pub(super) fn poll_flush(self: &Arc<Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.waker.register(cx.waker());
        loop {
            match self.flush() {
                Ok(true) => return Poll::Ready(()),
                Ok(false) => match self.io.poll_write_ready(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(_)) => break,
                },
                Err(_) => break,
            }
        }
        self.kill(CloseReason::Lost);
        Poll::Pending
    }

    /// Writes what waits, merged, and tells whether nothing does any more.
    fn flush(self: &Arc<Self>) -> io::Result<bool> {
        let mut out = self.out.lock();
        while let Some(queue) = &mut out.queue {
            let mut slices = [IoSlice::new(&[]); WRITE_FRAMES_MAX];
            let count = queue.fill(&mut slices);
            match self.io.try_write(slices.get(..count).unwrap_or_default()) {
                Ok(written) => queue.advance(written),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let since_ms = queue.since_ms().min(self.io.owes_since_ms());
                    drop(out);
                    self.arm(since_ms.saturating_add(self.live.limits().behind_ms_max));
                    return Ok(false);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if queue.is_empty() {
                out.queue = None;
            }
        }
        if !self.io.try_flush()? {
            drop(out);
            let since_ms = self.io.owes_since_ms();
            self.arm(since_ms.saturating_add(self.live.limits().behind_ms_max));
            return Ok(false);
        }
        if out.phase == Phase::Closing {
            drop(out);
            let wait_ms = self.live.limits().close_wait_ms_max;
            self.limit_closing(self.now_ms().saturating_add(wait_ms));
        }
        Ok(true)
    }

    /// The handler begins to work.
    pub(super) fn begin_work(&self) {
        self.out.lock().busy = true;
    }

    /// Holds answers back while more messages are at hand, or from one step of a handler to the
    /// next: what is sent meanwhile by whomever comes after them.
    pub(crate) fn cork(&self, corked: bool) {
        self.out.lock().corked = corked;
    }

    /// The handler is done; a close that waited for that happens.
    pub(super) fn end_work(self: &Arc<Self>) {
        let mut out = self.out.lock();
        out.busy = false;
        out.corked = false;
        let next = out.close_next.take();
        drop(out);
        if let Some(next) = next {
            let (code, reason) = *next;
            self.close(code, &reason);
        }
    }

    /// The end: nothing is sent or kept any more, and the socket is shut.
    pub(super) fn finish(&self) {
        let mut out = self.out.lock();
        out.phase = Phase::Over;
        out.queue = None;
        drop(out);
        self.io.shutdown(Shutdown::Both);
    }
}
