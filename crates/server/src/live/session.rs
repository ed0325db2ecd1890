//! One open connection, as the rest of the server sees it.

use std::any::Any;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use futures::task::AtomicWaker;
use parking_lot::Mutex;

use super::delivery::{Out, Way};
use super::engine::Live;
use super::frame::{CloseCode, Frame};
use super::hub::Subscriptions;
use super::io::Io;
use super::outbound::SlotKey;
use super::wheel::UNARMED;

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// This side closed it, with this code.
    Here(CloseCode),
    /// The peer closed it, with this code ([`CloseCode::NONE`] if it gave none).
    Peer(CloseCode),
    /// The socket ended without a closing handshake.
    Lost,
    /// The peer was silent for too long.
    Silent,
    /// The server gave it up: its task was dropped.
    Dropped,
}

/// What anybody may attach to a session, to find it again (see [`Live::close_where`]).
pub type Tag = Arc<dyn Any + Send + Sync>;

/// One open connection. Sending never waits, from whatever thread; what the peer does not take
/// waits in a bounded queue.
pub struct Session {
    pub(super) live: Arc<Live>,
    pub(super) io: Io,
    /// The connection's task.
    pub(super) waker: AtomicWaker,
    pub(super) out: Mutex<Out>,
    subscriptions: Mutex<Subscriptions>,
    tag: Mutex<Option<Tag>>,
    id: u64,
    opened_at_ms: i64,
    /// Monotonic ms of the last bytes that came.
    pub(super) heard_ms: AtomicU64,
    /// Monotonic ms of the handler's alarm, `u64::MAX` for none.
    pub(super) alarm_ms: AtomicU64,
    pub(super) armed_tick: AtomicU64,
    message_bytes_max: AtomicUsize,
    pub(super) seat: AtomicU32,
    peer: SocketAddr,
    /// What the peer is told in place of a code.
    told: fn(CloseCode) -> CloseCode,
    /// The alarm has come and the handler has not heard of it.
    pub(super) alarmed: AtomicBool,
    /// To be dropped without further ado.
    pub(super) killed: AtomicBool,
}

impl Session {
    pub(super) fn new(
        live: Arc<Live>,
        io: Io,
        peer: SocketAddr,
        id: u64,
        told: fn(CloseCode) -> CloseCode,
    ) -> Arc<Self> {
        let now_ms = live.clock().monotonic_ms();
        let first_ping_ms = live.limits().ping_interval_ms;
        // Many clients come back at once after a restart: do not ping them all at once for ever.
        let early_ms = id.wrapping_mul(0x9e37_79b9) % (first_ping_ms / 2).max(1);
        Arc::new(Self {
            io,
            waker: AtomicWaker::new(),
            out: Mutex::new(Out::new(now_ms + first_ping_ms - early_ms)),
            subscriptions: Mutex::default(),
            tag: Mutex::default(),
            id,
            opened_at_ms: live.clock().now_ms(),
            heard_ms: AtomicU64::new(now_ms),
            alarm_ms: AtomicU64::new(u64::MAX),
            armed_tick: AtomicU64::new(UNARMED),
            message_bytes_max: AtomicUsize::new(live.limits().message_bytes_max),
            seat: AtomicU32::new(u32::MAX),
            peer,
            told,
            alarmed: AtomicBool::new(false),
            killed: AtomicBool::new(false),
            live,
        })
    }

    /// Differs from that of every other session of the process.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The engine it runs on.
    pub fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// Where the peer connects from, as given when the session was opened.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Unix time in ms.
    pub fn opened_at_ms(&self) -> i64 {
        self.opened_at_ms
    }

    /// Sends one frame of a stream: it is never dropped while the session is open. Tells whether
    /// it was taken; a session that closes takes nothing.
    pub fn send(self: &Arc<Self>, frame: &Frame) -> bool {
        self.offer(frame, None, Way::Direct, self.now_ms())
    }

    /// Sends a state: if an older frame of this slot still waits, this one replaces it.
    pub fn send_latest(self: &Arc<Self>, slot: SlotKey, frame: &Frame) -> bool {
        self.offer(frame, Some(slot), Way::Direct, self.now_ms())
    }

    /// Closes the session: what waits is sent, then the close frame; the peer has a bounded time
    /// to answer. Further closes do nothing.
    pub fn close(self: &Arc<Self>, code: CloseCode, reason: &str) {
        self.begin_close((self.told)(code), reason, CloseReason::Here(code));
    }

    /// As [`Session::close`], but a message that is being handled is answered before.
    pub fn close_when_answered(self: &Arc<Self>, code: CloseCode, reason: &str) {
        let mut out = self.out.lock();
        if out.busy {
            out.close_next
                .get_or_insert_with(|| Box::new((code, reason.to_owned())));
        } else {
            drop(out);
            self.close(code, reason);
        }
    }

    /// Whether it is neither closing nor closed.
    pub fn is_open(&self) -> bool {
        self.out.lock().is_open()
    }

    /// Bytes that wait for the peer.
    pub fn queued_bytes(&self) -> usize {
        self.out.lock().queued_bytes()
    }

    /// Largest message taken from now on, in bytes (spec 5: 2 MiB once authenticated).
    pub fn set_message_bytes_max(&self, bytes: usize) {
        self.message_bytes_max.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn message_bytes_max(&self) -> usize {
        self.message_bytes_max.load(Ordering::Relaxed)
    }

    /// Has the handler's `alarm` called in `ms` from now, rounded up to a tick; replaces an
    /// earlier setting.
    pub fn set_alarm_in_ms(self: &Arc<Self>, ms: u64) {
        let due_ms = self.now_ms().saturating_add(ms);
        self.alarm_ms.store(due_ms, Ordering::Release);
        self.arm(due_ms);
    }

    /// Takes a set alarm back.
    pub fn clear_alarm(&self) {
        self.alarm_ms.store(u64::MAX, Ordering::Release);
        self.alarmed.store(false, Ordering::Release);
    }

    /// Attaches a tag in place of an earlier one.
    pub fn set_tag(&self, tag: Tag) {
        *self.tag.lock() = Some(tag);
    }

    /// What was attached.
    pub fn tag(&self) -> Option<Tag> {
        self.tag.lock().clone()
    }

    pub(super) fn subscriptions(&self) -> &Mutex<Subscriptions> {
        &self.subscriptions
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.live.clock().monotonic_ms()
    }

    pub(super) fn arm(self: &Arc<Self>, due_ms: u64) {
        self.live.wheel.arm(self, &self.armed_tick, due_ms);
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}
