//! What the server tells unasked.

use crowdlink_protocol::{ConfigTopic, StateTopic};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::frame::or_default;
use crate::matches::MatchPollReport;
use crate::matchmaking::Candidate;
use crate::polls::PollReport;
use crate::purchases::Purchase;

/// Everything that a server tells unasked.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// About the pairing itself (`spec 2.3`).
    Authentication(AuthenticationEvent),
    /// Shared state changed (`spec 2.4`).
    State(StateEvent),
    /// Configuration changed (`spec 2.5`).
    Config(ConfigEvent),
    /// News of a poll (`spec 2.6`).
    Poll(PollReport),
    /// A viewer sent something (`spec 2.8`).
    Datastream(DatastreamEvent),
    /// A viewer bought something (`spec 2.9`).
    Purchase(Purchase),
    /// News of a poll in a match (`spec 2.10`).
    MatchPoll(MatchPollReport),
    /// A viewer wants to play (`spec 2.11`).
    Matchmaking(Candidate),
    /// What this library does not know, as it came.
    Unknown {
        /// Its target.
        target: String,
        /// Its data.
        data: Value,
    },
}

/// About the pairing (`spec 2.3`). The library deals with both by itself: what ends a pairing for
/// good is [`Status::PairingNeeded`](crate::Status::PairingNeeded).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
#[non_exhaustive]
pub enum AuthenticationEvent {
    /// The broadcaster, or somebody else who may, revoked the access.
    Revoked,
    /// The access token ends soon.
    Expiring {
        /// When, in Unix ms by the server's clock.
        #[serde(default)]
        expires_at: i64,
    },
}

/// The shared state after a change, whoever made it.
#[derive(Clone, Debug, PartialEq)]
pub struct StateEvent {
    /// Of the channel or of the extension.
    pub topic: StateTopic,
    /// All of it.
    pub state: Value,
}

/// A configuration after a change, whoever made it.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigEvent {
    /// The channel's or the extension's.
    pub topic: ConfigTopic,
    /// All of it.
    pub config: Value,
}

/// What a viewer sent.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct DatastreamEvent {
    /// As the viewer's page sent it: trust nothing in it.
    pub event: Value,
    /// When it came, in Unix seconds by the server's clock.
    #[serde(default, rename = "timestamp", deserialize_with = "or_default")]
    pub timestamp_s: i64,
}

#[derive(Deserialize)]
struct Batch {
    #[serde(default, deserialize_with = "or_default")]
    events: Vec<DatastreamEvent>,
}

#[derive(Deserialize)]
struct StateData {
    state: Value,
}

#[derive(Deserialize)]
struct ConfigData {
    config: Value,
    #[serde(default, deserialize_with = "or_default")]
    config_id: String,
}

impl Event {
    /// Reads the data of an event; several only where one frame holds several.
    pub(crate) fn read(target: &str, data: Option<&RawValue>) -> Vec<Self> {
        let text = data.map_or("{}", RawValue::get);
        if target == "datastream"
            && let Some(batch) = parse::<Batch>(text)
        {
            return batch.events.into_iter().map(Self::Datastream).collect();
        }
        let known = match target {
            "authentication" => parse(text).map(Self::Authentication),
            "channel" => state(StateTopic::Channel, text),
            "extension" => state(StateTopic::Extension, text),
            "config" => parse(text).and_then(Self::config),
            "poll" => parse(text).map(Self::Poll),
            "twitchPurchaseBits" => parse(text).map(Self::Purchase),
            "match_poll" => parse(text).map(Self::MatchPoll),
            "matchmaking" => parse(text).map(Self::Matchmaking),
            _ => None,
        };
        let unknown = || Self::Unknown {
            target: target.to_owned(),
            data: parse(text).unwrap_or_default(),
        };
        vec![known.unwrap_or_else(unknown)]
    }

    fn config(data: ConfigData) -> Option<Self> {
        let topic = match &*data.config_id {
            "channel" => ConfigTopic::Channel,
            "extension" => ConfigTopic::Extension,
            _ => return None,
        };
        let config = data.config;
        Some(Self::Config(ConfigEvent { topic, config }))
    }

    /// What the event is the newest of: a later one with the same key makes it void.
    pub(crate) fn key(&self) -> (&'static str, &str) {
        match self {
            Self::State(event) => ("state", name(event.topic == StateTopic::Channel)),
            Self::Config(event) => ("config", name(event.topic == ConfigTopic::Channel)),
            Self::Poll(report) => ("poll", &report.poll.poll_id),
            Self::MatchPoll(report) => ("match_poll", &report.poll_id),
            Self::Authentication(_) => ("authentication", ""),
            Self::Datastream(_) => ("datastream", ""),
            Self::Purchase(_) => ("purchase", ""),
            Self::Matchmaking(_) => ("matchmaking", ""),
            Self::Unknown { .. } => ("", ""),
        }
    }
}

fn name(channel: bool) -> &'static str {
    if channel { "channel" } else { "extension" }
}

fn parse<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

fn state(topic: StateTopic, text: &str) -> Option<Event> {
    let StateData { state } = parse(text)?;
    Some(Event::State(StateEvent { topic, state }))
}
