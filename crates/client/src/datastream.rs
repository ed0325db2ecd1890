//! What viewers send to the game (`spec 2.8`).

use crate::error::Error;
use crate::event::{DatastreamEvent, Event};
use crate::game::Game;
use crate::queue::{Gap, Told};
use crate::stream::EventStream;
use crate::topic::Topic;

impl Game {
    /// What viewers send, in the order it came. Nothing of it is stored anywhere: a [`Gap`] says
    /// where something is missing.
    pub async fn datastream(&self) -> Result<EventStream<Result<DatastreamEvent, Gap>>, Error> {
        self.subscribe(Topic::Datastream, sent).await
    }
}

fn sent(told: Told) -> Option<Result<DatastreamEvent, Gap>> {
    match told {
        Told::Event(Event::Datastream(event)) => Some(Ok(event)),
        Told::Event(_) => None,
        Told::Gap(gap) => Some(Err(gap)),
    }
}
