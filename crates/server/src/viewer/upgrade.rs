//! From an HTTP request to a viewer's connection.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;
use http::header::RETRY_AFTER;

use super::ViewerEdge;
use crate::listen::Peer;
use crate::live::{self, AddressKey, Handler, Permit};

/// When a connection that was refused for want of room may try again.
const RETRY_AFTER_S: u64 = 5;

/// Answers the handshake and runs the connection that `handler` makes, which keeps the place of
/// its source address.
pub(super) fn open<H: Handler>(
    edge: &Arc<ViewerEdge>,
    mut request: Request,
    handler: impl FnOnce(Permit<AddressKey>) -> H,
) -> Response {
    let nobody = Peer(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
    let Peer(peer) = request
        .extensions()
        .get::<Peer>()
        .copied()
        .unwrap_or(nobody);
    let address = edge.address.of(peer, request.headers());
    let upgrade = match live::upgrade(&mut request, None) {
        Ok(upgrade) => upgrade,
        Err(refusal) => return refusal.response().map(|()| Body::empty()),
    };
    let Some(permit) = edge.per_address.try_acquire(address) else {
        tracing::warn!(stage = %edge.stage, "too many connections of one address");
        return no_room();
    };
    let peer = SocketAddr::new(address, peer.port());
    upgrade
        .socket
        .open(Arc::clone(&edge.live), peer, handler(permit));
    upgrade.response.map(|()| Body::empty())
}

fn no_room() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
        .headers_mut()
        .insert(RETRY_AFTER, RETRY_AFTER_S.into());
    response
}
