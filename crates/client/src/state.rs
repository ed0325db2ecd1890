//! Shared state (`spec 2.4`).

use crowdlink_protocol::StateTopic;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::error::Error;
use crate::event::{Event, StateEvent};
use crate::game::Game;
use crate::link::Repeat;
use crate::patch::Patch;
use crate::queue::Told;
use crate::stream::EventStream;
use crate::topic::{Topic, state_name};

/// One of the two shared states: JSON objects that the game, pages and servers see alike.
#[derive(Clone, Copy, Debug)]
pub struct State<'a> {
    pub(crate) game: &'a Game,
    pub(crate) topic: StateTopic,
}

#[derive(Serialize)]
struct Replace<'a, S> {
    state_id: &'static str,
    state: &'a S,
}

#[derive(Deserialize)]
struct Answer<T> {
    state: T,
}

impl State<'_> {
    /// The state now.
    pub async fn get<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let data = json!({ "state_id": state_name(self.topic) });
        let game = self.game;
        let answer: Answer<T> = game.call("get", "state", &data, Repeat::Always).await?;
        Ok(answer.state)
    }

    /// Puts another in its place, which must be an object. The extension's state takes this only from
    /// the extension's owner (403).
    pub async fn set<S: Serialize>(&self, state: &S) -> Result<(), Error> {
        let state_id = state_name(self.topic);
        let data = Replace { state_id, state };
        self.game.order("set", "state", &data, Repeat::Never).await
    }

    /// Changes parts of it, all or none; the state after it.
    pub async fn patch<T: DeserializeOwned>(&self, patch: &Patch) -> Result<T, Error> {
        let state_id = state_name(self.topic);
        let data = Replace {
            state_id,
            state: patch,
        };
        let game = self.game;
        let answer: Answer<T> = game.call("patch", "state", &data, Repeat::Never).await?;
        Ok(answer.state)
    }

    /// The state after every change from any side; under load some in between are skipped, the last
    /// never. After a reconnect the state is read anew and told.
    pub async fn subscribe(&self) -> Result<EventStream<StateEvent>, Error> {
        self.game.subscribe(Topic::State(self.topic), states).await
    }
}

fn states(told: Told) -> Option<StateEvent> {
    if let Told::Event(Event::State(event)) = told {
        Some(event)
    } else {
        None
    }
}
