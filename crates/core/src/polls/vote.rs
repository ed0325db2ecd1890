//! Voting, and what waits for a poll.

use std::sync::Arc;

use crowdlink_protocol::VoteNumbers;

use super::Polls;
use super::ballot::usual_opaque;
use super::manage::Change;
use super::place::PollPlace;
use crate::caller::Caller;
use crate::combine::Apply;
use crate::core::Core;
use crate::error::{Error, Refusal};

/// The largest value, and with a minus the smallest.
const VALUE_MAX: i64 = 1_000;
/// Most votes of one call.
const COUNT_MAX: i64 = 30;

/// What waits for a poll.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    /// Changes a voter's ballot.
    Ballot(BallotChange),
    /// Changes the poll.
    Change(Change),
    /// Changes nothing: answered when all before it are.
    Settle,
}

/// A change of one voter's ballot.
#[derive(Clone, Debug)]
pub(super) struct BallotChange {
    pub(super) voter: String,
    /// The opaque id, where it is not the usual one.
    pub(super) opaque: Option<String>,
    pub(super) what: BallotOperation,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum BallotOperation {
    Vote {
        value: i64,
        count: u16,
        shares_identity: bool,
    },
    Modify(i64),
}

/// What became of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    Counted(Voted),
    Done,
    /// Created; how many votes it found.
    Created(Option<i64>),
}

/// A vote that was counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Voted {
    /// The numbers of the poll after the commit that the vote was part of.
    pub numbers: Arc<VoteNumbers>,
    /// The value that the caller voted for last.
    pub vote: Option<i64>,
}

/// Votes (`spec 3.6`). Answers when the vote is durable.
pub async fn vote(
    core: &Core,
    caller: &Caller,
    channel: Option<&str>,
    id: &str,
    (value, count): (i64, i64),
) -> Result<Voted, Error> {
    let place = PollPlace::of(caller, channel, id)?;
    let voter = caller.viewer()?;
    core.take_vote(caller)?;
    if !(-VALUE_MAX..=VALUE_MAX).contains(&value) {
        return Err(Refusal::ValueOutOfBounds.into());
    }
    let wrong = || Error::invalid("count", format!("must be a number from 1 to {COUNT_MAX}"));
    let in_range = Some(count).filter(|count| (1..=COUNT_MAX).contains(count));
    let count = in_range
        .and_then(|count| u16::try_from(count).ok())
        .ok_or_else(wrong)?;
    let change = BallotChange {
        voter: voter.to_owned(),
        opaque: opaque_of(caller, voter),
        what: BallotOperation::Vote {
            value,
            count,
            shares_identity: caller.user_id.is_some(),
        },
    };
    match core.polls.submit(&place, Operation::Ballot(change)).await? {
        Outcome::Counted(voted) => Ok(voted),
        Outcome::Done | Outcome::Created(_) => Err(mixed_up()),
    }
}

/// The opaque id of a voter, where it is not the usual one.
fn opaque_of(caller: &Caller, voter: &str) -> Option<String> {
    let known = caller.opaque_user_id.as_ref();
    known
        .filter(|known| **known != usual_opaque(voter))
        .cloned()
}

pub(super) fn mixed_up() -> Error {
    Error::Internal("the answer to another operation".to_owned())
}

/// Applies what waits for one poll: what changes it alone, votes in a row together. A vote behind a
/// change is counted once that is answered, so that whoever hears of his vote first voted before.
struct Worker {
    polls: Arc<Polls>,
    place: PollPlace,
}

impl Apply<Operation, Outcome> for Worker {
    async fn apply(&mut self, waiting: &[Operation]) -> Vec<Result<Outcome, Error>> {
        match waiting {
            [Operation::Change(change), ..] => vec![self.polls.change(&self.place, change).await],
            [Operation::Settle, ..] => vec![Ok(Outcome::Done)],
            votes => {
                let votes = votes.iter().map_while(|operation| match operation {
                    Operation::Ballot(change) => Some(change),
                    Operation::Change(_) | Operation::Settle => None,
                });
                let votes: Vec<_> = votes.collect();
                self.polls.count(&self.place, &votes).await
            }
        }
    }
}

impl Polls {
    pub(super) async fn submit(
        self: &Arc<Self>,
        place: &PollPlace,
        operation: Operation,
    ) -> Result<Outcome, Error> {
        let worker = || Worker {
            polls: Arc::clone(self),
            place: place.clone(),
        };
        let key = place.key();
        match operation {
            Operation::Ballot(_) => self.queue.submit(key, operation, worker).await,
            // However many vote, who runs the poll finds room.
            Operation::Change(_) | Operation::Settle => {
                self.queue.submit_reserved(key, operation, worker).await
            }
        }
    }
}
