//! Trivia: a contest between channels (`spec 3.7`).
//!
//! The questions belong to the extension, on each stage its own. A team is a channel: viewers join
//! the team of the channel where they first vote, for good. When a winner is declared, each team's
//! votes become points on the leaderboard.

mod ballot;
mod board;
mod contest;
mod drafts;
mod edit;
mod place;
mod question;
mod tally;
mod teams;
mod votes;

use std::sync::Arc;

use crowdlink_protocol::{
    ClientId, QuestionState, Role, Stage, TriviaLeaderboard, TriviaQuestion, TriviaText,
};
use serde::{Deserialize, Serialize};

use self::ballot::{Ballot, Voter, Who, Wish};
use self::contest::Contests;
use self::edit::Edit;
use self::place::Place;
use self::question::{Question, check_text, is_id};
use self::tally::Tally;
use self::teams::Teams;
use crate::caller::Caller;
use crate::combine::Combiner;
use crate::core::Core;
use crate::error::Error;
use crate::random;
use crate::runs::Run;
use crate::table::Table;
use crate::world::World;

/// Where the bus carries [`TriviaChanged`].
pub(crate) const TOPIC: &str = "trivia";

const VOTERS: Table<Voter> = Table::new("");

/// Told after a question changed its state (`spec 4.3`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TriviaChanged {
    /// The world.
    pub stage: Stage,
    /// The extension.
    pub client_id: ClientId,
    /// The question.
    pub id: String,
    /// Its state now.
    pub state: QuestionState,
    /// The option that won, while its results are shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub winner: Option<String>,
    /// The commit that says so.
    pub version: u64,
}

impl TriviaChanged {
    fn of(place: &Place, question: &Question, version: u64) -> Self {
        Self {
            stage: place.stage,
            client_id: place.client_id.clone(),
            id: question.text.id.clone(),
            state: question.state,
            winner: question.winner(),
            version,
        }
    }
}

/// The questions of a contest that a commit after `since` wrote, for those who were found fit to be
/// told of them.
pub async fn changed_since(
    core: &Core,
    (stage, client_id): (Stage, &ClientId),
    since: u64,
) -> Result<Vec<TriviaChanged>, Error> {
    let place = Place {
        stage,
        client_id: client_id.clone(),
    };
    let store = &*core.world.store;
    let found = contest::Index::read(store, &place).await?;
    let Some(found) = found.filter(|index| index.version > since) else {
        return Ok(Vec::new());
    };
    let mut changed = Vec::new();
    for some in found.value.questions.chunks(contest::READ_TOGETHER) {
        let keys: Vec<String> = some.iter().map(|q| place.question(&q.id)).collect();
        for record in store.get_many(&keys).await?.into_iter().flatten() {
            if record.version > since {
                let question: Question = serde_json::from_slice(&record.value)?;
                changed.push(TriviaChanged::of(&place, &question, record.version));
            }
        }
    }
    Ok(changed)
}

/// What a node holds of all contests.
#[derive(Debug)]
pub(crate) struct Trivia {
    contests: Contests,
    edits: Arc<Combiner<Edit, Option<Question>>>,
    ballots: Arc<Combiner<Ballot, String>>,
    teams: Teams,
    /// What the shares of this node are called.
    node: u8,
}

impl Trivia {
    pub(crate) fn new(world: &World) -> Arc<Self> {
        Arc::new(Self {
            contests: Contests::new(),
            edits: Combiner::new(),
            ballots: Combiner::new(),
            teams: Teams::new(),
            node: random::below(&*world.random, votes::NODES),
        })
    }
}

fn no_question() -> Error {
    Error::NotFound("There is no question with this id".into())
}

/// The id of a question that there may be: what can be none never gets as far as a key.
fn named(id: &str) -> Result<String, Error> {
    if is_id(id) {
        Ok(id.to_owned())
    } else {
        Err(no_question())
    }
}

/// Adds a question, or changes the text of one; state, options and votes stay.
pub async fn put_question(
    core: &Core,
    caller: &Caller,
    text: TriviaText,
) -> Result<TriviaQuestion, Error> {
    caller.require_owner()?;
    check_text(&text, "", &core.limits)?;
    edit(core, caller, Edit::Put(text)).await
}

