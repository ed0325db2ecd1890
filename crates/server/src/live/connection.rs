//! The loop of one connection.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use futures::FutureExt;

use super::decoder::{Decoder, Fault, Found, Message};
use super::frame::{CloseCode, Frame};
use super::rate::TokenBucket;
use super::session::{CloseReason, Session};

/// Most bytes one read takes.
const READ_BYTES_MAX: usize = 64 * 1024;

thread_local! {
    /// Where reads land: connections have no read buffer of their own.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES_MAX]);
}

/// What a handler wants to happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// Close the connection, after what was sent before.
    Close(CloseCode, &'static str),
}

/// What one kind of connection does. A panic in it closes this connection 1011 and nothing else.
pub trait Handler: Send + 'static {
    /// What a peer is told in place of a code, where its protocol has codes of its own.
    fn close_code(code: CloseCode) -> CloseCode
    where
        Self: Sized,
    {
        code
    }

    /// The connection is open; nothing was read yet.
    fn opened(&mut self, session: &Arc<Session>) {
        let _ = session;
    }

    /// One whole message. The next one is not looked at before this has ended: that keeps the
    /// order and holds back a peer that is too fast.
    fn message(
        &mut self,
        message: Message<'_>,
        session: &Arc<Session>,
    ) -> impl Future<Output = Flow> + Send;

    /// The time set with [`Session::set_alarm_in_ms`] has come.
    fn alarm(&mut self, session: &Arc<Session>) -> impl Future<Output = Flow> + Send {
        let _ = session;
        std::future::ready(Flow::Continue)
    }

    /// The connection is closing: nothing can be sent and nothing is read any more. Called exactly
    /// once, also after a panic and when the task is dropped.
    fn closed(&mut self, session: &Arc<Session>, reason: CloseReason) {
        let _ = (session, reason);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Todo {
    Input,
    Alarm,
    End,
}

/// The state of one connection's task. Small: everything else exists only while it is needed.
pub(super) struct Connection<H: Handler> {
    session: Arc<Session>,
    decoder: Decoder,
    handler: Option<H>,
    /// Frames that carry nothing are bounded, or they would be free for the peer.
    idle_frames: TokenBucket,
    /// Nothing the peer sends matters any more.
    deaf: bool,
    /// Both close frames are there and nothing followed: the socket may end at once. Else it is
    /// read to its end, or the system would reset it, and our close frame could be lost.
    clean: bool,
    shut: bool,
}

impl<H: Handler> Connection<H> {
    pub(super) fn new(session: Arc<Session>, handler: H, early: &[u8]) -> Self {
        let mut connection = Self {
            session,
            decoder: Decoder::default(),
            handler: Some(handler),
            idle_frames: TokenBucket::new(),
            deaf: false,
            clean: false,
            shut: false,
        };
        connection.feed(early);
        connection
    }

    // Not an `async fn`: that would hold `self` twice, as argument and as variable.
    #[expect(clippy::manual_async_fn, reason = "half the size")]
    pub(super) fn run(mut self) -> impl Future<Output = ()> + Send {
        async move {
            self.open();
            if self.decoder.has_more() {
                Box::pin(self.attend(Todo::Input)).await;
            }
            loop {
                let todo = poll_fn(|cx| self.poll_todo(cx)).await;
                if todo == Todo::End {
                    break;
                }
                // In a box, so that a connection at rest does not hold room for it.
                Box::pin(self.attend(todo)).await;
            }
        }
    }

    fn open(&mut self) {
        let _ = self.session.io.prepare();
        let session = &self.session;
        if let Some(handler) = &mut self.handler
            && catch_unwind(AssertUnwindSafe(|| handler.opened(session))).is_err()
        {
            self.session.close(CloseCode::INTERNAL, "internal error");
        }
    }

    /// Waits for something to do, writing meanwhile.
    fn poll_todo(&mut self, cx: &mut Context<'_>) -> Poll<Todo> {
        loop {
            let flushed = self.session.poll_flush(cx).is_ready();
            if self.session.is_killed() {
                return Poll::Ready(Todo::End);
            }
            if !self.session.is_open() {
                self.retire();
                if self.deaf && flushed && !self.shut {
                    self.shut = true;
                    self.session.io.shutdown(Shutdown::Write);
                    if self.clean {
                        return Poll::Ready(Todo::End);
                    }
                }
            } else if self.session.alarmed.swap(false, Ordering::AcqRel) {
                return Poll::Ready(Todo::Alarm);
            }
            let ready = ready!(self.session.io.poll_read_ready(cx));
            match ready.and_then(|()| self.read()) {
                Ok(0) => self.session.kill(CloseReason::Lost),
                Ok(_) if self.deaf => {}
                Ok(_) => return Poll::Ready(Todo::Input),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(_) => self.session.kill(CloseReason::Lost),
            }
        }
    }

    fn read(&mut self) -> io::Result<usize> {
        SCRATCH.with_borrow_mut(|scratch| {
            let count = self.session.io.try_read(scratch)?;
            let now_ms = self.session.now_ms();
            self.session.heard_ms.store(now_ms, Ordering::Release);
            self.feed(scratch.get(..count).unwrap_or_default());
            Ok(count)
        })
    }

    fn feed(&mut self, bytes: &[u8]) {
        if !self.deaf
            && let Err(fault) = self.decoder.feed(bytes)
        {
            self.fail(fault);
        }
    }

    /// Does what there is to do, writing whenever the handler waits. Ends early when the session
    /// is to be dropped.
    async fn attend(&mut self, todo: Todo) {
        let session = Arc::clone(&self.session);
        session.begin_work();
        let panicked = {
            let mut work = pin!(AssertUnwindSafe(self.work(todo)).catch_unwind());
            poll_fn(|cx| {
                if let Poll::Ready(outcome) = work.as_mut().poll(cx) {
                    return Poll::Ready(outcome.is_err());
                }
                // It waits: what others send meanwhile must not.
                session.cork(false);
                let _ = session.poll_flush(cx);
                if session.is_killed() {
                    return Poll::Ready(false);
                }
                Poll::Pending
            })
            .await
        };
        if panicked {
            self.deaf = true;
            self.decoder.clear();
            session.close(CloseCode::INTERNAL, "internal error");
        }
        session.heard_ms.store(session.now_ms(), Ordering::Release);
        session.end_work();
    }

    async fn work(&mut self, todo: Todo) {
        if todo == Todo::Alarm {
            if let Some(handler) = &mut self.handler {
                let flow = handler.alarm(&self.session).await;
                self.follow(flow);
            }
            return;
        }
        while !self.deaf {
            tokio::task::consume_budget().await;
            room_for_answers(&self.session).await;
            match self.decoder.step(self.session.message_bytes_max()) {
                Ok(None) => break,
                Ok(Some(found)) => self.meet(found).await,
                Err(fault) => self.fail(fault),
            }
        }
    }

    async fn meet(&mut self, found: Found) {
        match found {
            Found::Message(place) => {
                let message = match self.decoder.message(&place) {
                    Ok(message) => message,
                    Err(fault) => return self.fail(fault),
                };
                // What comes after a close frame of ours is read only to find the peer's.
                if let Some(handler) = &mut self.handler
                    && self.session.is_open()
                {
                    self.session.cork(self.decoder.has_more());
                    let flow = handler.message(message, &self.session).await;
                    self.follow(flow);
                }
            }
            Found::Ping(range) => {
                if self.charge() {
                    let pong = Frame::pong(self.decoder.control(&range));
                    self.session.send(&pong);
                }
            }
            Found::Idle => {
                self.charge();
            }
            Found::Close(code) => {
                self.session.begin_close(code, "", CloseReason::Peer(code));
                self.clean = !self.decoder.has_more();
                self.stop_listening();
            }
        }
    }

    /// Counts a frame that carries nothing.
    fn charge(&mut self) -> bool {
        let limits = self.session.live.limits();
        let fine = self.idle_frames.take(
            self.session.now_ms(),
            limits.idle_frames_per_s_max,
            limits.idle_frames_burst_max,
        );
        if !fine {
            self.fail(Fault {
                code: CloseCode::POLICY,
                reason: "too many empty frames",
            });
        }
        fine
    }

    fn follow(&self, flow: Flow) {
        if let Flow::Close(code, reason) = flow {
            self.session.close(code, reason);
        }
    }

    fn fail(&mut self, fault: Fault) {
        self.session.close(fault.code, fault.reason);
        self.stop_listening();
    }

    fn stop_listening(&mut self) {
        self.deaf = true;
        self.decoder.clear();
    }

    /// Takes the session out of all topics and lets the handler go.
    fn retire(&mut self) {
        if let Some(mut handler) = self.handler.take() {
            let session = &self.session;
            session.live.hub().leave(session);
            let reason = session.reason();
            let _ = catch_unwind(AssertUnwindSafe(move || handler.closed(session, reason)));
        }
    }
}

/// Waits until the peer has taken enough of its answers.
async fn room_for_answers(session: &Arc<Session>) {
    let bytes_max = session.live.limits().answers_bytes_max;
    poll_fn(|cx| {
        if session.queued_bytes() > bytes_max {
            let _ = session.poll_flush(cx);
            if session.queued_bytes() > bytes_max && session.is_open() {
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    })
    .await;
}

impl<H: Handler> Drop for Connection<H> {
    fn drop(&mut self) {
        self.session.finish();
        self.retire();
        self.session.live.forget(&self.session);
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use crowdlink_store::ManualClock;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::live::{Live, LiveLimits};

    /// What the task of an idle connection may take, in bytes, with a handler of no size.
    const TASK_BYTES_MAX: usize = 96;
    /// What its session may take.
    const SESSION_BYTES_MAX: usize = 320;

    struct Deaf;

    impl Handler for Deaf {
        fn message(&mut self, _: Message<'_>, _: &Arc<Session>) -> impl Future<Output = Flow> {
            ready(Flow::Continue)
        }
    }

    #[tokio::test]
    async fn an_idle_connection_is_small() {
        let live = Live::start(ManualClock::new(0), LiveLimits::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let stream = TcpStream::connect(addr).await.unwrap();
        let session = Session::new(live, stream.into(), addr, 1, Deaf::close_code);
        let task = Connection::new(session, Deaf, &[]).run();
        let (task, session) = (size_of_val(&task), size_of::<Session>());
        assert!(task <= TASK_BYTES_MAX, "{task}");
        assert!(session <= SESSION_BYTES_MAX, "{session}");
    }
}
