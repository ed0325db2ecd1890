//! Trivia (`spec 3.7`).

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use crowdlink_core::{Error, trivia};
use crowdlink_protocol::{QuestionState, TriviaQuestions, TriviaState, TriviaTeam, TriviaText};
use serde::Deserialize;
use serde_json::Value;

use super::RestEdge;
use super::answer::{Answer, done, json};
use super::authorized::Authorized;
use super::body::{Json, text};
use super::query::Parameters;

type Edge = State<Arc<RestEdge>>;

/// What a transition may name.
const STATES: &str = "must be state-inactive, state-unlocked, state-locked or state-results";

/// The routes of contests.
pub(super) fn routes() -> Router<Arc<RestEdge>> {
    Router::new()
        .route("/v1/e/curated_poll", get(read).post(vote))
        .route(
            "/v1/e/curated_poll_edit",
            post(put_question).delete(delete_question),
        )
        .route(
            "/v1/e/curated_poll_edit_option",
            post(put_option).delete(delete_option),
        )
        .route("/v1/e/curated_poll_state", post(transition))
        .route("/v1/e/curated_poll_leaderboard", get(leaderboard))
        .route("/v1/e/team_membership", get(team).post(join))
}

#[derive(Deserialize)]
struct Named {
    id: Option<String>,
    channel_id: Option<String>,
}

impl Named {
    fn id(&self) -> Option<&str> {
        self.id.as_deref().filter(|id| !id.is_empty())
    }
}

/// A field of a body that must be there.
fn required<'a>(body: &'a Value, field: &'static str) -> Result<&'a str, Error> {
    text(body, field)?.ok_or_else(|| Error::invalid(field, "is required"))
}

/// A question or an option as a body has it. What else stands there is not looked at: a client may
/// send back what it has read.
fn written(body: &Value) -> Result<TriviaText, Error> {
    let owned = |field| required(body, field).map(str::to_owned);
    let order = match body.get("order") {
        None | Some(Value::Null) => None,
        Some(Value::Number(order)) => Some(order.clone()),
        Some(Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_)) => {
            return Err(Error::invalid("order", "must be a number"));
        }
    };
    Ok(TriviaText {
        id: owned("id")?,
        name: owned("name")?,
        short_name: owned("short_name")?,
        description: owned("description")?,
        image: text(body, "image")?.map(str::to_owned),
        order,
    })
}

async fn read(
    State(edge): Edge,
    Authorized(caller): Authorized,
    Parameters(named): Parameters<Named>,
) -> Answer {
    let (core, channel) = (&*edge.core, named.channel_id.as_deref());
    if let Some(id) = named.id() {
        return json(&trivia::question(core, &caller, channel, id).await?);
    }
    let questions = trivia::questions(core, &caller, channel).await?;
    json(&TriviaQuestions { questions })
}

async fn vote(
    State(edge): Edge,
    Authorized(caller): Authorized,
    Parameters(named): Parameters<Named>,
    Json(body): Json,
) -> Answer {
    let (question, option) = (required(&body, "question_id")?, required(&body, "vote")?);
    let channel = named.channel_id.as_deref();
    trivia::vote(&edge.core, &caller, channel, question, option).await?;
    Ok(done())
}

async fn put_question(
    State(edge): Edge,
    Authorized(caller): Authorized,
    Json(body): Json,
) -> Answer {
    json(&trivia::put_question(&edge.core, &caller, written(&body)?).await?)
}

async fn delete_question(
    State(edge): Edge,
    Authorized(caller): Authorized,
    Json(body): Json,
) -> Answer {
    trivia::delete_question(&edge.core, &caller, required(&body, "id")?).await?;
    Ok(done())
}

async fn put_option(State(edge): Edge, Authorized(caller): Authorized, Json(body): Json) -> Answer {
    let question = required(&body, "id")?;
    let Some(option @ Value::Object(_)) = body.get("option") else {
        return Err(Error::invalid("option", "must be an object").into());
    };
    let option = written(option).map_err(in_option)?;
    json(&trivia::put_option(&edge.core, &caller, question, option).await?)
}

/// Names a field of the option as one.
fn in_option(error: Error) -> Error {
    if let Error::Invalid { field, expected } = error {
        return Error::invalid(format!("option.{field}"), expected);
    }
    error
}

async fn delete_option(
    State(edge): Edge,
    Authorized(caller): Authorized,
    Json(body): Json,
) -> Answer {
    let (question, option) = (required(&body, "question")?, required(&body, "option")?);
    json(&trivia::delete_option(&edge.core, &caller, question, option).await?)
}

async fn transition(
    State(edge): Edge,
    Authorized(caller): Authorized,
    Parameters(named): Parameters<Named>,
    Json(body): Json,
) -> Answer {
    let id = named
        .id()
        .ok_or_else(|| Error::invalid("id", "is required"))?;
    let state: QuestionState = required(&body, "transition")?
        .parse()
        .map_err(|_| Error::invalid("transition", STATES))?;
    let winner = text(&body, "winner")?;
    let state = trivia::transition(&edge.core, &caller, id, state, winner).await?;
    json(&TriviaState { state })
}

async fn leaderboard(State(edge): Edge, Authorized(caller): Authorized) -> Answer {
    json(&trivia::leaderboard(&edge.core, &caller).await?)
}

async fn team(
    State(edge): Edge,
    Authorized(caller): Authorized,
    Parameters(named): Parameters<Named>,
) -> Answer {
    let channel = named.channel_id.as_deref();
    let id = trivia::team(&edge.core, &caller, channel).await?;
    json(&TriviaTeam { id })
}

async fn join(
    State(edge): Edge,
    Authorized(caller): Authorized,
    Parameters(named): Parameters<Named>,
) -> Answer {
    let channel = named.channel_id.as_deref();
    let id = trivia::join(&edge.core, &caller, channel).await?;
    json(&TriviaTeam { id })
}
