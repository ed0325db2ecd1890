//! Rank (`spec 3.5`).

use std::sync::Arc;

use axum::extract::State;
use crowdlink_core::{Error, rank};

use super::RestEdge;
use super::answer::{Answer, done, json};
use super::authorized::Authorized;
use super::body::{Json, text};
use super::openapi::schema::{array, boolean, integer, object, string};
use super::openapi::{Bounds, Call, Routes, Who};
use super::query::{ById, Parameters};

/// The one route.
pub(super) fn routes(bounds: &Bounds) -> Routes {
    const PATH: &str = "/v1/e/rank";
    let score = object([("key", string()), ("score", integer())]);
    let reads = Call::of(
        Who::BroadcasterOrTrusted,
        "The 100 keys with most voters, most first",
    )
    .by_id()
    .channel()
    .answers(object([("data", array(score))]));
    let votes = Call::of(Who::Anyone, "Answer with a key; one answer a voter")
        .by_id()
        .channel()
        .takes(object([("key", string())]))
        .json_bytes_max(bounds.limits.rank_key_bytes_max)
        .answers(object([("accepted", boolean()), ("original?", string())]));
    let clears = Call::of(Who::BroadcasterOrTrusted, "Forget all answers")
        .by_id()
        .channel();
    Routes::of("rank")
        .get(PATH, read, reads)
        .post(PATH, answer, votes)
        .delete(PATH, clear, clears)
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
