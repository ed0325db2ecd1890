//! Voting: those who wait for one poll are counted together.

use std::collections::HashMap;
use std::sync::Arc;

use crowdlink_protocol::VoteStatistics;
use crowdlink_store::{Commit, Expect};

use super::Polls;
use super::ballot::{Ballot, WEIGHT_MAX};
use super::head::Head;
use super::log;
use super::manage::Change;
use super::news::PollEvent;
use super::place::PollPlace;
use super::records::{Loaded, Rows};
use super::tally::Tally;
use crate::caller::Caller;
use crate::combine::Apply;
use crate::core::Core;
use crate::error::{Error, Refusal};
use crate::runs::Run;
use crate::table::encode;
use crate::world::CONFLICT_TRIES_MAX;

/// The largest value, and with a minus the smallest.
const VALUE_MAX: i64 = 1_000;
/// Most votes of one call.
const COUNT_MAX: i64 = 30;
/// Writes of one commit of votes; the store takes 10,000. A voter with many votes needs many.
const COMMIT_WRITES_MAX: usize = 4_000;

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
    pub(super) opaque: String,
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
    pub numbers: Arc<VoteStatistics>,
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

/// The opaque id of a voter; never empty (`spec 6.3`).
fn opaque_of(caller: &Caller, voter: &str) -> String {
    let known = caller.opaque_user_id.clone();
    known.unwrap_or_else(|| format!("U{voter}"))
}

pub(super) fn mixed_up() -> Error {
    Error::Internal("the answer to another operation".to_owned())
}

/// Applies what waits for one poll.
struct Worker {
    polls: Arc<Polls>,
    place: PollPlace,
}

impl Apply<Operation, Outcome> for Worker {
    async fn apply(&mut self, batch: &[Operation]) -> Vec<Result<Outcome, Error>> {
        let mut outcomes = Vec::with_capacity(batch.len());
        while let Some(rest) = batch.get(outcomes.len()..).filter(|rest| !rest.is_empty()) {
            match rest {
                [Operation::Change(change), ..] => {
                    outcomes.push(self.polls.change(&self.place, change).await);
                }
                [Operation::Settle, ..] => outcomes.push(Ok(Outcome::Done)),
                votes => {
                    let votes = votes.iter().map_while(|operation| match operation {
                        Operation::Ballot(change) => Some(change),
                        Operation::Change(_) | Operation::Settle => None,
                    });
                    let votes: Vec<_> = votes.collect();
                    outcomes.extend(self.polls.count(&self.place, &votes).await);
                }
            }
        }
        outcomes
    }
}

/// A poll while a batch is counted.
struct Draft {
    head: Head,
    rows: Rows,
    own: Tally,
    ballots: HashMap<String, Drafted>,
    now_ms: i64,
    writes: usize,
}

struct Drafted {
    version: Option<u64>,
    before: Ballot,
    now: Ballot,
}

