//! Viewers who want to play (`spec 2.11`).

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::Error;
use crate::event::Event;
use crate::frame::or_default;
use crate::game::Game;
use crate::link::Repeat;
use crate::queue::{Gap, Told};
use crate::stream::EventStream;
use crate::topic::Topic;

/// A viewer who wants to play.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Candidate {
    /// What the viewer's page said with it: trust nothing in it.
    #[serde(default)]
    pub data: Value,
    /// The viewer's name. Nobody vouches for it.
    #[serde(default, deserialize_with = "or_default")]
    pub twitch_username: String,
    /// The viewer.
    pub twitch_id: String,
    /// Since when, in Unix seconds by the server's clock.
    #[serde(default, rename = "timestamp", deserialize_with = "or_default")]
    pub timestamp_s: i64,
    /// Follows the channel, where the server knows.
    #[serde(default, deserialize_with = "or_default")]
    pub is_follower: bool,
    /// 0 for none.
    #[serde(default, deserialize_with = "or_default")]
    pub subscription_tier: i64,
    /// In this channel.
    #[serde(default, deserialize_with = "or_default")]
    pub bits_spent: i64,
}

/// The viewers who wait to play.
#[derive(Clone, Copy, Debug)]
pub struct Matchmaking<'a>(pub(crate) &'a Game);

impl Matchmaking<'_> {
    /// Viewers as they come.
    pub async fn subscribe(&self) -> Result<EventStream<Result<Candidate, Gap>>, Error> {
        self.0.subscribe(Topic::Matchmaking, candidates).await
    }

    /// Sends everybody away.
    pub async fn clear(&self) -> Result<(), Error> {
        let data = json!({});
        self.0
            .order("clear", "matchmaking", &data, Repeat::Never)
            .await
    }

    /// Takes one viewer out, who plays now or went.
    pub async fn remove(&self, user_id: &str) -> Result<(), Error> {
        let data = json!({ "id": user_id });
        self.0
            .order("remove", "matchmaking", &data, Repeat::Always)
            .await
    }
}

fn candidates(told: Told) -> Option<Result<Candidate, Gap>> {
    match told {
        Told::Event(Event::Matchmaking(candidate)) => Some(Ok(candidate)),
        Told::Event(_) => None,
        Told::Gap(gap) => Some(Err(gap)),
    }
}
