//! Messages to viewers (`spec 2.7`).

use serde::Serialize;

use crate::error::Error;
use crate::game::Game;
use crate::link::Repeat;

#[derive(Serialize)]
struct Broadcast<'a, T> {
    topic: &'a str,
    data: &'a T,
}

#[derive(Serialize)]
struct Message<'a> {
    topic: &'a str,
    message: &'a str,
    ids: &'a [&'a str],
}

impl Game {
    /// Tells every viewer of the channel something, at most 8,192 bytes of JSON.
    pub async fn broadcast<T: Serialize>(&self, topic: &str, data: &T) -> Result<(), Error> {
        let data = Broadcast { topic, data };
        self.order("broadcast", "", &data, Repeat::Never).await
    }

    /// Tells a text to some viewers only, by their user ids.
    pub async fn whisper(&self, topic: &str, text: &str, ids: &[&str]) -> Result<(), Error> {
        if ids.is_empty() {
            // No list would mean everybody.
            return Ok(());
        }
        let data = Message {
            topic,
            message: text,
            ids,
        };
        self.order("broadcast", "", &data, Repeat::Never).await
    }
}
