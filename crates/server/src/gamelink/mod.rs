//! The game's connection: GameLink over WebSocket (`spec 2`). Decode, call one function of core,
//! encode.

mod authenticate;
mod broadcast;
mod config;
mod connection;
mod datastream;
mod drops;
mod gateway;
mod matches;
mod matchmaking;
mod played;
mod poll;
mod purchases;
mod reply;
mod session;
mod state;
mod subscriptions;
mod upgrade;

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler as _;
use crowdlink_core::Core;
use crowdlink_protocol::{ClientId, Stage};

pub use session::GameTag;
pub(crate) use session::concerned;

use crate::client_address::ClientAddress;
use crate::events::Pump;
use crate::live::{AddressKey, Live, Quota, RequestRate};

/// What every game's connection of a stage knows.
#[derive(Debug)]
pub struct GameEdge {
    /// The domain.
    pub core: Arc<Core>,
    /// The world it serves.
    pub stage: Stage,
    /// The connections.
    pub live: Arc<Live>,
    /// What carries events to games.
    pub pump: Arc<Pump>,
    /// How to find a game's address.
    pub address: ClientAddress,
    /// Connections of one source address.
    pub per_address: Arc<Quota<AddressKey>>,
    /// Connections of one extension.
    pub per_extension: Arc<Quota<ClientId>>,
    /// Bounds.
    pub limits: GameLimits,
}

/// Bounds of a game's connection (`spec 5`, `spec 2.1`), each a setting.
#[derive(Clone, Copy, Debug)]
pub struct GameLimits {
    /// Largest message once authenticated.
    pub message_bytes_max: usize,
    /// How long a connection may stay unauthenticated.
    pub unauthenticated_ms_max: u64,
    /// Requests.
    pub requests: RequestRate,
}

/// Takes every path: those of `spec 2.1` lead to a connection, the others to a 404.
pub fn router(edge: Arc<GameEdge>) -> Router {
    Router::new().fallback_service(upgrade::upgrade.with_state(edge))
}
