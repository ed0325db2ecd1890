//! Polls: what was voted counts once, for the run that it was given in, whoever deletes, creates
//! and ends meanwhile.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crowdlink_core::polls::{self, CreatePoll, PollPlace};
use crowdlink_core::{Core, Error, Refusal};
use crowdlink_protocol::{PollConfigChange, PollDefinitionChange, Role};

use crate::feature::{Feature, STAGE, Turn, broadcaster, caller, client_id};
use crate::history::{Event, History};
use crate::linear::{self, Kind, Model};
use crate::node::Ground;

const CHANNEL: &str = "42";
const POLLS: [&str; 2] = ["p", "q"];
const VOTERS: usize = 4;
/// Values that are voted for: 0 to 2.
const VALUES: usize = 3;
/// A poll is gone so long after its last vote or change.
const POLL_MS: u64 = 7 * 24 * 60 * 60 * 1_000;
/// Votes in all, for one value, and values, of a voter who has more than one.
const MANY: u16 = 3;

pub fn places() -> Vec<PollPlace> {
    let place = |id: &&str| PollPlace {
        stage: STAGE,
        client_id: client_id(),
        channel: Some(CHANNEL.to_owned()),
        id: (*id).to_owned(),
    };
    POLLS.iter().map(place).collect()
}

#[derive(Clone, Debug)]
enum Call {
    Vote {
        voter: usize,
        value: usize,
    },
    Configure(Settings),
    Create {
        fresh: bool,
        many: bool,
    },
    Delete,
    /// How many votes each value has.
    Numbers,
    /// What a voter voted for last.
    Own {
        voter: usize,
    },
}

/// What a change names.
#[derive(Clone, Copy, Debug)]
struct Settings {
    disabled: Option<bool>,
    many: Option<bool>,
    /// It ends now, or does not end any more.
    ends: Option<bool>,
}

#[derive(Clone, Debug, PartialEq)]
enum Answer {
    Voted(Option<i64>),
    Created(Option<i64>),
    Done,
    Numbers([i64; VALUES]),
    Own(Option<i64>),
}

/// A poll that keeps every vote.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Poll {
    many: bool,
    disabled: bool,
    /// The first and the last moment at which it may have ended (ms of the nodes' clocks).
    ended_ms: Option<(i64, i64)>,
    touched_ms: u64,
    /// Value and count, the newest last, by voter.
    votes: BTreeMap<usize, Vec<(usize, u16)>>,
}

impl Poll {
    fn count(&self) -> [i64; VALUES] {
        let mut counts = [0; VALUES];
        for (value, count) in self.votes.values().flatten() {
            counts[*value] += i64::from(*count);
        }
        counts
    }

    fn last(&self, voter: usize) -> Option<i64> {
        let (value, _) = self.votes.get(&voter)?.last()?;
        i64::try_from(*value).ok()
    }

    /// Whether the voter may; then it is counted.
    fn vote(&mut self, voter: usize, value: usize) -> bool {
        let votes = self.votes.entry(voter).or_default();
        if !self.many {
            *votes = vec![(value, 1)];
            return true;
        }
        let total: u16 = votes.iter().map(|(_, count)| count).sum();
        if total >= MANY {
            return false;
        }
        let before = votes.iter().position(|(of, _)| *of == value);
        let count = before.map_or(0, |at| votes.remove(at).1);
        votes.push((value, count + 1));
        true
    }

    /// Takes over what a change names; several polls where it ended at one of two moments.
    fn configure(mut self, change: Settings, at_ms: (i64, i64)) -> Vec<Self> {
        self.disabled = change.disabled.unwrap_or(self.disabled);
        self.many = change.many.unwrap_or(self.many);
        match (change.ends, self.ended_ms) {
            (Some(true), Some((first, _))) if first <= at_ms.1 => {
                // It may have ended before, and then it stays so.
                let mut again = self.clone();
                again.ended_ms = Some(at_ms);
                return vec![self, again];
            }
            (Some(true), _) => self.ended_ms = Some(at_ms),
            (Some(false), _) => self.ended_ms = None,
            (None, _) => {}
        }
        vec![self]
    }
}

type State = Option<Poll>;

struct Polls {
    /// By how much the clocks of the nodes are off.
    offsets_ms: Vec<i64>,
    /// Creations, by when they began, that others voted beside. How many votes those tell they
    /// found is of a moment shortly before: to check every tally with the head would let nobody
    /// create a poll over one that is voted on.
    busy: HashSet<u64>,
}

