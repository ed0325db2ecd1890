//! The JSON store (`spec 3.4`).

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use crowdlink_core::json_store;
use http::header::CONTENT_TYPE;

use super::RestEdge;
use super::answer::{Answer, JSON, done};
use super::authorized::Authorized;
use super::document::Text;
use super::openapi::schema::any_object;
use super::openapi::{Bounds, Call, Routes, Who};
use super::query::{ById, Parameters};

/// The one route.
pub(super) fn routes(bounds: &Bounds) -> Routes {
    const PATH: &str = "/v1/e/json_store";
    let reads = Call::of(Who::Anyone, "The value under an id")
        .by_id()
        .channel()
        .answers(any_object())
        .misses("There is no value under this id");
    let writes = Call::of(Who::BroadcasterOrTrusted, "Put a value under an id")
        .told("An id that starts with `global` is the extension's, and its owner's to write.")
        .by_id()
        .channel()
        .takes(any_object())
        .json_bytes_max(bounds.limits.json_store_bytes_max);
    let routes = Routes::of("json_store");
    routes.get(PATH, read, reads).post(PATH, write, writes)
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