/// Removes a question with its votes and its points; nothing happens where there is none.
pub async fn delete_question(core: &Core, caller: &Caller, id: &str) -> Result<(), Error> {
    caller.require_owner()?;
    let edit = Edit::Delete(id.to_owned());
    let place = Place::of(caller);
    let edited = core.trivia.edit(&core.world, &place, &core.limits, edit);
    edited.await.map(drop)
}

/// Adds an option to a question, or changes its text; votes stay.
pub async fn put_option(
    core: &Core,
    caller: &Caller,
    question: &str,
    option: TriviaText,
) -> Result<TriviaQuestion, Error> {
    caller.require_owner()?;
    check_text(&option, "option.", &core.limits)?;
    let question = named(question)?;
    edit(core, caller, Edit::PutOption { question, option }).await
}

/// Removes an option with the votes for it; nothing happens where there is none.
pub async fn delete_option(
    core: &Core,
    caller: &Caller,
    question: &str,
    option: &str,
) -> Result<TriviaQuestion, Error> {
    caller.require_owner()?;
    let (question, option) = (named(question)?, option.to_owned());
    edit(core, caller, Edit::DeleteOption { question, option }).await
}

/// Changes the state of a question. Results need a winner, and settle its points on the
/// leaderboard.
pub async fn transition(
    core: &Core,
    caller: &Caller,
    question: &str,
    state: QuestionState,
    winner: Option<&str>,
) -> Result<QuestionState, Error> {
    caller.require_owner()?;
    let change = Edit::Transition {
        question: named(question)?,
        state,
        winner: winner.map(str::to_owned),
    };
    Ok(edit(core, caller, change).await?.state)
}

async fn edit(core: &Core, caller: &Caller, edit: Edit) -> Result<TriviaQuestion, Error> {
    caller.require_owner()?;
    let place = Place::of(caller);
    let edited = core.trivia.edit(&core.world, &place, &core.limits, edit);
    let question = edited.await?.ok_or_else(no_question)?;
    Ok(question.view(None))
}

/// The questions by `order`, with the caller's votes. Inactive ones are shown to trusted callers
/// alone.
pub async fn questions(
    core: &Core,
    caller: &Caller,
    channel: Option<&str>,
) -> Result<Vec<TriviaQuestion>, Error> {
    seen(core, caller, channel, |_| true).await
}

/// One of the [`questions`]; 404 where there is none, or the caller may not see it.
pub async fn question(
    core: &Core,
    caller: &Caller,
    channel: Option<&str>,
    id: &str,
) -> Result<TriviaQuestion, Error> {
    let seen = seen(core, caller, channel, |question| question.text.id == id).await?;
    seen.into_iter().next().ok_or_else(no_question)
}

async fn seen(
    core: &Core,
    caller: &Caller,
    channel: Option<&str>,
    wanted: impl Fn(&Question) -> bool,
) -> Result<Vec<TriviaQuestion>, Error> {
    let place = Place::of(caller);
    let store = &*core.world.store;
    let contest = core.trivia.contests.read(store, &place).await?;
    let may_see =
        |question: &Question| caller.role.is_trusted() || question.state != QuestionState::Inactive;
    let seen: Vec<&Question> = contest
        .questions
        .iter()
        .filter(|question| may_see(question) && wanted(question))
        .collect();
    let runs: Vec<&Run> = seen.iter().map(|question| &question.run).collect();
    let votes = votes_of(core, &place, who(caller, channel)?.as_ref(), &runs).await?;
    let views = seen.into_iter().zip(votes);
    Ok(views.map(|(question, you)| question.view(you)).collect())
}

