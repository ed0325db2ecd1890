//! The JSON store: a key has the last object that was put there.

use std::sync::Arc;

use crowdlink_core::{Core, Error, json_store};
use serde_json::Value;

use crate::feature::{Feature, Turn, broadcaster};
use crate::history::{Event, History};
use crate::linear::{self, Kind, Model};
use crate::node::Ground;

const CHANNEL: &str = "42";
const ID: &str = "scores";
/// A value is gone so long after it was written.
const VALUE_MS: u64 = 14 * 24 * 60 * 60 * 1_000;

#[derive(Clone, Debug)]
enum Call {
    Write(u64),
    Read,
}

/// What stands there and since when.
type State = Option<(u64, u64)>;
/// What was read; none of a write, or where nothing is.
type Answer = Option<u64>;

struct Plain;

impl Model for Plain {
    type State = State;
    type Call = Call;
    type Answer = Answer;

    fn kind(&self, event: &Event<Call, Answer>) -> Kind {
        match event.call {
            Call::Read => Kind::Read,
            Call::Write(_) => Kind::Write,
        }
    }

    fn apply(&self, state: &State, event: &Event<Call, Answer>) -> Vec<State> {
        let now_ms = event.start.ms;
        let live = state.filter(|(_, at_ms)| now_ms.saturating_sub(*at_ms) < VALUE_MS);
        match (&event.call, &event.answer) {
            (Call::Write(value), None | Some(Ok(None))) => vec![Some((*value, now_ms))],
            (Call::Read, Some(Ok(read))) if *read == live.map(|(value, _)| value) => vec![live],
            (Call::Read, Some(Err(Error::NotFound(_)))) if live.is_none() => vec![live],
            _ => Vec::new(),
        }
    }
}

async fn call(core: &Core, call: &Call) -> Result<Answer, Error> {
    let owner = broadcaster(core, CHANNEL).await;
    match call {
        Call::Write(value) => {
            let json = format!(r#"{{"is":{value}}}"#);
            json_store::write(core, &owner, None, ID, json.as_bytes()).await?;
            Ok(None)
        }
        Call::Read => {
            let json = json_store::read(core, &owner, None, ID).await?;
            let value: Value = serde_json::from_slice(&json).unwrap();
            Ok(value["is"].as_u64())
        }
    }
}

/// A key of the JSON store.
pub struct Values {
    history: History<Call, Answer>,
    written: u64,
}

impl Values {
    pub fn new() -> Self {
        Self {
            history: History::new("json store"),
            written: 0,
        }
    }

    fn begin(&self, turn: &Turn<'_>, begun: Call) {
        let core = Arc::clone(&turn.core);
        let open = self
            .history
            .begin(turn.clerk, turn.node.index, begun.clone());
        turn.spawn(async move { open.end(call(&core, &begun).await) });
    }
}

impl Feature for Values {
    fn act(&mut self, turn: &mut Turn<'_>) {
        let call = if turn.dice.chance(500) {
            self.written += 1;
            Call::Write(self.written)
        } else {
            Call::Read
        };
        self.begin(turn, call);
    }

    fn read_all(&mut self, turn: &mut Turn<'_>) {
        self.begin(turn, Call::Read);
    }

    fn verify(&self, _: &Ground) -> Result<(), String> {
        linear::check(&Plain, None, &self.history.events())
            .map(drop)
            .map_err(|wrong| format!("{}: {wrong}", self.history.name()))
    }
}
