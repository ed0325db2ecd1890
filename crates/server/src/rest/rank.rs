//! Rank (`spec 3.5`).

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use crowdlink_core::{Error, rank};

use super::RestEdge;
use super::answer::{Answer, done, json};
use super::authorized::Authorized;
use super::body::{Json, text};
use super::query::{ById, Parameters};

/// The one route.
pub(super) fn routes() -> Router<Arc<RestEdge>> {
    Router::new().route("/v1/e/rank", get(read).post(answer).delete(clear))
}

async fn read(
    State(edge): State<Arc<RestEdge>>,
    Authorized(caller): Authorized,
    Parameters(named): Parameters<ById>,
) -> Answer {
    json(&rank::read(&edge.core, &caller, named.channel(), named.id()).await?)
}

async fn answer(
    State(edge): State<Arc<RestEdge>>,
    Authorized(caller): Authorized,
    Parameters(named): Parameters<ById>,
    Json(body): Json,
) -> Answer {
    let key = text(&body, "key")?.ok_or_else(|| Error::invalid("key", "is required"))?;
    json(&rank::answer(&edge.core, &caller, named.channel(), named.id(), key).await?)
}

async fn clear(
    State(edge): State<Arc<RestEdge>>,
    Authorized(caller): Authorized,
    Parameters(named): Parameters<ById>,
) -> Answer {
    rank::clear(&edge.core, &caller, named.channel(), named.id()).await?;
    Ok(done())
}