/// The slots that somebody voted for in some runs.
async fn votes_of(
    core: &Core,
    place: &Place,
    who: Option<&Who>,
    runs: &[&Run],
) -> Result<Vec<Option<u64>>, Error> {
    let store = &*core.world.store;
    match who {
        Some(Who::Member { identity, .. }) if !runs.is_empty() => {
            let voter = VOTERS.get(store, &place.voter(identity)).await?;
            let votes = voter.map(|voter| voter.value.votes).unwrap_or_default();
            Ok(runs.iter().map(|run| votes.get(run).copied()).collect())
        }
        Some(Who::Leader(team)) if !runs.is_empty() => {
            let keys: Vec<String> = runs.iter().map(|run| place.leader(run, team)).collect();
            let records = store.get_many(&keys).await?.into_iter();
            let leader = |record: Option<crowdlink_store::Record>| {
                let tally = record.map(|record| serde_json::from_slice::<Tally>(&record.value));
                Ok(tally.transpose()?.and_then(|tally| tally.leader))
            };
            records.map(leader).collect()
        }
        _ => Ok(vec![None; runs.len()]),
    }
}

/// Votes for an option of an unlocked question; a later vote replaces the earlier one. Joins the
/// team of the channel, if the caller is in none.
pub async fn vote(
    core: &Core,
    caller: &Caller,
    channel: Option<&str>,
    question: &str,
    option: &str,
) -> Result<(), Error> {
    core.take_vote(caller)?;
    let wish = Wish::Vote {
        question: named(question)?,
        option: option.to_owned(),
    };
    cast(core, caller, channel, wish).await.map(drop)
}

/// Joins the team of the channel, if the caller is in none; the team they are in.
pub async fn join(core: &Core, caller: &Caller, channel: Option<&str>) -> Result<String, Error> {
    cast(core, caller, channel, Wish::Join).await
}

async fn cast(
    core: &Core,
    caller: &Caller,
    channel: Option<&str>,
    wish: Wish,
) -> Result<String, Error> {
    let channel = caller.channel(channel)?;
    let who = who(caller, Some(channel))?;
    let who = who.ok_or_else(|| Error::invalid("user_id", "is required in the token"))?;
    let bounds = [
        core.limits.trivia_teams_max,
        core.limits.trivia_questions_max,
    ];
    let place = Place::of(caller);
    let ballot = Ballot { who, wish };
    core.trivia.cast(&core.world, &place, bounds, ballot).await
}

/// The team that the caller is in; 404 where in none.
pub async fn team(core: &Core, caller: &Caller, channel: Option<&str>) -> Result<String, Error> {
    let (place, store) = (Place::of(caller), &*core.world.store);
    let team = match who(caller, channel)? {
        None => None,
        Some(Who::Leader(team)) => store.get(&place.team(&team)).await?.map(|_| team),
        Some(Who::Member { identity, .. }) => {
            let voter = VOTERS.get(store, &place.voter(&identity)).await?;
            voter.and_then(|voter| voter.value.team)
        }
    };
    team.ok_or_else(|| Error::NotFound("This user is in no team".into()))
}

/// Who somebody is in the contest; `None` for one without an identity. The broadcaster of a channel
/// leads its team (`spec 6.3`), whatever the role of the token.
fn who(caller: &Caller, channel: Option<&str>) -> Result<Option<Who>, Error> {
    caller.check_named_channel(channel)?;
    let channel = channel.filter(|channel| !channel.is_empty());
    let channel = channel.or(caller.channel_id.as_deref()).unwrap_or_default();
    let own = !channel.is_empty() && caller.user_id.as_deref() == Some(channel);
    if own || caller.role == Role::Broadcaster {
        return Ok(Some(Who::Leader(channel.to_owned())));
    }
    Ok(match caller.voter_identity() {
        "" => None,
        identity => Some(Who::Member {
            identity: identity.to_owned(),
            channel: channel.to_owned(),
        }),
    })
}

/// The teams, the best first: a thousand of them, and the broadcaster's own.
pub async fn leaderboard(core: &Core, caller: &Caller) -> Result<TriviaLeaderboard, Error> {
    let own = if caller.role.is_trusted() {
        None
    } else {
        Some(caller.broadcaster_channel()?)
    };
    let place = Place::of(caller);
    let board = core
        .trivia
        .contests
        .board(&*core.world.store, &place)
        .await?;
    Ok(board.view(own))
}
