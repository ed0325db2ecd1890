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
// For the state routes, which come with their feature.
mod identity;
mod json_store;
mod named;
mod pairing;
mod polls;
mod query;
mod rank;
mod rig;
mod state;
mod tokens;
mod trivia;

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::{delete, get, post};
use crowdlink_core::Core;
use crowdlink_protocol::Stage;
use http::Method;

pub(crate) use answer::error_response;

use crate::access::Access;
use crate::client_address::ClientAddress;
use crate::direct::{Direct, DirectCall};

/// What every handler of a stage's REST edge knows.
#[derive(Debug)]
pub struct RestEdge {
    /// The domain.
    pub core: Arc<Core>,
    /// The world it serves.
    pub stage: Stage,
    /// How to find a caller's address.
    pub address: ClientAddress,
    /// Largest body (`spec 5`).
    pub body_bytes_max: usize,
    /// Largest upload of codes.
    pub codes_body_bytes_max: usize,
}

/// The routes of a stage. What it does not know falls through to `others`.
pub fn router(edge: Arc<RestEdge>, others: Router) -> Router {
    let routes = Router::new()
        .route("/v1/e/authtoken", post(tokens::authtoken))
        .route("/v1/e/token", post(tokens::exchange))
        .route(
            "/v1/e/pin",
            post(pairing::create_game_pin).delete(pairing::revoke_game_pins),
        )
        .route("/v1/e/unauthed/pin", post(pairing::create_game_pin))
        .route("/v1/e/unauthed/validate_pin", post(pairing::check))
        .route("/v1/e/validate_pin", post(pairing::validate_pin))
        .route("/v1/e/pin_token_exists", get(pairing::pin_token_exists))
        .route("/v1/e/gamelink/pin", post(pairing::create_pin))
        .route(
            "/v1/e/gamelink/token",
            post(pairing::create_pin).delete(pairing::revoke_all),
        )
        .route("/v1/e/gamelink/grants", get(pairing::grants))
        .route("/v1/e/gamelink/grants", delete(pairing::revoke_one))
        .route("/v1/e/user_info", get(identity::user_info))
        .route("/v1/e/user_ids", get(identity::user_ids))
        .merge(state::routes())
        .merge(config::routes())
        .merge(json_store::routes())
        .merge(broadcast::routes())
        .merge(polls::routes())
        .merge(accumulate::routes())
        .merge(rank::routes())
        .merge(codes::routes())
        .merge(trivia::routes())
        .merge(rig::routes(edge.stage))
        .merge(games::routes())
        .with_state(edge)
        .merge(others);
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
