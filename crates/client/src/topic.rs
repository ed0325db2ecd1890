//! What a game can hear of, and how it asks for that.

use crowdlink_protocol::{ConfigTopic, PollTopic, StateTopic};
use serde_json::{Value, json};

use crate::error::Error;
use crate::event::Event;
use crate::frame::Ask;
use crate::queue::Keep;

/// What one subscription of the server covers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Topic {
    Authentication,
    State(StateTopic),
    Config(ConfigTopic),
    Poll(PollTopic),
    Datastream,
    /// Of a SKU, or of all (`*`).
    Purchases(String),
    /// Of a match.
    MatchPolls(String),
    Matchmaking,
}

pub(crate) fn state_name(topic: StateTopic) -> &'static str {
    match topic {
        StateTopic::Channel => "channel",
        StateTopic::Extension => "extension",
    }
}

pub(crate) fn config_name(topic: ConfigTopic) -> &'static str {
    match topic {
        ConfigTopic::Channel => "channel",
        ConfigTopic::Extension => "extension",
    }
}

impl Topic {
    /// The request that begins to hear of it.
    pub(crate) fn subscribe(&self) -> Result<Ask, Error> {
        self.ask("subscribe")
    }

    /// The request that ends that.
    pub(crate) fn unsubscribe(&self) -> Result<Ask, Error> {
        self.ask("unsubscribe")
    }

    fn ask(&self, action: &'static str) -> Result<Ask, Error> {
        let (target, data): (_, Value) = match self {
            Self::Authentication => return Ok(Ask::bare(action, "authentication")),
            Self::Datastream => return Ok(Ask::bare(action, "datastream")),
            Self::State(topic) => ("state", json!({ "topic_id": state_name(*topic) })),
            Self::Config(topic) => ("config", json!({ "config_id": config_name(*topic) })),
            Self::Poll(PollTopic::All) => ("poll", json!({ "topic_id": "*" })),
            Self::Poll(PollTopic::One(id)) => ("poll", json!({ "topic_id": id })),
            Self::Purchases(sku) => ("twitchPurchaseBits", json!({ "sku": sku })),
            Self::MatchPolls(id) => ("match_poll", json!({ "topic_id": id })),
            Self::Matchmaking => ("matchmaking", json!({ "operation": "invite" })),
        };
        Ask::new(action, target, &data)
    }

    /// What tells the present of it after a time without a connection, where there is such a thing.
    pub(crate) fn reread(&self) -> Option<Ask> {
        let (target, data) = match self {
            Self::State(topic) => ("state", json!({ "state_id": state_name(*topic) })),
            Self::Config(topic) => ("config", json!({ "config_id": config_name(*topic) })),
            Self::Poll(PollTopic::One(id)) => ("poll", json!({ "poll_id": id })),
            Self::Authentication
            | Self::Poll(PollTopic::All)
            | Self::Datastream
            | Self::Purchases(_)
            | Self::MatchPolls(_)
            | Self::Matchmaking => return None,
        };
        Ask::new("get", target, &data).ok()
    }

    /// The target of events that [`Topic::reread`] stands for.
    pub(crate) fn event_target(&self) -> &'static str {
        match self {
            Self::State(topic) => state_name(*topic),
            Self::Config(_) => "config",
            Self::Poll(_) => "poll",
            Self::Authentication => "authentication",
            Self::Datastream => "datastream",
            Self::Purchases(_) => "twitchPurchaseBits",
            Self::MatchPolls(_) => "match_poll",
            Self::Matchmaking => "matchmaking",
        }
    }

    /// Whether an event is one of these.
    pub(crate) fn hears(&self, event: &Event) -> bool {
        match (self, event) {
            (Self::Authentication, Event::Authentication(_))
            | (Self::Datastream, Event::Datastream(_))
            | (Self::Matchmaking, Event::Matchmaking(_))
            | (Self::Poll(PollTopic::All), Event::Poll(_)) => true,
            (Self::State(topic), Event::State(event)) => *topic == event.topic,
            (Self::Config(topic), Event::Config(event)) => *topic == event.topic,
            (Self::Poll(PollTopic::One(id)), Event::Poll(report)) => *id == report.poll.poll_id,
            (Self::Purchases(sku), Event::Purchase(purchase)) => sku == "*" || *sku == purchase.sku,
            (Self::MatchPolls(id), Event::MatchPoll(report)) => *id == report.match_id,
            _ => false,
        }
    }

    pub(crate) fn keep(&self) -> Keep {
        match self {
            Self::State(_) | Self::Config(_) | Self::Poll(_) | Self::MatchPolls(_) => Keep::Newest,
            Self::Authentication | Self::Datastream | Self::Purchases(_) | Self::Matchmaking => {
                Keep::All
            }
        }
    }
}
