//! Rank: each voter has one key, and a ranking counts each voter once.

use std::collections::BTreeMap;
use std::sync::Arc;

use crowdlink_core::{Core, Error, rank};
use crowdlink_protocol::Role;

use crate::feature::{Feature, Turn, broadcaster, caller};
use crate::history::{Event, History};
use crate::linear::{self, Kind, Model};
use crate::node::Ground;

const CHANNEL: &str = "42";
const ID: &str = "r";
const VOTERS: usize = 4;
const KEYS: [&str; 3] = ["a", "b", "c"];
/// A ranking is gone so long after its last answer.
const RANKING_MS: u64 = 24 * 60 * 60 * 1_000;

#[derive(Clone, Debug)]
enum Call {
    Answer { voter: usize, key: &'static str },
    Clear,
    Read,
}

#[derive(Clone, Debug, PartialEq)]
enum Answer {
    /// The key that the voter had before.
    Accepted(Option<String>),
    Done,
    Ranking(Vec<(String, u64)>),
}

/// Who has which key, and when the last answer came.
type State = (BTreeMap<usize, String>, u64);

struct Plain;

impl Model for Plain {
    type State = State;
    type Call = Call;
    type Answer = Answer;

    fn kind(&self, event: &Event<Call, Answer>) -> Kind {
        match event.call {
            Call::Read => Kind::Read,
            Call::Answer { .. } | Call::Clear => Kind::Write,
        }
    }

    fn apply(&self, state: &State, event: &Event<Call, Answer>) -> Vec<State> {
        let (mut voters, mut last_ms) = state.clone();
        if event.start.ms.saturating_sub(last_ms) >= RANKING_MS {
            voters.clear();
        }
        let fits = match (&event.call, &event.answer) {
            (Call::Answer { voter, key }, answer) => {
                last_ms = event.start.ms;
                let before = voters.insert(*voter, (*key).to_owned());
                match answer {
                    None => true,
                    Some(Ok(Answer::Accepted(told))) => *told == before,
                    Some(_) => false,
                }
            }
            (Call::Clear, None | Some(Ok(Answer::Done))) => {
                voters.clear();
                true
            }
            (Call::Read, Some(Ok(Answer::Ranking(told)))) => {
                let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
                for key in voters.values() {
                    *counts.entry(key).or_default() += 1;
                }
                let mut ranking: Vec<_> = counts.into_iter().collect();
                ranking.sort_by_key(|(key, count)| (std::cmp::Reverse(*count), *key));
                ranking
                    .into_iter()
                    .eq(told.iter().map(|(key, count)| (key.as_str(), *count)))
            }
            _ => false,
        };
        if fits {
            vec![(voters, last_ms)]
        } else {
            Vec::new()
        }
    }
}

async fn call(core: &Core, call: &Call) -> Result<Answer, Error> {
    let owner = broadcaster(core, CHANNEL).await;
    match call {
        Call::Answer { voter, key } => {
            let viewer = caller(core, Role::Viewer, CHANNEL, &voter.to_string()).await;
            let accepted = rank::answer(core, &viewer, None, ID, key).await?;
            Ok(Answer::Accepted(accepted.original))
        }
        Call::Clear => {
            rank::clear(core, &owner, None, ID).await?;
            Ok(Answer::Done)
        }
        Call::Read => {
            let ranking = rank::read(core, &owner, None, ID).await?.data;
            let scores = ranking.into_iter().map(|score| (score.key, score.score));
            Ok(Answer::Ranking(scores.collect()))
        }
    }
}

/// The ranking of the simulation.
pub struct Rankings(History<Call, Answer>);

impl Rankings {
    pub fn new() -> Self {
        Self(History::new("ranking"))
    }

    fn begin(&self, turn: &Turn<'_>, begun: Call) {
        let core = Arc::clone(&turn.core);
        let open = self.0.begin(turn.clerk, turn.node.index, begun.clone());
        turn.spawn(async move { open.end(call(&core, &begun).await) });
    }
}

impl Feature for Rankings {
    fn act(&mut self, turn: &mut Turn<'_>) {
        let call = match turn.dice.below(10) {
            0..=5 => Call::Answer {
                voter: turn.dice.below(VOTERS),
                key: turn.dice.pick(&KEYS),
            },
            6 => Call::Clear,
            _ => Call::Read,
        };
        self.begin(turn, call);
    }

    fn read_all(&mut self, turn: &mut Turn<'_>) {
        self.begin(turn, Call::Read);
    }

    fn verify(&self, _: &Ground) -> Result<(), String> {
        linear::check(&Plain, (BTreeMap::new(), 0), &self.0.events())
            .map(drop)
            .map_err(|wrong| format!("{}: {wrong}", self.0.name()))
    }
}