impl Polls {
    fn of(offsets_ms: &[i64], events: &[Event<Call, Answer>]) -> Self {
        let meets = |one: &Event<Call, Answer>, other: &Event<Call, Answer>| {
            let begins_before = other.end.is_none_or(|end| one.start < end);
            begins_before && one.end.is_none_or(|end| other.start < end)
        };
        let votes = |event: &&Event<Call, Answer>| matches!(event.call, Call::Vote { .. });
        let creations = events
            .iter()
            .filter(|event| matches!(event.call, Call::Create { .. }));
        let busy = creations
            .filter(|created| events.iter().filter(votes).any(|vote| meets(created, vote)))
            .map(|created| created.start.seq);
        Self {
            offsets_ms: offsets_ms.to_vec(),
            busy: busy.collect(),
        }
    }

    /// The first and the last moment that the clock of a call's node may have shown.
    fn clock_ms(&self, event: &Event<Call, Answer>) -> (i64, i64) {
        let ms = |at: u64| i64::try_from(at).unwrap() + self.offsets_ms[event.node];
        (
            ms(event.start.ms),
            event.end.map_or(i64::MAX, |end| ms(end.ms)),
        )
    }

    fn vote(&self, poll: State, event: &Event<Call, Answer>, vote: (usize, usize)) -> Vec<State> {
        let (first_ms, last_ms) = self.clock_ms(event);
        let ended = poll.as_ref().and_then(|poll| poll.ended_ms);
        let may_be_open = ended.is_none_or(|(_, latest)| first_ms < latest + 1);
        let may_be_closed = ended.is_some_and(|(earliest, _)| earliest <= last_ms);
        let disabled = poll.as_ref().is_some_and(|poll| poll.disabled);
        let mut after = poll.clone().unwrap_or_default();
        after.touched_ms = event.start.ms;
        let counts = !disabled && may_be_open && after.vote(vote.0, vote.1);
        match &event.answer {
            Some(Ok(Answer::Voted(last))) if counts && *last == after.last(vote.0) => {
                vec![Some(after)]
            }
            Some(Err(Error::Refused(Refusal::PollClosed))) if disabled || may_be_closed => {
                vec![poll]
            }
            Some(Err(Error::Refused(Refusal::UnacceptableVote))) if !counts && !disabled => {
                vec![poll]
            }
            None if counts => vec![Some(after)],
            _ => Vec::new(),
        }
    }

    fn create(
        &self,
        poll: State,
        event: &Event<Call, Answer>,
        (fresh, many): (bool, bool),
    ) -> Vec<State> {
        let kept = poll.filter(|_| !fresh);
        let before: i64 = kept.as_ref().map_or(0, |poll| poll.count().iter().sum());
        let stale = Some(before).filter(|votes| *votes > 0);
        let after = Poll {
            many,
            touched_ms: event.start.ms,
            votes: kept.map(|poll| poll.votes).unwrap_or_default(),
            ..Poll::default()
        };
        match &event.answer {
            Some(Ok(Answer::Created(votes)))
                if *votes == stale || self.busy.contains(&event.start.seq) =>
            {
                vec![Some(after)]
            }
            None => vec![Some(after)],
            _ => Vec::new(),
        }
    }
}

impl Model for Polls {
    type State = State;
    type Call = Call;
    type Answer = Answer;

    fn kind(&self, event: &Event<Call, Answer>) -> Kind {
        match event.call {
            Call::Numbers | Call::Own { .. } => Kind::Read,
            _ if matches!(event.answer, Some(Err(_))) => Kind::Read,
            _ => Kind::Write,
        }
    }

    fn apply(&self, state: &State, event: &Event<Call, Answer>) -> Vec<State> {
        let now_ms = event.start.ms;
        let live = |poll: &Poll| now_ms.saturating_sub(poll.touched_ms) < POLL_MS;
        let poll = state.clone().filter(live);
        let fits = match (&event.call, &event.answer) {
            (Call::Vote { voter, value }, _) => return self.vote(poll, event, (*voter, *value)),
            (Call::Create { fresh, many }, _) => return self.create(poll, event, (*fresh, *many)),
            (Call::Configure(change), None | Some(Ok(Answer::Done))) => {
                let mut poll = poll.unwrap_or_default();
                poll.touched_ms = now_ms;
                let after = poll.configure(*change, self.clock_ms(event));
                return after.into_iter().map(Some).collect();
            }
            (Call::Delete, None | Some(Ok(Answer::Done))) => return vec![None],
            (Call::Numbers, Some(Ok(Answer::Numbers(numbers)))) => {
                poll.as_ref().map_or([0; VALUES], Poll::count) == *numbers
            }
            (Call::Own { voter }, Some(Ok(Answer::Own(last)))) => {
                poll.as_ref().and_then(|poll| poll.last(*voter)) == *last
            }
            _ => false,
        };
        if fits { vec![poll] } else { Vec::new() }
    }
}

