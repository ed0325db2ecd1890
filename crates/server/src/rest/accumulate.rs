//! Accumulate (`spec 3.5`).

use std::sync::Arc;

use axum::extract::State;
use crowdlink_core::accumulate::{self, AccumulateOf};
use crowdlink_core::{Error, Refusal};
use serde::Deserialize;

use super::RestEdge;
use super::answer::{Answer, done, json};
use super::authorized::Authorized;
use super::body::Json;
use super::openapi::schema::{any, array, integer, object, string};
use super::openapi::{Bounds, Call, Routes, Who};
use super::query::{Parameters, id_or_default};

/// The one route.
pub(super) fn routes(bounds: &Bounds) -> Routes {
    const PATH: &str = "/v1/e/accumulate";
    let entry = object([
        ("observed", integer()),
        ("channel_id", string()),
        ("opaque_user_id", string()),
        ("opaque_id", string()),
        ("user_id", string()),
        ("data", any()),
    ]);
    let reads = Call::of(Who::BroadcasterOrTrusted, "What was sent, the oldest first")
        .told("Continue from `latest`.")
        .by_id()
        .channel()
        .required(
            "start",
            integer(),
            "Unix time in ms; what came after it is read.",
        )
        .query(
            "limit",
            integer(),
            "How many at most; 10,000 where left out.",
        )
        .answers(object([("data", array(entry)), ("latest", integer())]))
        .refuses([Refusal::MalformedStart.into()]);
    let adds = Call::of(Who::Anyone, "Send any JSON")
        .by_id()
        .channel()
        .takes(any())
        .json_bytes_max(bounds.limits.accumulate_bytes_max);
    Routes::of("accumulate")
        .get(PATH, read, reads)
        .post(PATH, add, adds)
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
