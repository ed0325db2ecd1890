//! From an HTTP request to a game's connection (`spec 2.1`).

use std::borrow::Cow;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use crowdlink_core::Error;
use crowdlink_protocol::SocketPath;
use http::StatusCode;
use http::header::RETRY_AFTER;
use percent_encoding::percent_decode_str;

use super::GameEdge;
use super::connection::GameConnection;
use crate::access::RequestId;
use crate::listen::Peer;
use crate::live;
use crate::rest::error_response;

/// When a connection that was refused for want of room may try again.
const RETRY_AFTER_S: u64 = 5;

pub(super) async fn upgrade(State(edge): State<Arc<GameEdge>>, mut request: Request) -> Response {
    match accept(&edge, &mut request).await {
        Ok(response) => response,
        Err(error) => {
            let id = request.extensions().get::<RequestId>().copied();
            error_response(&error, id)
        }
    }
}

async fn accept(edge: &Arc<GameEdge>, request: &mut Request) -> Result<Response, Error> {
    let path = SocketPath::parse(request.uri().path(), decode)
        .map_err(|error| Error::NotFound(error.to_string().into()))?;
    let known = edge.core.extension(edge.stage, &path.client_id).await?;
    let client_id = known.ok_or(Error::ExtensionUnknown)?.client_id.clone();
    let nobody = Peer(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
    let Peer(peer) = request
        .extensions()
        .get::<Peer>()
        .copied()
        .unwrap_or(nobody);
    let address = edge.address.of(peer, request.headers());
    let upgrade = match live::upgrade(request, None) {
        Ok(upgrade) => upgrade,
        Err(refusal) => return Ok(refusal.response().map(|()| Body::empty())),
    };
    let permits = edge
        .per_address
        .try_acquire(address)
        .zip(edge.per_extension.try_acquire(client_id.clone()));
    let Some(permits) = permits else {
        tracing::warn!(stage = %edge.stage, %client_id, "too many connections");
        return Ok(no_room());
    };
    let connection = GameConnection::new(Arc::clone(edge), client_id, address, permits);
    upgrade.socket.open(
        Arc::clone(&edge.live),
        SocketAddr::new(address, peer.port()),
        connection,
    );
    Ok(upgrade.response.map(|()| Body::empty()))
}

fn decode(segment: &str) -> Option<Cow<'_, str>> {
    percent_decode_str(segment).decode_utf8().ok()
}

fn no_room() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
        .headers_mut()
        .insert(RETRY_AFTER, RETRY_AFTER_S.into());
    response
}
