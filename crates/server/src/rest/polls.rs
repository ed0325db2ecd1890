//! Polls and votes (`spec 3.6`).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use crowdlink_core::polls::{self, LogReader, Voted};
use crowdlink_core::{Core, Error, Refusal};
use crowdlink_protocol::{PollConfigChange, PollDefinitionChange};
use futures::{StreamExt as _, stream};
use http::Method;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value};

use super::RestEdge;
use super::answer::{Answer, JSON, done, json, json_response};
use super::authorized::Authorized;
use super::body::{Json, text};
use super::openapi::schema::{array, integer, object, shape, string, within};
use super::openapi::{Call, Routes, Who};
use super::query::{ById, Parameters};
use crate::direct::DirectCall;

type Edge = State<Arc<RestEdge>>;

/// The routes.
pub(super) fn routes() -> Routes {
    const VOTE: &str = "/v1/e/vote";
    let reads = Call::of(Who::Anyone, "The votes of a poll")
        .by_id()
        .channel()
        .answers(shape("VoteReport"));
    let votes = Call::of(Who::Anyone, "Vote")
        .told("One vote a voter, or as many as the poll's definition allows.")
        .by_id()
        .channel()
        .takes(object([("value", integer()), ("count?", within(1, 30))]))
        .answers(shape("VoteReport"))
        .refuses([
            Refusal::ValueOutOfBounds.into(),
            Refusal::PollClosed.into(),
            Refusal::UnacceptableVote.into(),
        ]);
    let removes = Call::of(Who::BroadcasterOrTrusted, "Delete a poll and its votes")
        .by_id()
        .channel();
    let routes = Routes::of("polls")
        .get(VOTE, read, reads)
        .post(VOTE, vote, votes)
        .delete(VOTE, remove, removes);
    routes.merge(definition_routes()).merge(voter_routes())
}

fn definition_routes() -> Routes {
    const PATH: &str = "/v1/e/vote_config";
    let reads = Call::of(Who::Anyone, "The definition of a poll")
        .by_id()
        .channel()
        .answers(shape("PollConfig"))
        .misses("There is no such poll");
    let writes = Call::of(Who::BroadcasterOrTrusted, "Define a poll")
        .told("Fields that are left out stay as they are.")
        .by_id()
        .channel()
        .takes(object([
            ("id?", string()),
            ("config?", shape("PollDefinition")),
        ]));
    let routes = Routes::of("polls");
    routes
        .get(PATH, config, reads)
        .post(PATH, configure, writes)
}

fn voter_routes() -> Routes {
    let row = object([
        ("identifier", string()),
        ("opaque", string()),
        ("value", integer()),
        ("timestamp", integer()),
    ]);
    let logs = Call::of(Who::Trusted, "Who voted for what, the oldest first")
        .by_id()
        .channel()
        .answers(object([("result", array(row))]));
    let modifies = Call::of(Who::BroadcasterOrTrusted, "Add to the weight of a voter")
        .by_id()
        .channel()
        .takes(object([("user", string()), ("add", integer())]));
    Routes::of("polls").get("/v1/e/vote_logs", log, logs).post(
        "/v1/e/vote_modifier",
        modify,
        modifies,
    )
}

/// The calls of these routes that go past the router.
pub(super) fn direct(edge: &Arc<RestEdge>) -> [DirectCall; 2] {
    [
        DirectCall::new(Method::GET, "/v1/e/vote", read, edge),
        DirectCall::new(Method::POST, "/v1/e/vote", vote, edge),
    ]
}

fn report(voted: &Voted) -> Answer {
    match voted.numbers.report(voted.vote) {
        Ok(report) => Ok(json_response(report)),
        Err(error) => Err(Error::from(error).into()),
    }
}

async fn read(
    State(edge): Edge,
    Authorized(caller): Authorized,
    Parameters(poll): Parameters<ById>,
) -> Answer {
    report(&polls::votes(&edge.core, &caller, poll.channel(), poll.id()).await?)
}

async fn vote(
    State(edge): Edge,
    Authorized(caller): Authorized,
    Parameters(poll): Parameters<ById>,
    Json(body): Json,
) -> Answer {
    let value = whole(&body, "value")?.ok_or_else(|| Error::invalid("value", "is required"))?;
    let count = whole(&body, "count")?.unwrap_or(1);
    let voted = polls::vote(
        &edge.core,
        &caller,
        poll.channel(),
        poll.id(),
        (value, count),
    );
    report(&voted.await?)
}

async fn remove(
    State(edge): Edge,
    Authorized(caller): Authorized,
    Parameters(poll): Parameters<ById>,
) -> Answer {
    polls::delete(&edge.core, &caller, poll.channel(), poll.id()).await?;
    Ok(done())
}

