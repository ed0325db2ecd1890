//! Accept loops: one for every edge, until the drain.

use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use axum::Router;
use crowdlink_store::Clock;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;

use super::connection::Connections;
use super::refuse::Refusals;
use super::{Bound, ConnectionLimits, EdgeName, Peer};
use crate::direct::Direct;
use crate::shutdown::Shutdown;
use crate::tls::Handshakes;

/// Pause after the system could not hand a connection out for want of something.
const EXHAUSTED_PAUSE_MS: u64 = 100;

/// A listening socket and what answers behind it.
#[derive(Debug)]
pub struct Edge {
    /// The socket.
    pub bound: Bound,
    /// What answers.
    pub router: Router,
    /// What answers before it, if anything does.
    pub direct: Direct,
    /// Where it speaks TLS: what comes before that.
    pub tls: Option<Handshakes>,
}

/// Serves the edges until the drain starts; then their sockets are closed, and connections finish
/// the request they are at. Connections in work are marked at `shutdown`, which waits for them.
/// The ops edge goes on to the end, so that it can say that this process drains, unless another
/// process has taken over.
///
/// An upgraded connection is not: who takes it over marks it, see [`Shutdown::in_flight`].
///
/// Returns when every socket is closed.
///
/// # Errors
/// A socket cannot be registered with the runtime; nothing is served then.
pub async fn serve(
    edges: Vec<Edge>,
    limits: ConnectionLimits,
    shutdown: Shutdown,
    clock: Arc<dyn Clock>,
) -> io::Result<()> {
    let refusals = Refusals::new(Arc::clone(&clock));
    let mut acceptors = Vec::new();
    for edge in edges {
        let Edge {
            bound,
            router,
            direct,
            tls,
        } = edge;
        acceptors.push(Acceptor {
            name: bound.name,
            listener: TcpListener::from_std(bound.listener)?,
            connections: Connections::new(
                (router, direct),
                &limits,
                shutdown.clone(),
                Arc::clone(&clock),
            )
            .outlasting_the_drain(bound.name == EdgeName::Ops),
            open_files_max: limits
                .open_files_max
                .saturating_sub(limits.open_files_reserved),
            refusals: refusals.clone(),
            tls,
            clock: Arc::clone(&clock),
        });
    }
    let mut loops = JoinSet::new();
    for acceptor in acceptors {
        let shutdown = shutdown.clone();
        let accepting = (acceptor.name != EdgeName::Ops).then(|| shutdown.accepting());
        loops.spawn(async move {
            tokio::select! {
                () = closing_time(acceptor.name, &shutdown) => {}
                () = acceptor.run() => {}
            }
            drop(accepting);
        });
    }
    while loops.join_next().await.is_some() {}
    Ok(())
}

async fn closing_time(name: EdgeName, shutdown: &Shutdown) {
    shutdown.draining().await;
    if name == EdgeName::Ops && !shutdown.is_replaced() {
        shutdown.ended().await;
    }
}

struct Acceptor {
    name: EdgeName,
    listener: TcpListener,
    connections: Connections,
    /// Descriptors at or above this number belong to the reserve.
    open_files_max: u64,
    refusals: Refusals,
    tls: Option<Handshakes>,
    clock: Arc<dyn Clock>,
}

impl Acceptor {
    async fn run(&self) {
        loop {
            let room = match &self.tls {
                Some(handshakes) => handshakes.room().await,
                None => None,
            };
            match self.listener.accept().await {
                Ok((stream, peer)) => self.take(stream, Peer(peer), room),
                // The caller went away before it was accepted: nobody is waiting.
                Err(error) if is_about_the_caller(&error) => {}
                Err(error) => {
                    tracing::error!(edge = %self.name, %error, "cannot accept; pausing");
                    self.clock.sleep_ms(EXHAUSTED_PAUSE_MS).await;
                }
            }
        }
    }

    fn take(&self, stream: TcpStream, peer: Peer, room: Option<OwnedSemaphorePermit>) {
        // The system hands out the lowest free number, so the number of a new descriptor tells
        // how many are open, whatever they are open for. Nothing has to be counted.
        let number = u64::try_from(stream.as_raw_fd()).unwrap_or(u64::MAX);
        if number >= self.open_files_max {
            tracing::warn!(edge = %self.name, "refusing a caller: too many open files");
            // A word that is not encrypted would be none to a caller who speaks TLS.
            if self.tls.is_none() {
                self.refusals.refuse(stream);
            }
            return;
        }
        // Small frames go out at once. A socket that refuses is about to fail anyway.
        let _ = stream.set_nodelay(true);
        match (&self.tls, room) {
            (Some(handshakes), Some(room)) => {
                if let Some(place) = handshakes.place(room, peer) {
                    let handshakes = handshakes.clone();
                    self.connections
                        .spawn_secure(stream, peer, handshakes, place);
                }
            }
            _ => self.connections.spawn(stream, peer),
        }
    }
}

fn is_about_the_caller(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
