//! Rank (`spec 3.5`).

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use crowdlink_core::{DEFAULT_ID, Error, rank};
use serde::Deserialize;

use super::RestEdge;
use super::answer::{Answer, done, json};
use super::authorized::Authorized;
use super::body::{Json, text};
use super::query::Parameters;

/// The one route.
pub(super) fn routes() -> Router<Arc<RestEdge>> {
    Router::new().route("/v1/e/rank", get(read).post(answer).delete(clear))
}

#[derive(Deserialize)]
struct Named {
    id: Option<String>,
    channel_id: Option<String>,
}

impl Named {
    fn id(&self) -> &str {
        let id = self.id.as_deref().filter(|id| !id.is_empty());
        id.unwrap_or(DEFAULT_ID)
    }
}

async fn read(
    State(edge): State<Arc<RestEdge>>,
    Authorized(caller): Authorized,
    Parameters(named): Parameters<Named>,
) -> Answer {
    let channel = named.channel_id.as_deref();
    json(&rank::read(&edge.core, &caller, channel, named.id()).await?)
}

async fn answer(
    State(edge): State<Arc<RestEdge>>,
    Authorized(caller): Authorized,
    Parameters(named): Parameters<Named>,
    Json(body): Json,
) -> Answer {
    let key = text(&body, "key")?.ok_or_else(|| Error::invalid("key", "is required"))?;
    let channel = named.channel_id.as_deref();
    json(&rank::answer(&edge.core, &caller, channel, named.id(), key).await?)
}

async fn clear(
    State(edge): State<Arc<RestEdge>>,
    Authorized(caller): Authorized,
    Parameters(named): Parameters<Named>,
) -> Answer {
    let channel = named.channel_id.as_deref();
    rank::clear(&edge.core, &caller, channel, named.id()).await?;
    Ok(done())
}