async fn config(
    State(edge): Edge,
    Authorized(caller): Authorized,
    Parameters(poll): Parameters<ById>,
) -> Answer {
    json(&polls::config(&edge.core, &caller, poll.channel(), poll.id()).await?)
}

async fn configure(
    State(edge): Edge,
    Authorized(caller): Authorized,
    Parameters(poll): Parameters<ById>,
    Json(body): Json,
) -> Answer {
    // The id may stand in the body or in the query.
    let id = text(&body, "id")?.filter(|id| !id.is_empty());
    let fields = match body.get("config") {
        Some(Value::Object(fields)) => fields,
        None | Some(Value::Null) => &Map::new(),
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            return Err(Error::invalid("config", "must be an object").into());
        }
    };
    let wrong = |error: crowdlink_protocol::FieldError| Error::invalid(error.field, error.expected);
    let definition = PollDefinitionChange::from_fields(fields, "userData").map_err(wrong)?;
    let config = PollConfigChange::from_fields(fields).map_err(wrong)?;
    let named = (poll.channel(), id.unwrap_or_else(|| poll.id()));
    polls::configure(&edge.core, &caller, named, (definition, config))
        .await
        .map_err(named_here)?;
    Ok(done())
}

/// On this edge `user_data` has another name.
fn named_here(mut error: Error) -> Error {
    if let Error::Invalid { field, .. } = &mut error
        && field == "user_data"
    {
        *field = "userData".into();
    }
    error
}

async fn modify(
    State(edge): Edge,
    Authorized(caller): Authorized,
    Parameters(poll): Parameters<ById>,
    Json(body): Json,
) -> Answer {
    let user = text(&body, "user")?.unwrap_or_default();
    let add = whole(&body, "add")?.ok_or_else(|| Error::invalid("add", "is required"))?;
    let named = (poll.channel(), poll.id());
    polls::modify(&edge.core, &caller, named, (user, add)).await?;
    Ok(done())
}

/// A field that must be a whole number.
fn whole(body: &Value, field: &'static str) -> Result<Option<i64>, Error> {
    let Value::Object(fields) = body else {
        return Err(Error::invalid("body", "must be a JSON object"));
    };
    match fields.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(number) => {
            let wrong = || Error::invalid(field, "must be a whole number");
            let whole = number.as_i64().or_else(|| beyond(number));
            whole.map(Some).ok_or_else(wrong)
        }
    }
}

/// A whole number that does not fit: as far as numbers go, to be refused by whoever knows the
/// bounds.
fn beyond(number: &Value) -> Option<i64> {
    /// 2^63; every float from there on is whole.
    const FROM: f64 = 9_223_372_036_854_775_808.0;
    let number = number.as_f64().filter(|number| number.abs() >= FROM)?;
    Some(if number > 0.0 { i64::MAX } else { i64::MIN })
}

async fn log(
    State(edge): Edge,
    Authorized(caller): Authorized,
    Parameters(poll): Parameters<ById>,
) -> Answer {
    let mut log = polls::vote_log(&edge.core, &caller, poll.channel(), poll.id()).await?;
    // What cannot be read at all is refused before the answer begins.
    let first = Page::read(&edge.core, &mut log).await?;
    Ok(streamed(Arc::clone(&edge.core), log, first))
}

/// Some rows of a log, as they stand in the answer.
struct Page {
    /// Each row with a comma before it; empty at the end.
    text: Vec<u8>,
}

impl Page {
    async fn read(core: &Core, log: &mut LogReader) -> Result<Self, Error> {
        let mut text = Vec::new();
        for row in log.next(core).await? {
            text.push(b',');
            serde_json::to_writer(&mut text, &row)?;
        }
        Ok(Self { text })
    }
}

/// The answer, a page at a time: however long the log is, one page is in memory, and the next is
/// read when that one has been taken.
fn streamed(core: Arc<Core>, log: LogReader, mut first: Page) -> Response {
    if first.text.is_empty() {
        return ([(CONTENT_TYPE, JSON)], "{\"result\":[]}").into_response();
    }
    first.text.splice(..1, *b"{\"result\":[");
    let opening = stream::once(async move { Ok::<_, Error>(Bytes::from(first.text)) });
    let pages = stream::try_unfold((core, Some(log)), |(core, log)| async move {
        let Some(mut log) = log else { return Ok(None) };
        let page = Page::read(&core, &mut log).await.inspect_err(|error| {
            tracing::error!(%error, "a vote log ends early");
        })?;
        Ok(Some(if page.text.is_empty() {
            (Bytes::from_static(b"]}"), (core, None))
        } else {
            (Bytes::from(page.text), (core, Some(log)))
        }))
    });
    let body = Body::from_stream(opening.chain(pages));
    ([(CONTENT_TYPE, JSON)], body).into_response()
}
