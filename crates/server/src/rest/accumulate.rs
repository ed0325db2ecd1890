//! Accumulate (`spec 3.5`).

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use crowdlink_core::Error;
use crowdlink_core::accumulate::{self, AccumulateOf};
use serde::Deserialize;

use super::RestEdge;
use super::answer::{Answer, done, json};
use super::authorized::Authorized;
use super::body::Json;
use super::query::{Parameters, id_or_default};

/// The one route.
pub(super) fn routes() -> Router<Arc<RestEdge>> {
    Router::new().route("/v1/e/accumulate", get(read).post(add))
}

#[derive(Deserialize)]
struct Asked {
    id: Option<String>,
    channel_id: Option<String>,
    start: Option<String>,
    limit: Option<String>,
}

impl Asked {
    fn id(&self) -> &str {
        id_or_default(self.id.as_deref())
    }
}

async fn read(
    State(edge): State<Arc<RestEdge>>,
    Authorized(caller): Authorized,
    Parameters(asked): Parameters<Asked>,
) -> Answer {
    let limit = asked.limit.as_deref().map(str::parse).transpose();
    let of = AccumulateOf {
        id: asked.id(),
        channel: asked.channel_id.as_deref(),
        start: asked.start.as_deref(),
        limit: limit.map_err(|_| Error::invalid("limit", "must be a number from 1 on"))?,
    };
    json(&accumulate::read(&edge.core, &caller, of).await?)
}

async fn add(
    State(edge): State<Arc<RestEdge>>,
    Authorized(caller): Authorized,
    Parameters(asked): Parameters<Asked>,
    Json(body): Json,
) -> Answer {
    let channel = asked.channel_id.as_deref();
    accumulate::add(&edge.core, &caller, channel, asked.id(), &body).await?;
    Ok(done())
}