/// The ballots of a batch, counted or refused; where the batch was too large only its beginning.
type Counted = Vec<Result<Option<i64>, Error>>;

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
        self.queue.submit(key, operation, worker).await
    }

    /// Counts ballots, at least the first of them.
    async fn count(
        &self,
        place: &PollPlace,
        batch: &[&BallotChange],
    ) -> Vec<Result<Outcome, Error>> {
        let failed = |error: Error| batch.iter().map(|_| Err(error.clone())).collect();
        for attempt in 1..=CONFLICT_TRIES_MAX {
            match self.try_count(place, batch).await {
                Ok(Some(outcomes)) => return outcomes,
                Ok(None) => {}
                Err(error) => return failed(error),
            }
            if let Err(error) = self.world.pause_before_retry(attempt).await {
                return failed(error);
            }
        }
        failed(mixed_up())
    }

    /// `None` when another node was first.
    async fn try_count(
        &self,
        place: &PollPlace,
        batch: &[&BallotChange],
    ) -> Result<Option<Vec<Result<Outcome, Error>>>, Error> {
        let mut loaded = self.load(place).await?;
        // Whoever opens a poll counts the others first, and nobody adds one meanwhile.
        let mut adding = None;
        if loaded.head.is_none() {
            if let Some(lock) = self.adding(&place.neighbours()) {
                adding = Some(lock.lock().await);
            }
            loaded = self.load(place).await?;
            if loaded.head.is_none() {
                self.check_room(place, false).await?;
            }
        }
        let opening = loaded.head.is_none();
        let mut draft = self.draft(place, &loaded, batch).await?;
        let counted: Counted = draft.apply(batch);
        let changed = draft.ballots.values().any(Drafted::is_changed);
        let mut total = loaded.others.clone();
        total.merge(&draft.own);
        let numbers = Arc::new(total.statistics());
        let outcome = |counted: Result<Option<i64>, Error>| {
            let numbers = Arc::clone(&numbers);
            counted.map(|vote| Outcome::Counted(Voted { numbers, vote }))
        };
        if changed {
            let commit = self.commit_of(place, &loaded, &draft, opening)?;
            let committed = self.world.try_commit(commit).await;
            // Unknown is not undone: who subscribed is told what the store holds.
            let told = committed.inspect_err(|_| self.announce(place, PollEvent::Voted, 0))?;
            let Some(version) = told else {
                return Ok(None);
            };
            self.announce(place, PollEvent::Voted, version);
        }
        drop(adding);
        Ok(Some(counted.into_iter().map(outcome).collect()))
    }

    async fn draft(
        &self,
        place: &PollPlace,
        loaded: &Loaded,
        batch: &[&BallotChange],
    ) -> Result<Draft, Error> {
        let now_ms = self.world.now_ms();
        let mut ballots = HashMap::with_capacity(batch.len());
        let (head, rows) = if let Some(head) = &loaded.head {
            let rows = Rows::new(place, &head.run);
            let key = |change: &&BallotChange| rows.ballot(&change.voter);
            let keys: Vec<String> = batch.iter().map(key).collect();
            let records = self.world.store.get_many(&keys).await?;
            for (change, record) in batch.iter().zip(records) {
                let (version, ballot) = match record {
                    Some(record) => {
                        let ballot = serde_json::from_slice(&record.value)?;
                        (Some(record.version), ballot)
                    }
                    None => (None, Ballot::default()),
                };
                ballots.insert(change.voter.clone(), Drafted::new(version, ballot));
            }
            (head.clone(), rows)
        } else {
            let mut head = Head::new(Run::new(&self.world));
            head.keep(now_ms, self.votes_ms);
            let rows = Rows::new(place, &head.run);
            (head, rows)
        };
        Ok(Draft {
            head,
            rows,
            own: loaded.own.0.clone(),
            ballots,
            now_ms,
            writes: 0,
        })
    }

    fn commit_of(
        &self,
        place: &PollPlace,
        loaded: &Loaded,
        draft: &Draft,
        opening: bool,
    ) -> Result<Commit, Error> {
        let (head, rows) = (&draft.head, &draft.rows);
        let expect = |version: Option<u64>| version.map_or(Expect::Absent, Expect::Version);
        let head_key = place.key();
        let mut commit = Commit::new().check(&head_key, expect(loaded.version));
        let until_ms = draft.now_ms.saturating_add_unsigned(self.votes_ms);
        if opening || loaded.expires_at_ms.is_some_and(|at_ms| at_ms < until_ms) {
            let expires_at_ms = Some(self.head_expiry_ms(head));
            commit = commit.put(head_key, encode(head)?, expires_at_ms);
        }
        if opening {
            commit = self.begin_run(commit, place, head)?;
        }
        let tally_key = rows.tally(self.node);
        commit = commit.check(&tally_key, expect(loaded.own.1)).put(
            tally_key,
            encode(&draft.own)?,
            None,
        );
        for (voter, drafted) in &draft.ballots {
            if !drafted.is_changed() {
                continue;
            }
            let key = rows.ballot(voter);
            commit =
                commit
                    .check(&key, expect(drafted.version))
                    .put(key, encode(&drafted.now)?, None);
            commit = log::moved(commit, rows, voter, drafted.both())?;
        }
        Ok(commit)
    }
}

impl Drafted {
    fn new(version: Option<u64>, ballot: Ballot) -> Self {
        Self {
            version,
            before: ballot.clone(),
            now: ballot,
        }
    }

    fn is_changed(&self) -> bool {
        self.before != self.now
    }

    const fn both(&self) -> (&Ballot, &Ballot) {
        (&self.before, &self.now)
    }
}

impl Draft {
    /// Applies ballots in their order, as many as fit in a commit.
    fn apply(&mut self, batch: &[&BallotChange]) -> Counted {
        let mut counted = Vec::with_capacity(batch.len());
        for change in batch {
            if self.writes > COMMIT_WRITES_MAX {
                break;
            }
            counted.push(self.apply_one(change));
        }
        counted
    }

    fn apply_one(&mut self, change: &BallotChange) -> Result<Option<i64>, Error> {
        let (head, now_ms) = (&self.head, self.now_ms);
        let drafted = self
            .ballots
            .entry(change.voter.clone())
            .or_insert_with(|| Drafted::new(None, Ballot::default()));
        let mut ballot = drafted.now.clone();
        match change.what {
            BallotOperation::Vote {
                value,
                count,
                shares_identity,
            } => {
                if !head.takes_votes(now_ms) {
                    return Err(Refusal::PollClosed.into());
                }
                if head.user_id_voting && !shares_identity {
                    return Err(Refusal::UnacceptableVote.into());
                }
                ballot.cast(head.limits, value, count, now_ms)?;
                self.own.last_vote_ms = self.own.last_vote_ms.max(now_ms);
            }
            BallotOperation::Modify(add) => {
                let modifier = ballot.modifier.checked_add(add);
                let modifier = modifier.filter(|sum| sum.abs() < WEIGHT_MAX);
                ballot.modifier = modifier.ok_or_else(|| {
                    let expected = format!("must leave the weight below {WEIGHT_MAX}");
                    Error::invalid("add", expected)
                })?;
            }
        }
        if ballot.opaque.is_empty() || matches!(change.what, BallotOperation::Vote { .. }) {
            ballot.opaque.clone_from(&change.opaque);
        }
        drafted.now.count_in(&mut self.own, -1);
        ballot.count_in(&mut self.own, 1);
        self.writes += 1 + drafted.now.votes.len() + ballot.votes.len();
        let vote = ballot.vote();
        drafted.now = ballot;
        Ok(vote)
    }
}
