//! The JSON store (`spec 3.4`).

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use crowdlink_core::json_store;
use http::header::CONTENT_TYPE;

use super::RestEdge;
use super::answer::{Answer, JSON, done};
use super::authorized::Authorized;
use super::document::Text;
use super::query::{ById, Parameters};

/// The one route.
pub(super) fn routes() -> Router<Arc<RestEdge>> {
    Router::new().route("/v1/e/json_store", get(read).post(write))
}

async fn read(
    State(edge): State<Arc<RestEdge>>,
    Authorized(caller): Authorized,
    Parameters(entry): Parameters<ById>,
) -> Answer {
    let value = json_store::read(&edge.core, &caller, entry.channel(), entry.id()).await?;
    Ok(([(CONTENT_TYPE, JSON)], value).into_response())
}

async fn write(
    State(edge): State<Arc<RestEdge>>,
    Authorized(caller): Authorized,
    Parameters(entry): Parameters<ById>,
    Text(body): Text,
) -> Answer {
    json_store::write(&edge.core, &caller, entry.channel(), entry.id(), &body).await?;
    Ok(done())
}
