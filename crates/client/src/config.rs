//! Configuration (`spec 2.5`).

use crowdlink_protocol::ConfigTopic;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::error::Error;
use crate::event::{ConfigEvent, Event};
use crate::frame::or_default;
use crate::game::Game;
use crate::link::Repeat;
use crate::patch::Patch;
use crate::queue::Told;
use crate::stream::EventStream;
use crate::topic::{Topic, config_name};

/// The configuration of the channel, which its broadcaster edits, and that of the extension.
#[derive(Clone, Copy, Debug)]
pub struct Config<'a>(pub(crate) &'a Game);

/// Both configurations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Combined<C, E> {
    /// The channel's.
    pub channel: C,
    /// The extension's.
    pub extension: E,
}

#[derive(Serialize)]
struct Change<'a, C> {
    config: &'a C,
}

#[derive(Deserialize)]
struct Answer<T> {
    config: T,
}

#[derive(Deserialize)]
struct Both<C: Default, E: Default> {
    #[serde(default, deserialize_with = "or_default")]
    #[serde(bound(deserialize = "C: Deserialize<'de> + Default"))]
    channel: C,
    #[serde(default, deserialize_with = "or_default")]
    #[serde(bound(deserialize = "E: Deserialize<'de> + Default"))]
    extension: E,
}

impl Config<'_> {
    /// One of them.
    pub async fn get<T: DeserializeOwned>(&self, topic: ConfigTopic) -> Result<T, Error> {
        let data = json!({ "config_id": config_name(topic) });
        let game = self.0;
        let answer: Answer<T> = game.call("get", "config", &data, Repeat::Always).await?;
        Ok(answer.config)
    }

    /// Both at once; one that nobody wrote yet is the default.
    pub async fn combined<C, E>(&self) -> Result<Combined<C, E>, Error>
    where
        C: DeserializeOwned + Default,
        E: DeserializeOwned + Default,
    {
        let data = json!({ "config_id": "combined" });
        let game = self.0;
        let answer: Answer<Both<C, E>> = game.call("get", "config", &data, Repeat::Always).await?;
        let Both { channel, extension } = answer.config;
        Ok(Combined { channel, extension })
    }

    /// Puts another in the place of the channel's.
    pub async fn set<C: Serialize>(&self, config: &C) -> Result<(), Error> {
        let data = Change { config };
        self.0.order("set", "config", &data, Repeat::Never).await
    }

    /// Changes parts of the channel's, all or none; the configuration after it.
    pub async fn patch<T: DeserializeOwned>(&self, patch: &Patch) -> Result<T, Error> {
        let data = Change { config: patch };
        let game = self.0;
        let answer: Answer<T> = game.call("patch", "config", &data, Repeat::Never).await?;
        Ok(answer.config)
    }

    /// A configuration after every change. After a reconnect it is read anew and told.
    pub async fn subscribe(&self, topic: ConfigTopic) -> Result<EventStream<ConfigEvent>, Error> {
        self.0.subscribe(Topic::Config(topic), configs).await
    }
}

fn configs(told: Told) -> Option<ConfigEvent> {
    if let Told::Event(Event::Config(event)) = told {
        Some(event)
    } else {
        None
    }
}
