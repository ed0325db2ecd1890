//! Codes: each goes to one user, in order, once, and nobody gets more than he may.

use std::collections::BTreeMap;
use std::sync::Arc;

use crowdlink_core::codes::{self, Marks, Upload};
use crowdlink_core::{Core, Error, Refusal};
use crowdlink_protocol::Role;
use futures::future::BoxFuture;
use serde_json::json;

use crate::feature::{Feature, Turn, caller, server};
use crate::history::{Event, History};
use crate::linear::{self, Kind, Model};
use crate::node::Ground;

const CHANNEL: &str = "42";
const USERS: usize = 3;
/// Fewer than users may redeem together.
const CODES: usize = 7;
const LIMIT: u32 = 3;

#[derive(Clone, Debug)]
enum Call {
    Redeem(usize),
    /// The codes that a user holds.
    Held(usize),
}

#[derive(Clone, Debug, PartialEq)]
enum Answer {
    Given(String),
    Held(Vec<String>),
}

fn code(number: usize) -> String {
    format!("code-{number:02}")
}

/// The numbers of the codes of each user; the next is the number of them all.
type State = BTreeMap<usize, Vec<usize>>;

struct Plain;

impl Model for Plain {
    type State = State;
    type Call = Call;
    type Answer = Answer;

    fn kind(&self, event: &Event<Call, Answer>) -> Kind {
        match event.call {
            Call::Held(_) => Kind::Read,
            Call::Redeem(_) if matches!(event.answer, Some(Err(_))) => Kind::Read,
            Call::Redeem(_) => Kind::Write,
        }
    }

    fn apply(&self, state: &State, event: &Event<Call, Answer>) -> Vec<State> {
        let next: usize = state.values().map(Vec::len).sum();
        let holds = |user: &usize| state.get(user).map_or(0, Vec::len);
        let mut after = state.clone();
        let fits = match (&event.call, &event.answer) {
            (Call::Redeem(user), Some(Err(Error::Refused(Refusal::NotEligible)))) => {
                holds(user) >= LIMIT as usize
            }
            (Call::Redeem(_), Some(Err(Error::Refused(Refusal::NoCodesLeft)))) => next >= CODES,
            (Call::Redeem(user), None | Some(Ok(Answer::Given(_)))) => {
                after.entry(*user).or_default().push(next);
                let told = match &event.answer {
                    Some(Ok(Answer::Given(told))) => Some(told),
                    _ => None,
                };
                holds(user) < LIMIT as usize
                    && next < CODES
                    && told.is_none_or(|told| *told == code(next))
            }
            (Call::Held(user), Some(Ok(Answer::Held(told)))) => {
                let held = state.get(user).into_iter().flatten();
                held.map(|number| code(*number)).eq(told.iter().cloned())
            }
            _ => false,
        };
        if fits { vec![after] } else { Vec::new() }
    }
}

async fn call(core: &Core, call: &Call) -> Result<Answer, Error> {
    let (Call::Redeem(user) | Call::Held(user)) = call;
    let user = caller(core, Role::Viewer, CHANNEL, &format!("u{user}")).await;
    match call {
        Call::Redeem(_) => Ok(Answer::Given(codes::redeem(core, &user, 0).await?.code)),
        Call::Held(_) => {
            let held = codes::redeemed(core, &user).await?.redeemed;
            Ok(Answer::Held(held.into_iter().next().unwrap_or_default()))
        }
    }
}

/// One set of codes.
pub struct Prizes(History<Call, Answer>);

impl Prizes {
    pub fn new() -> Self {
        Self(History::new("codes"))
    }

    fn begin(&self, turn: &Turn<'_>, begun: Call) {
        let core = Arc::clone(&turn.core);
        let open = self.0.begin(turn.clerk, turn.node.index, begun.clone());
        turn.spawn(async move { open.end(call(&core, &begun).await) });
    }
}

impl Feature for Prizes {
    fn set_up(&mut self, core: Arc<Core>) -> BoxFuture<'static, Result<(), Error>> {
        Box::pin(async move {
            let server = server(&core, CHANNEL).await;
            let list: Vec<String> = (0..CODES).map(code).collect();
            let body = json!({ "codes": [list], "names": ["prize"] }).to_string();
            let upload = Upload::parse(body.as_bytes())?;
            let permit = codes::begin_upload(&core, &server)?;
            codes::upload(&core, &server, &permit, &upload).await?;
            let marks = Marks::new(&[0], &[LIMIT])?;
            let users: Vec<String> = (0..USERS).map(|user| format!("u{user}")).collect();
            let users: Vec<&str> = users.iter().map(String::as_str).collect();
            codes::mark(&core, &server, &marks, &users).await?;
            Ok(())
        })
    }

    fn act(&mut self, turn: &mut Turn<'_>) {
        let user = turn.dice.below(USERS);
        let call = if turn.dice.chance(700) {
            Call::Redeem(user)
        } else {
            Call::Held(user)
        };
        self.begin(turn, call);
    }

    fn read_all(&mut self, turn: &mut Turn<'_>) {
        for user in 0..USERS {
            self.begin(turn, Call::Held(user));
        }
    }

    fn verify(&self, _: &Ground) -> Result<(), String> {
        linear::check(&Plain, State::new(), &self.0.events())
            .map(drop)
            .map_err(|wrong| format!("{}: {wrong}", self.0.name()))
    }
}
