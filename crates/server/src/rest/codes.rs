//! Codes (`spec 3.8`).

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::{get, post, put};
use crowdlink_core::Error;
use crowdlink_core::codes::{self, Marks, Upload};
use serde_json::Value;

use super::RestEdge;
use super::answer::{Answer, done, json};
use super::authorized::Authorized;
use super::body::{Json, list, read_large};

type Edge = State<Arc<RestEdge>>;

/// The routes.
pub(super) fn routes() -> Router<Arc<RestEdge>> {
    Router::new()
        .route("/v1/e/codes", put(upload).get(names).delete(remove))
        .route("/v1/e/codes/mark_from_list", post(mark_from_list))
        .route("/v1/e/codes/eligible", get(eligible))
        .route("/v1/e/codes/eligibility", get(eligible))
        .route("/v1/e/codes/redeemed", get(redeemed))
        .route("/v1/e/codes/redeem", post(redeem))
}

async fn upload(State(edge): Edge, Authorized(caller): Authorized, body: Body) -> Answer {
    // Before the body, which only those who may send it may make us read.
    let permit = codes::begin_upload(&edge.core, &caller)?;
    let body = read_large(body, edge.codes_body_bytes_max).await?;
    let parsed = tokio::task::spawn_blocking(move || Upload::parse(&body)).await;
    let parsed = parsed.map_err(|error| Error::Internal(error.to_string()))??;
    codes::upload(&edge.core, &caller, &permit, &parsed).await?;
    Ok(done())
}

async fn names(State(edge): Edge, Authorized(caller): Authorized) -> Answer {
    json(&codes::names(&edge.core, &caller).await?)
}

async fn remove(State(edge): Edge, Authorized(caller): Authorized) -> Answer {
    json(&codes::remove(&edge.core, &caller).await?)
}

async fn mark_from_list(
    State(edge): Edge,
    Authorized(caller): Authorized,
    Json(body): Json,
) -> Answer {
    let marks = marks(&body)?;
    let user = |user: &'_ Value| user.as_str().map(str::to_owned);
    let users = items(&body, "users", "must be a list of user ids", user)?;
    let users: Vec<&str> = users.iter().map(String::as_str).collect();
    json(&codes::mark(&edge.core, &caller, &marks, &users).await?)
}

/// Prizes and their limits, as both kinds of marks name them.
fn marks(body: &Value) -> Result<Marks, Error> {
    let index = |value: &Value| usize::try_from(value.as_u64()?).ok();
    let limit = |value: &Value| u32::try_from(value.as_u64()?).ok();
    let prizes = items(body, "prizes", "must be a list of indices", index)?;
    let limits = items(body, "prize_limits", "must be a list of numbers", limit)?;
    Marks::new(&prizes, &limits)
}

fn items<T>(
    body: &Value,
    field: &'static str,
    expected: &'static str,
    item: impl Fn(&Value) -> Option<T>,
) -> Result<Vec<T>, Error> {
    let items = list(body, field)?.iter().map(item).collect::<Option<_>>();
    items.ok_or_else(|| Error::invalid(field, expected))
}

async fn eligible(State(edge): Edge, Authorized(caller): Authorized) -> Answer {
    json(&codes::eligible(&edge.core, &caller).await?)
}

async fn redeemed(State(edge): Edge, Authorized(caller): Authorized) -> Answer {
    json(&codes::redeemed(&edge.core, &caller).await?)
}

/// Both names of the field mean the same: the page library sends `all_prizes`.
async fn redeem(State(edge): Edge, Authorized(caller): Authorized, Json(body): Json) -> Answer {
    let prize = body.get("prize").or_else(|| body.get("all_prizes"));
    let prize = prize.ok_or_else(|| Error::invalid("prize", "is required"))?;
    let prize = prize.as_u64().and_then(|prize| usize::try_from(prize).ok());
    // What is no number at all is no index either.
    let prize = prize.unwrap_or(usize::MAX);
    json(&codes::redeem(&edge.core, &caller, prize).await?)
}
