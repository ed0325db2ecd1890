//! Trivia (`spec 3.7`).

use std::sync::Arc;

use axum::extract::State;
use crowdlink_core::{Error, Refusal, trivia};
use crowdlink_protocol::{QuestionState, TriviaQuestions, TriviaState, TriviaTeam, TriviaText};
use serde::Deserialize;
use serde_json::Value;

use super::RestEdge;
use super::answer::{Answer, done, json};
use super::authorized::Authorized;
use super::body::{Json, text};
use super::openapi::schema::{array, either, object, shape, string};
use super::openapi::{Call, Routes, Who, trivia_state};
use super::query::Parameters;

type Edge = State<Arc<RestEdge>>;

/// What a transition may name.
const STATES: &str = "must be state-inactive, state-unlocked, state-locked or state-results";

/// The routes of contests.
pub(super) fn routes() -> Routes {
    edit_routes().merge(contest_routes()).merge(team_routes())
}

/// What is said where an id stands for nothing.
const NO_QUESTION: &str = "There is no question with this id";

fn edit_routes() -> Routes {
    const QUESTION: &str = "/v1/e/curated_poll_edit";
    const OPTION: &str = "/v1/e/curated_poll_edit_option";
    let writes = |summary, body| {
        let call = Call::of(Who::TrustedOrOwner, summary).takes(body);
        call.misses(NO_QUESTION)
    };
    let question = || shape("TriviaQuestion");
    let put_question_call = writes("Write a question", shape("TriviaText")).answers(question());
    let delete_question_call = writes("Delete a question", object([("id", string())]));
    let option = object([("id", string()), ("option", shape("TriviaText"))]);
    let put_option_call = writes("Write an option of a question", option).answers(question());
    let named = object([("question", string()), ("option", string())]);
    let delete_option_call = writes("Delete an option of a question", named).answers(question());
    Routes::of("trivia")
        .post(QUESTION, put_question, put_question_call)
        .delete(QUESTION, delete_question, delete_question_call)
        .post(OPTION, put_option, put_option_call)
        .delete(OPTION, delete_option, delete_option_call)
}

fn contest_routes() -> Routes {
    const PATH: &str = "/v1/e/curated_poll";
    let questions = object([("questions", array(shape("TriviaQuestion")))]);
    let reads = Call::of(Who::Anyone, "All questions, or one")
        .told("Inactive ones are shown to admin and backend alone.")
        .query("id", string(), "One question; all where left out.")
        .channel()
        .answers(either([questions, shape("TriviaQuestion")]))
        .misses(NO_QUESTION);
    let votes = Call::of(Who::Anyone, "Vote for an option of an unlocked question")
        .channel()
        .takes(object([("question_id", string()), ("vote", string())]))
        .misses(NO_QUESTION)
        .refuses([Refusal::QuestionLocked.into()]);
    let moves = Call::of(Who::TrustedOrOwner, "Move a question to a state")
        .told("`state-results` needs a winner among the options.")
        .required("id", string(), "The question.")
        .takes(object([
            ("transition", trivia_state()),
            ("winner?", string()),
        ]))
        .answers(object([("state", trivia_state())]))
        .misses(NO_QUESTION);
    Routes::of("trivia")
        .get(PATH, read, reads)
        .post(PATH, vote, votes)
        .post("/v1/e/curated_poll_state", transition, moves)
}

fn team_routes() -> Routes {
    const PATH: &str = "/v1/e/team_membership";
    let id = || object([("id", string())]);
    let reads = Call::of(Who::Anyone, "The caller's team")
        .channel()
        .answers(id())
        .misses("This user is in no team");
    let joins = Call::of(Who::Anyone, "Join the team of the channel, for good")
        .channel()
        .answers(id());
    let board = Call::of(Who::BroadcasterOrTrusted, "The teams and their scores")
        .answers(shape("TriviaLeaderboard"));
    Routes::of("trivia")
        .get(PATH, team, reads)
        .post(PATH, join, joins)
        .get("/v1/e/curated_poll_leaderboard", leaderboard, board)
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
