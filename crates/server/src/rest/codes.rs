//! Codes (`spec 3.8`).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use crowdlink_core::codes::{self, Marks, Upload, Winners};
use crowdlink_core::{Error, Refusal};
use serde::Deserialize;
use serde_json::Value;

use super::RestEdge;
use super::answer::{Answer, done, json};
use super::authorized::Authorized;
use super::body::{Json, list, read_large, text};
use super::openapi::schema::{Schema, array, integer, object, string, within};
use super::openapi::{Bounds, Call, Routes, Who};
use super::query::Parameters;

/// Times below it are in seconds.
const SECONDS_BELOW: i64 = 100_000_000_000;

type Edge = State<Arc<RestEdge>>;

/// The routes.
pub(super) fn routes(bounds: &Bounds) -> Routes {
    const SETS: &str = "/v1/e/codes";
    let upload_body = object([
        ("codes", array(array(string()))),
        ("names", array(string())),
        ("indices?", array(prize())),
    ]);
    let uploads = Call::of(Who::Trusted, "Add codes to sets")
        .told("At most 10 sets; the same name again extends its set. All or none.")
        .takes(upload_body)
        .request_bytes_max(bounds.codes_body_bytes_max);
    let reads = Call::of(Who::Trusted, "The names of the sets")
        .answers(object([("names", array(string()))]));
    let removes = Call::of(Who::Trusted, "Remove all sets")
        .answers(object([("distributed", array(integer()))]));
    let routes = Routes::of("codes")
        .put(SETS, upload, uploads)
        .get(SETS, names, reads)
        .delete(SETS, remove, removes);
    routes.merge(mark_routes()).merge(viewer_routes())
}

/// An index of a prize.
fn prize() -> Schema {
    within(0, 9)
}

fn mark_routes() -> Routes {
    let marked = || object([("marked", integer())]);
    let from_list = Call::of(Who::Trusted, "Let users redeem codes")
        .takes(object([
            ("prizes", array(prize())),
            ("prize_limits", array(integer())),
            ("users", array(string())),
        ]))
        .answers(marked());
    let from_poll = Call::of(Who::Trusted, "Let those redeem codes who voted right")
        .channel()
        .takes(object([
            ("poll_id", string()),
            ("correct", integer()),
            ("prizes", array(prize())),
            ("prize_limits", array(integer())),
            ("cutoff_timestamp?", integer()),
        ]))
        .answers(marked());
    Routes::of("codes")
        .post("/v1/e/codes/mark_from_list", mark_from_list, from_list)
        .post("/v1/e/codes/mark_from_poll", mark_from_poll, from_poll)
}

fn viewer_routes() -> Routes {
    let shared = || [Refusal::UserIdNotShared.into()];
    let mut routes = Routes::of("codes");
    for path in ["/v1/e/codes/eligible", "/v1/e/codes/eligibility"] {
        let call = Call::of(
            Who::Anyone,
            "How many codes of each prize the caller may redeem",
        )
        .answers(object([("eligible", array(integer()))]))
        .refuses(shared());
        routes = routes.get(path, eligible, call);
    }
    let reads = Call::of(Who::Anyone, "The caller's codes of each prize")
        .answers(object([("redeemed", array(array(string())))]))
        .refuses(shared());
    let redeems = Call::of(Who::Anyone, "Redeem a code of a prize")
        .told("`prize` and `all_prizes` mean the same; one must be there.")
        .takes(object([("prize?", prize()), ("all_prizes?", prize())]))
        .answers(object([
            ("code", string()),
            ("all_prizes", array(string())),
        ]))
        .refuses(shared())
        .refuses([Refusal::NotEligible.into(), Refusal::NoCodesLeft.into()]);
    routes
        .get("/v1/e/codes/redeemed", redeemed, reads)
        .post("/v1/e/codes/redeem", redeem, redeems)
}

async fn upload(State(edge): Edge, Authorized(caller): Authorized, body: Body) -> Answer {
    // Before the body, which only those who may send it may make us read.
    let permit = codes::begin_upload(&edge.core, &caller)?;
    let body = read_large(body, edge.bounds.codes_body_bytes_max).await?;
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

#[derive(Deserialize)]
struct Channel {
    channel_id: Option<String>,
}

async fn mark_from_poll(
    State(edge): Edge,
    Authorized(caller): Authorized,
    Parameters(query): Parameters<Channel>,
    Json(body): Json,
) -> Answer {
    let marks = marks(&body)?;
    let poll_id = text(&body, "poll_id")?;
    let correct = body.get("correct").and_then(Value::as_i64);
    let winners = Winners {
        channel: query.channel_id.as_deref(),
        poll_id: poll_id.ok_or_else(|| Error::invalid("poll_id", "is required"))?,
        correct: correct.ok_or_else(|| Error::invalid("correct", "must be the value voted for"))?,
        cutoff_ms: cutoff_ms(&body)?,
    };
    json(&codes::mark_winners(&edge.core, &caller, &marks, winners).await?)
}

/// Ms as in `vote_logs`, or seconds as in the times of a poll: no vote is old enough for the two
/// to be mistaken.
fn cutoff_ms(body: &Value) -> Result<Option<i64>, Error> {
    let wrong = || Error::invalid("cutoff_timestamp", "must be a Unix time in ms");
    match body.get("cutoff_timestamp") {
        None | Some(Value::Null) => Ok(None),
        Some(time) => match time.as_i64().ok_or_else(wrong)? {
            0 => Ok(None),
            seconds @ ..SECONDS_BELOW => Ok(Some(seconds.saturating_mul(1_000))),
            ms => Ok(Some(ms)),
        },
    }
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
