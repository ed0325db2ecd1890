//! The JSON store (`spec 3.4`).

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use crowdlink_core::json_store::{self, DEFAULT_KEY};
use http::header::CONTENT_TYPE;
use serde::Deserialize;

use super::RestEdge;
use super::answer::{Answer, JSON, done};
use super::authorized::Authorized;
use super::document::Text;
use super::query::Parameters;

/// The one route.
pub(super) fn routes() -> Router<Arc<RestEdge>> {
    Router::new().route("/v1/e/json_store", get(read).post(write))
}

#[derive(Deserialize)]
struct Entry {
    id: Option<String>,
    channel_id: Option<String>,
}

impl Entry {
    fn id(&self) -> &str {
        self.id
            .as_deref()
            .filter(|id| !id.is_empty())
            .unwrap_or(DEFAULT_KEY)
    }
}

async fn read(
    State(edge): State<Arc<RestEdge>>,
    Authorized(caller): Authorized,
    Parameters(entry): Parameters<Entry>,
) -> Answer {
    let channel = entry.channel_id.as_deref();
    let value = json_store::read(&edge.core, &caller, channel, entry.id()).await?;
    Ok(([(CONTENT_TYPE, JSON)], value).into_response())
}

async fn write(
    State(edge): State<Arc<RestEdge>>,
    Authorized(caller): Authorized,
    Parameters(entry): Parameters<Entry>,
    Text(body): Text,
) -> Answer {
    let channel = entry.channel_id.as_deref();
    json_store::write(&edge.core, &caller, channel, entry.id(), &body).await?;
    Ok(done())
}
