//! Who calls: the Authorization header and the address of a request.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::FromRequestParts;
use crowdlink_core::{Caller, tokens};
use http::header::AUTHORIZATION;
use http::request::Parts;
use serde::Deserialize;

use super::RestEdge;
use super::answer::Refusal;
use super::query::Parameters;
use crate::listen::Peer;

/// A caller with a good token, within its rate.
pub(super) struct Authorized(pub(super) Arc<Caller>);

#[derive(Deserialize)]
struct Named {
    channel_id: Option<String>,
}

impl FromRequestParts<Arc<RestEdge>> for Authorized {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        edge: &Arc<RestEdge>,
    ) -> Result<Self, Self::Rejection> {
        let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
        let header = match (headers.next(), headers.next()) {
            (Some(header), None) => Some(header),
            _ => None,
        };
        let caller = tokens::authorize(&edge.core, edge.stage, header).await?;
        edge.core.take_rest(&caller)?;
        if parts.uri.query().is_some_and(may_name_a_channel) {
            let Parameters(named): Parameters<Named> =
                Parameters::from_request_parts(parts, edge).await?;
            caller.check_named_channel(named.channel_id.as_deref())?;
        }
        Ok(Self(caller))
    }
}

/// Whether reading a query could find a channel; most name none. A name may be percent-encoded.
fn may_name_a_channel(query: &str) -> bool {
    query.contains('%') || query.contains("channel_id")
}

/// The address of the one who calls.
pub(super) struct Address(pub(super) IpAddr);

impl FromRequestParts<Arc<RestEdge>> for Address {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        edge: &Arc<RestEdge>,
    ) -> Result<Self, Self::Rejection> {
        // Every request of the accept loop has a peer; without one, none is trusted.
        let nobody = Peer(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
        let Peer(peer) = parts.extensions.get::<Peer>().copied().unwrap_or(nobody);
        Ok(Self(edge.address.of(peer, &parts.headers)))
    }
}
