//! The end of the process: running → draining → ended (spec 05, shutdown).
//!
//! Every edge watches one [`Shutdown`]. While draining it takes nothing new and finishes what it
//! has; what is not finished when the drain is over is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crowdlink_store::Clock;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};

/// How far the process has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// At work.
    Running,
    /// Taking nothing new, finishing what is in flight.
    Draining,
    /// Over: whatever is left is dropped.
    Ended,
}

/// How the end came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything in flight was finished. Exit code 0.
    Drained,
    /// The drain took its whole time; what was left was dropped. Exit code 0.
    TimedOut,
    /// A second signal cut the drain short.
    CutShort,
}

/// A handle on the end of the process. Clones are the same handle.
#[derive(Clone, Debug)]
pub struct Shutdown {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    phase: watch::Sender<Phase>,
    replaced: AtomicBool,
    in_flight: AtomicUsize,
    accepting: AtomicUsize,
    idle: Notify,
}

/// Work that the drain waits for; give it back by dropping it.
#[derive(Debug)]
pub struct InFlight(Arc<Shared>);

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.0.in_flight.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}

/// A loop that takes connections in; give it back by dropping it, once it takes no more.
#[derive(Debug)]
pub struct Accepting(Arc<Shared>);

impl Drop for Accepting {
    fn drop(&mut self) {
        if self.0.accepting.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}

impl Shutdown {
    /// A process that has just started.
    pub fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                phase: watch::Sender::new(Phase::Running),
                replaced: AtomicBool::new(false),
                in_flight: AtomicUsize::new(0),
                accepting: AtomicUsize::new(0),
                idle: Notify::new(),
            }),
        }
    }

    /// The phase now.
    pub fn phase(&self) -> Phase {
        *self.shared.phase.borrow()
    }

    /// Starts the drain; nothing happens where it has started.
    pub fn drain(&self) {
        self.advance(Phase::Draining);
    }

    /// Starts the drain because another process has taken over: it answers for this one from now
    /// on, also on the ops port.
    pub fn drain_replaced(&self) {
        self.shared.replaced.store(true, Ordering::Release);
        self.drain();
    }

    /// Whether another process has taken over.
    pub fn is_replaced(&self) -> bool {
        self.shared.replaced.load(Ordering::Acquire)
    }

    /// Ends at once.
    pub fn end(&self) {
        self.advance(Phase::Ended);
    }

    fn advance(&self, to: Phase) {
        self.shared.phase.send_if_modified(|phase| {
            let grows = *phase < to;
            if grows {
                *phase = to;
            }
            grows
        });
    }

    /// Ends when the drain starts, or has started.
    pub async fn draining(&self) {
        self.reached(Phase::Draining).await;
    }

    /// Ends when the process is over, or was.
    pub async fn ended(&self) {
        self.reached(Phase::Ended).await;
    }

    async fn reached(&self, phase: Phase) {
        // The sender lives in `self`, so this cannot fail.
        let _ = self
            .shared
            .phase
            .subscribe()
            .wait_for(|now| *now >= phase)
            .await;
    }

    /// Marks work that the drain has to wait for: a request, a live connection.
    pub fn in_flight(&self) -> InFlight {
        self.shared.in_flight.fetch_add(1, Ordering::AcqRel);
        InFlight(Arc::clone(&self.shared))
    }

    /// Marks a loop that takes connections in. The drain waits for it, for a connection taken in
    /// the moment in which the drain starts would otherwise find the process over.
    pub fn accepting(&self) -> Accepting {
        self.shared.accepting.fetch_add(1, Ordering::AcqRel);
        Accepting(Arc::clone(&self.shared))
    }

    /// How much work is marked.
    pub fn in_flight_count(&self) -> usize {
        self.shared.in_flight.load(Ordering::Acquire)
    }

    /// Ends when no work is marked and nothing takes more in.
    pub async fn idle(&self) {
        loop {
            let idle = self.shared.idle.notified();
            tokio::pin!(idle);
            // Listens before it looks, so that no wake-up falls between the two.
            idle.as_mut().enable();
            // In this order: what is taken in is marked before its loop ends.
            if self.shared.accepting.load(Ordering::Acquire) == 0 && self.in_flight_count() == 0 {
                return;
            }
            idle.await;
        }
    }

    /// Waits for a drain that somebody starts, then for its end: all work finished, `drain_ms_max`
    /// gone, or [`Shutdown::end`] called from outside. The phase is [`Phase::Ended`] afterwards.
    pub async fn run(&self, clock: &dyn Clock, drain_ms_max: u64) -> Outcome {
        self.draining().await;
        let outcome = tokio::select! {
            biased;
            () = self.ended() => Outcome::CutShort,
            () = self.idle() => Outcome::Drained,
            () = clock.sleep_ms(drain_ms_max) => Outcome::TimedOut,
        };
        self.end();
        outcome
    }

    /// Starts the drain at the first SIGTERM or SIGINT and ends at once at the second. Runs until
    /// then; spawn it.
    ///
    /// # Errors
    /// The system refuses to hand signals over.
    pub async fn on_signals(self) -> std::io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        for _ in 0..2 {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            if self.phase() == Phase::Running {
                tracing::info!(signal = name, "draining; a second signal ends at once");
                self.drain();
            } else {
                tracing::warn!(signal = name, "ending at once");
                self.end();
                break;
            }
        }
        Ok(())
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use crowdlink_store::ManualClock;
    use futures::poll;

    use super::*;

    #[tokio::test]
    async fn the_drain_ends_when_the_last_work_is_given_back() {
        let clock = ManualClock::new(0);
        let shutdown = Shutdown::new();
        let (first, second) = (shutdown.in_flight(), shutdown.in_flight());
        let mut run = Box::pin(shutdown.run(&*clock, 10_000));
        assert!(poll!(run.as_mut()).is_pending());
        shutdown.drain();
        assert!(poll!(run.as_mut()).is_pending());
        drop(first);
        assert!(poll!(run.as_mut()).is_pending());
        assert_eq!(shutdown.phase(), Phase::Draining);
        drop(second);
        assert_eq!(run.await, Outcome::Drained);
        assert_eq!(shutdown.phase(), Phase::Ended);
    }

    #[tokio::test]
    async fn the_drain_is_bounded_in_time() {
        let clock = ManualClock::new(0);
        let shutdown = Shutdown::new();
        let _stuck = shutdown.in_flight();
        shutdown.drain();
        let mut run = Box::pin(shutdown.run(&*clock, 10_000));
        assert!(poll!(run.as_mut()).is_pending());
        clock.advance_ms(9_999);
        assert!(poll!(run.as_mut()).is_pending());
        clock.advance_ms(1);
        assert_eq!(run.await, Outcome::TimedOut);
    }

    #[tokio::test]
    async fn ending_cuts_the_drain_short_and_nothing_goes_back() {
        let clock = ManualClock::new(0);
        let shutdown = Shutdown::new();
        let _stuck = shutdown.in_flight();
        shutdown.drain();
        shutdown.end();
        shutdown.drain();
        assert_eq!(shutdown.phase(), Phase::Ended);
        assert_eq!(shutdown.run(&*clock, 10_000).await, Outcome::CutShort);
        shutdown.draining().await;
        shutdown.ended().await;
    }

    #[tokio::test]
    async fn the_first_signal_drains_and_the_second_ends() {
        let shutdown = Shutdown::new();
        let mut watch = Box::pin(shutdown.clone().on_signals());
        // The handlers are in place once it was polled.
        assert!(poll!(watch.as_mut()).is_pending());
        let me = rustix::process::getpid();
        rustix::process::kill_process(me, rustix::process::Signal::TERM).unwrap();
        tokio::select! {
            _ = watch.as_mut() => panic!("one signal is not the end"),
            () = shutdown.draining() => {}
        }
        assert_eq!(shutdown.phase(), Phase::Draining);
        rustix::process::kill_process(me, rustix::process::Signal::INT).unwrap();
        watch.await.unwrap();
        assert_eq!(shutdown.phase(), Phase::Ended);
    }
}
