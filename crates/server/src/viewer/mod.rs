//! Where viewers listen: the viewer socket (`spec 4.4`) and, in the sandbox, the endpoint that
//! speaks the Pusher protocol (`spec 4.2`) with the scripts that lead a page there.

mod connection;
mod pusher;
mod rig;
mod tag;
mod topics;
mod upgrade;
mod way;

use std::sync::Arc;

use axum::Router;
use axum::routing::any;
use crowdlink_core::Core;
use crowdlink_protocol::{ClientId, Stage};

pub use pusher::PusherWay;
pub(crate) use tag::concerned;
pub use way::SocketWay;

use crate::client_address::ClientAddress;
use crate::events::ViewerMetrics;
use crate::live::{AddressKey, Live, Quota, RequestRate};

/// What every viewer's connection of a stage knows.
#[derive(Debug)]
pub struct ViewerEdge {
    /// The domain.
    pub core: Arc<Core>,
    /// The world it serves.
    pub stage: Stage,
    /// The connections.
    pub live: Arc<Live>,
    /// How to find a viewer's address.
    pub address: ClientAddress,
    /// Connections of one source address.
    pub per_address: Arc<Quota<AddressKey>>,
    /// Connections of one extension.
    pub per_extension: Arc<Quota<ClientId>>,
    /// Bounds.
    pub limits: ViewerLimits,
    /// Where production's REST side listens, for the helper script; `None` where it does not.
    pub production_port: Option<u16>,
    /// What is counted.
    pub metrics: ViewerMetrics,
}

/// Bounds of a viewer's connection, each a setting.
#[derive(Clone, Copy, Debug)]
pub struct ViewerLimits {
    /// How long a connection may stay without a token.
    pub authorization_ms_max: u64,
    /// How long a Pusher connection may be silent before it is asked for a sign of life.
    pub pusher_activity_ms: u64,
    /// How long it may take to give one.
    pub pusher_pong_ms_max: u64,
    /// Frames that come.
    pub requests: RequestRate,
}

/// The routes of a stage; `spec 4.2` is for the sandbox only.
pub fn router(edge: Arc<ViewerEdge>) -> Router {
    let mut routes = Router::new().route("/v1/viewer", any(connection::upgrade));
    if edge.stage == Stage::Sandbox {
        routes = routes
            .route("/app/{key}", any(pusher::upgrade))
            .merge(rig::routes(edge.production_port));
    }
    routes.with_state(edge)
}
