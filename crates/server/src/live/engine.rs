//! All live connections of the process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use crowdlink_store::Clock;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::connection::{Connection, Handler};
use super::frame::CloseCode;
use super::hub::Hub;
use super::io::Io;
use super::limits::LiveLimits;
use super::roster::Roster;
use super::session::Session;
use super::wheel::Wheel;

const SHARDS: usize = 16;
/// Steps in which a drain closes sessions, so that not all clients come back in one instant.
const DRAIN_STEPS: u64 = 20;

/// All live connections: who is there, what they subscribe to, and their time.
#[derive(Debug)]
pub struct Live {
    clock: Arc<dyn Clock>,
    limits: LiveLimits,
    hub: Hub,
    pub(super) wheel: Wheel,
    rosters: Vec<Mutex<Roster>>,
    next_id: AtomicU64,
    sessions: AtomicUsize,
    draining: AtomicBool,
    emptied: Notify,
}

impl Live {
    /// Starts the engine and its one timer task, which ends with the engine. To be called inside
    /// a tokio runtime.
    pub fn start(clock: Arc<dyn Clock>, limits: LiveLimits) -> Arc<Self> {
        let live = Arc::new(Self {
            hub: Hub::new(limits.subscriptions_max),
            wheel: Wheel::new(limits.tick_ms, clock.monotonic_ms()),
            rosters: (0..SHARDS).map(|_| Mutex::default()).collect(),
            next_id: AtomicU64::new(1),
            sessions: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            emptied: Notify::new(),
            clock: Arc::clone(&clock),
            limits,
        });
        let weak = Arc::downgrade(&live);
        let tick_ms = live.wheel.tick_ms();
        tokio::spawn(async move {
            loop {
                clock.sleep_ms(tick_ms).await;
                let Some(live) = weak.upgrade() else { break };
                live.on_time();
            }
        });
        live
    }

    /// Runs a connection on a raw socket whose handshake is done. `early` is what was read of it
    /// already. While the engine drains, the connection is closed 1001 at once.
    pub fn open<H: Handler>(
        self: &Arc<Self>,
        io: impl Into<Io>,
        early: &[u8],
        peer: SocketAddr,
        handler: H,
    ) -> Arc<Session> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let session = Session::new(Arc::clone(self), io.into(), peer, id, H::close_code);
        self.sessions.fetch_add(1, Ordering::AcqRel);
        if let Some(roster) = self.roster(&session) {
            let seat = roster.lock().join(Arc::clone(&session));
            session.seat.store(seat, Ordering::Release);
        }
        let connection = Connection::new(Arc::clone(&session), handler, early);
        session.arm(self.clock.monotonic_ms());
        if self.draining.load(Ordering::Acquire) {
            session.close(CloseCode::GOING_AWAY, "restarting");
        }
        tokio::spawn(connection.run());
        session
    }

    /// Who is subscribed to what.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// The time all connections go by.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The bounds all connections go by.
    pub fn limits(&self) -> &LiveLimits {
        &self.limits
    }

    /// How many connections there are.
    pub fn sessions(&self) -> usize {
        self.sessions.load(Ordering::Acquire)
    }

    /// Closes all sessions that `which` picks and tells how many those were. Looks at every
    /// session; where a topic tells them, [`Hub::close_topic`] is cheaper.
    pub fn close_where(
        &self,
        which: impl Fn(&Arc<Session>) -> bool,
        code: CloseCode,
        reason: &str,
    ) -> usize {
        let mut closed = 0;
        self.hub.settle();
        for roster in &self.rosters {
            let picked: Vec<_> = {
                let roster = roster.lock();
                let sessions = roster.iter().filter(|session| which(session));
                sessions.cloned().collect()
            };
            for session in &picked {
                session.close(code, reason);
            }
            closed += picked.len();
        }
        closed
    }

    /// Shuts down: closes all sessions 1001, spread over half of `drain_ms`, each after the
    /// message it is handling; returns when all are gone or `drain_ms` is over, and tells how many
    /// were then cut off (spec 5: drain 10 s).
    pub async fn drain(self: &Arc<Self>, drain_ms: u64) -> usize {
        self.draining.store(true, Ordering::Release);
        self.hub.settle();
        let mut rest = self.everyone();
        let step_ms = drain_ms / 2 / DRAIN_STEPS;
        let step = rest
            .len()
            .div_ceil(usize::try_from(DRAIN_STEPS).unwrap_or(1))
            .max(1);
        let deadline = self.clock.sleep_ms(drain_ms);
        while !rest.is_empty() {
            for session in rest.drain(rest.len().saturating_sub(step)..) {
                session.close_when_answered(CloseCode::GOING_AWAY, "restarting");
            }
            if !rest.is_empty() {
                self.clock.sleep_ms(step_ms).await;
            }
        }
        let gone = async {
            loop {
                let emptied = self.emptied.notified();
                if self.sessions() == 0 {
                    break;
                }
                emptied.await;
            }
        };
        futures::future::select(std::pin::pin!(gone), deadline).await;
        let late = self.everyone();
        for session in &late {
            session.kill(super::session::CloseReason::Dropped);
        }
        late.len()
    }

    fn everyone(&self) -> Vec<Arc<Session>> {
        let mut all = Vec::with_capacity(self.sessions());
        for roster in &self.rosters {
            all.extend(roster.lock().iter().cloned());
        }
        all
    }

    /// Takes a session whose task has ended out of everything.
    pub(super) fn forget(&self, session: &Session) {
        if let Some(roster) = self.roster(session) {
            roster.lock().leave(session.seat.load(Ordering::Acquire));
        }
        if self.sessions.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.emptied.notify_waiters();
        }
    }

    fn roster(&self, session: &Session) -> Option<&Mutex<Roster>> {
        let shard = usize::try_from(session.id()).unwrap_or(0) % SHARDS;
        self.rosters.get(shard)
    }

    fn on_time(&self) {
        let now_ms = self.clock.monotonic_ms();
        for (tick, due) in self.wheel.turn(now_ms) {
            for session in due.iter().filter_map(std::sync::Weak::upgrade) {
                session.on_tick(tick, now_ms);
            }
        }
    }
}