fn config(many: Option<bool>) -> PollConfigChange {
    let number = many.map(|many| if many { MANY } else { 1 });
    PollConfigChange {
        total_votes_per_user: number,
        votes_per_option: number,
        distinct_options_per_user: number,
        ..PollConfigChange::default()
    }
}

async fn call(core: &Core, id: &str, call: &Call) -> Result<Answer, Error> {
    let owner = broadcaster(core, CHANNEL).await;
    match call {
        Call::Vote { voter, value } => {
            let viewer = caller(core, Role::Viewer, CHANNEL, &voter.to_string()).await;
            let value = i64::try_from(*value).unwrap();
            let voted = polls::vote(core, &viewer, None, id, (value, 1)).await?;
            Ok(Answer::Voted(voted.vote))
        }
        Call::Configure(change) => {
            let config = PollConfigChange {
                disabled: change.disabled,
                ends_at_s: change.ends.map(|now| if now { -1 } else { 0 }),
                ..config(change.many)
            };
            let changes = (PollDefinitionChange::default(), config);
            polls::configure(core, &owner, (None, id), changes).await?;
            Ok(Answer::Done)
        }
        Call::Create { fresh, many } => {
            let poll = CreatePoll {
                config: config(Some(*many)),
                fresh: *fresh,
                ..CreatePoll::default()
            };
            let created = polls::create(core, &owner, (None, id), poll).await?;
            Ok(Answer::Created(created))
        }
        Call::Delete => {
            polls::delete(core, &owner, None, id).await?;
            Ok(Answer::Done)
        }
        Call::Numbers => {
            let numbers = polls::votes(core, &owner, None, id).await?.numbers;
            let mut counts = [0; VALUES];
            counts.copy_from_slice(&numbers.specific[..VALUES]);
            if numbers.count != counts.iter().sum::<i64>() {
                return Err(Error::Internal(format!("numbers that differ: {numbers:?}")));
            }
            Ok(Answer::Numbers(counts))
        }
        Call::Own { voter } => {
            let viewer = caller(core, Role::Viewer, CHANNEL, &voter.to_string()).await;
            let voted = polls::votes(core, &viewer, None, id).await?;
            Ok(Answer::Own(voted.vote))
        }
    }
}

/// The polls of the simulation.
pub struct Ballots {
    offsets_ms: Vec<i64>,
    all: Vec<History<Call, Answer>>,
}

impl Ballots {
    pub fn new(offsets_ms: Vec<i64>) -> Self {
        let all = POLLS.iter().map(|id| History::new(format!("poll {id}")));
        Self {
            offsets_ms,
            all: all.collect(),
        }
    }

    fn begin(&self, turn: &Turn<'_>, which: usize, begun: Call) {
        let core = Arc::clone(&turn.core);
        let open = self.all[which].begin(turn.clerk, turn.node.index, begun.clone());
        turn.spawn(async move { open.end(call(&core, POLLS[which], &begun).await) });
    }
}

fn draw(turn: &mut Turn<'_>) -> Call {
    let voter = turn.dice.below(VOTERS);
    let value = turn.dice.below(VALUES);
    let maybe = |turn: &mut Turn<'_>| {
        let some = turn.dice.chance(400);
        some.then(|| turn.dice.chance(400))
    };
    match turn.dice.below(20) {
        0..=10 => Call::Vote { voter, value },
        11 | 12 => Call::Configure(Settings {
            disabled: maybe(turn),
            many: maybe(turn),
            ends: maybe(turn),
        }),
        13 | 14 => Call::Create {
            fresh: turn.dice.chance(500),
            many: turn.dice.chance(500),
        },
        15 => Call::Delete,
        16..=18 => Call::Numbers,
        _ => Call::Own { voter },
    }
}

impl Feature for Ballots {
    fn act(&mut self, turn: &mut Turn<'_>) {
        let which = turn.dice.below(POLLS.len());
        let call = draw(turn);
        self.begin(turn, which, call);
    }

    fn read_all(&mut self, turn: &mut Turn<'_>) {
        for which in 0..POLLS.len() {
            self.begin(turn, which, Call::Numbers);
            for voter in 0..VOTERS {
                self.begin(turn, which, Call::Own { voter });
            }
        }
    }

    fn verify(&self, _: &Ground) -> Result<(), String> {
        for history in &self.all {
            let events = history.events();
            linear::check(&Polls::of(&self.offsets_ms, &events), None, &events)
                .map_err(|wrong| format!("{}: {wrong}", history.name()))?;
        }
        Ok(())
    }
}
