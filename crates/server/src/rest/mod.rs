//! REST, `/v1/e/…` (`spec 3`): decode, call one function of core, encode.

mod accumulate;
mod answer;
mod authorized;
mod body;
mod broadcast;
mod codes;
mod config;
mod cors;
mod document;
mod etag;
mod games;
mod identity;
mod json_store;
mod named;
pub(crate) mod openapi;
mod pairing;
mod polls;
mod query;
mod rank;
mod rig;
mod state;
mod tokens;
mod trivia;

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::middleware;
use crowdlink_core::Core;
use crowdlink_protocol::Stage;
use http::Method;

pub(crate) use answer::error_response;
pub(crate) use openapi::who;
pub use openapi::{Bounds, openapi};

use crate::access::Access;
use crate::client_address::ClientAddress;
use crate::direct::{Direct, DirectCall};
use openapi::{Routes, Served};

/// What every handler of a stage's REST edge knows.
#[derive(Debug)]
pub struct RestEdge {
    /// The domain.
    pub core: Arc<Core>,
    /// The world it serves.
    pub stage: Stage,
    /// How to find a caller's address.
    pub address: ClientAddress,
    /// Its limits (`spec 5`).
    pub bounds: Bounds,
    /// The document about it, once somebody asked.
    openapi: OnceLock<Served>,
}

impl RestEdge {
    /// The edge of a stage.
    pub fn new(core: Arc<Core>, stage: Stage, address: ClientAddress, bounds: Bounds) -> Self {
        Self {
            core,
            stage,
            address,
            bounds,
            openapi: OnceLock::new(),
        }
    }
}

/// The routes of a stage, and what its document says of them.
fn routes(stage: Stage, bounds: &Bounds) -> Routes {
    tokens::routes()
        .merge(identity::routes())
        .merge(pairing::routes())
        .merge(state::routes(bounds))
        .merge(config::routes(bounds))
        .merge(json_store::routes(bounds))
        .merge(broadcast::routes(bounds))
        .merge(polls::routes())
        .merge(accumulate::routes(bounds))
        .merge(rank::routes(bounds))
        .merge(codes::routes(bounds))
        .merge(trivia::routes())
        .merge(rig::routes(stage))
        .merge(games::routes(bounds))
        .merge(openapi::routes())
}

/// The router of a stage. What it does not know falls through to `others`.
pub fn router(edge: Arc<RestEdge>, others: Router) -> Router {
    let routes = routes(edge.stage, &edge.bounds).into_router();
    let routes = routes.with_state(edge).merge(others);
    routes.layer(middleware::from_fn(answer::around))
}

/// The calls of a stage that are asked most, and go past the router: each stands there, too.
pub(crate) fn direct(edge: &Arc<RestEdge>, access: &Access) -> Direct {
    let mut calls = vec![DirectCall::of_peer(
        Method::GET,
        "/v1/e/user_info",
        identity::user_info,
        edge,
    )];
    calls.extend(state::direct(edge));
    calls.extend(config::direct(edge));
    calls.extend(polls::direct(edge));
    Direct::new(calls, answer::finish, access)
}
