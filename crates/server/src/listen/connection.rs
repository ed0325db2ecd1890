//! One connection: HTTP/1.1 until it closes or is upgraded.

use std::error::Error;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use crowdlink_store::Clock;
use futures::future::Either;
use http::header::EXPECT;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::unconstrained;
use tower::Service;
use tower_http::timeout::{DeadlineBody, TimeoutError};

use super::head_timer::HeadTimer;
use super::lingering::Lingering;
use super::{ConnectionLimits, Peer};
use crate::direct::Direct;
use crate::shutdown::{InFlight, Phase, Shutdown};
use crate::tls::{Handshakes, Place};

/// How long a draining server waits for the first request of a connection that is open already.
const FIRST_REQUEST_MS_MAX: u64 = 1_000;

/// Serves the connections of one edge.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    http: http1::Builder,
    router: Router,
    direct: Direct,
    body_time_max: Duration,
    shutdown: Shutdown,
    clock: Arc<dyn Clock>,
    outlasts_drain: bool,
}

impl Connections {
    pub(super) fn new(
        (router, direct): (Router, Direct),
        limits: &ConnectionLimits,
        shutdown: Shutdown,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let mut http = http1::Builder::new();
        http.header_read_timeout(limits.head_time_max)
            .max_header_size(limits.head_bytes_max)
            // The read buffer, and with it what a caller can make us hold before a handler looks.
            // Twice the head, so that a head at its limit is told from one beyond it.
            .max_buf_size(limits.head_bytes_max.max(8_192).saturating_mul(2))
            // Head and body are copied together: for answers of our size that is cheaper than
            // to have the system gather them.
            .writev(false);
        Self {
            http,
            router,
            direct,
            body_time_max: limits.body_time_max,
            shutdown,
            clock,
            outlasts_drain: false,
        }
    }

    /// Whether connections go on to the end, and the drain does not wait for them.
    pub(super) fn outlasting_the_drain(self, outlasts_drain: bool) -> Self {
        Self {
            outlasts_drain,
            ..self
        }
    }

    /// Serves a connection in a task of its own, which ends with the last response or the upgrade.
    pub(super) fn spawn(&self, stream: TcpStream, peer: Peer) {
        tokio::spawn(self.serve(stream, peer, self.in_flight()));
    }

    /// The same behind a TLS handshake.
    pub(super) fn spawn_secure(
        &self,
        stream: TcpStream,
        peer: Peer,
        handshakes: Handshakes,
        place: Place,
    ) {
        let connections = self.clone();
        let in_flight = self.in_flight();
        tokio::spawn(async move {
            let shaking = handshakes.shake(stream, place, &connections.shutdown);
            if let Some(stream) = Box::pin(shaking).await {
                connections.serve(stream, peer, in_flight).await;
            }
        });
    }

    fn in_flight(&self) -> Option<InFlight> {
        (!self.outlasts_drain).then(|| self.shutdown.in_flight())
    }

    /// The stream goes to hyper as `TokioIo<S>`, so `Upgraded::downcast` gives it back.
    fn serve<S>(
        &self,
        stream: S,
        peer: Peer,
        in_flight: Option<InFlight>,
    ) -> impl Future<Output = ()> + Send + use<S>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let body_time_max = self.body_time_max;
        let (router, direct) = (self.router.clone(), self.direct.clone());
        let asked = Arc::new(Notify::new());
        let asking = Arc::clone(&asked);
        let has_asked = AtomicBool::new(false);
        let service = service_fn(move |request: Request<Incoming>| {
            if !has_asked.load(Ordering::Relaxed) {
                has_asked.store(true, Ordering::Relaxed);
                asking.notify_one();
            }
            let expects_continue = request.headers().contains_key(EXPECT);
            let bounded = |body| bounded(body, body_time_max, expects_continue);
            let mut request = request.map(bounded);
            if let Some(route) = direct.find(&request) {
                return Either::Left(route.answer(request, peer));
            }
            request.extensions_mut().insert(peer);
            Either::Right(router.clone().call(request))
        });
        let connection = self
            .http
            .clone()
            .timer(HeadTimer::default())
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let shutdown = self.shutdown.clone();
        let clock = Arc::clone(&self.clock);
        let outlasts_drain = self.outlasts_drain;
        async move {
            let _in_flight = in_flight;
            let mut connection = pin!(connection);
            let ending = async {
                if outlasts_drain {
                    shutdown.ended().await;
                } else {
                    shutdown.draining().await;
                }
            };
            let ending = pin!(unconstrained(ending));
            let may_end = || shutdown.phase() > Phase::Running;
            let early = until(connection.as_mut(), ending, may_end).await;
            // A caller who has just connected has its request on the way. Closing now would look
            // like a refusal, so a connection that never had a request may still send one.
            let close_now = async {
                tokio::select! {
                    () = asked.notified() => {}
                    () = clock.sleep_ms(FIRST_REQUEST_MS_MAX) => {}
                }
            };
            let done = if let Some(done) = early {
                done
            } else {
                tokio::select! {
                    done = connection.as_mut() => done,
                    () = shutdown.ended() => return,
                    () = close_now => {
                        connection.as_mut().graceful_shutdown();
                        tokio::select! {
                            done = connection => done,
                            () = shutdown.ended() => return,
                        }
                    }
                }
            };
            if let Err(error) = done {
                // Callers break connections all day; the error holds nothing they sent.
                tracing::debug!(%error, "connection failed");
            }
        }
    }
}

/// Runs some work to its end, or until a signal; `None` is the signal. The work's task is woken
/// with every request, and the signal need not be looked at each time: once, so that it wakes the
/// task, and then when `may_end` says so. A signal that may be too tired to listen
/// (`tokio::task::coop`) would be missed, so it must not be constrained.
async fn until<W: Future, S: Future<Output = ()>>(
    mut work: Pin<&mut W>,
    mut signal: Pin<&mut S>,
    may_end: impl Fn() -> bool,
) -> Option<W::Output> {
    let mut is_listening = false;
    poll_fn(|context| {
        if let Poll::Ready(done) = work.as_mut().poll(context) {
            return Poll::Ready(Some(done));
        }
        if is_listening && !may_end() {
            return Poll::Pending;
        }
        is_listening = true;
        signal.as_mut().poll(context).map(|()| None)
    })
    .await
}

/// A body that fails when it is not there in time. Most requests have none and need no timer.
fn bounded(body: Incoming, time_max: Duration, expects_continue: bool) -> Body {
    if body.is_end_stream() {
        Body::empty()
    } else {
        let body = Box::pin(DeadlineBody::new(time_max, body));
        Body::new(Lingering::new(body, expects_continue))
    }
}

/// Whether reading a body failed because it was too slow (spec 05, body read timeout): the edge
/// answers 408.
pub fn is_body_timeout(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<TimeoutError>() {
            return true;
        }
        cause = error.source();
    }
    false
}
