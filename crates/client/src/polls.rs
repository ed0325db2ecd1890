//! Polls (`spec 2.6`).

use std::time::Duration;

use crowdlink_protocol::{PollStatus, PollTopic};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::Error;
use crate::event::Event;
use crate::frame::or_default;
use crate::game::Game;
use crate::link::Repeat;
use crate::queue::Told;
use crate::stream::EventStream;
use crate::topic::Topic;

/// A poll to be created.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Poll {
    poll_id: String,
    prompt: String,
    options: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_data: Option<Value>,
    #[serde(skip_serializing_if = "PollConfig::is_empty")]
    config: PollConfig,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    fresh: bool,
}

impl Poll {
    /// A poll with its id, its question (at most 512 bytes) and its answers (at most 64, of at most
    /// 256 bytes each; `spec 5`).
    pub fn new<O: Into<String>>(
        poll_id: impl Into<String>,
        prompt: impl Into<String>,
        options: impl IntoIterator<Item = O>,
    ) -> Self {
        Self {
            poll_id: poll_id.into(),
            prompt: prompt.into(),
            options: options.into_iter().map(Into::into).collect(),
            user_data: None,
            config: PollConfig::default(),
            fresh: false,
        }
    }

    /// Something of the game's own that reports carry along; at most 4 KiB.
    #[must_use]
    pub fn user_data(mut self, data: Value) -> Self {
        self.user_data = Some(data);
        self
    }

    /// How it runs.
    #[must_use]
    pub fn config(mut self, config: PollConfig) -> Self {
        self.config = config;
        self
    }

    /// Ends so long after it is created, in whole seconds.
    #[must_use]
    pub fn ends_in(mut self, time: Duration) -> Self {
        self.config = self.config.ends_in(time);
        self
    }

    /// Starts so long after it is created, in whole seconds.
    #[must_use]
    pub fn starts_in(mut self, time: Duration) -> Self {
        self.config = self.config.starts_in(time);
        self
    }

    /// Drops votes that an earlier poll of this id left; without this they count
    /// ([`Created::stale_votes`]).
    #[must_use]
    pub fn fresh(mut self) -> Self {
        self.fresh = true;
        self
    }
}

/// How a poll runs; what is not set keeps its value, on a new poll the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PollConfig {
    #[serde(rename = "userIDVoting", skip_serializing_if = "Option::is_none")]
    user_id_voting: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    distinct_options_per_user: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_votes_per_user: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    votes_per_option: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    starts_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    starts_in: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_in: Option<u64>,
}

impl PollConfig {
    /// Nothing set.
    pub fn new() -> Self {
        Self::default()
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Only viewers who share their identity may vote.
    #[must_use]
    pub fn user_id_voting(mut self, only: bool) -> Self {
        self.user_id_voting = Some(only);
        self
    }

    /// So many different options a voter may choose, 1 to 258.
    #[must_use]
    pub fn distinct_options_per_user(mut self, options: u16) -> Self {
        self.distinct_options_per_user = Some(options);
        self
    }

    /// So many votes a voter has, 1 to 1,024. With 1 a new vote replaces the old one.
    #[must_use]
    pub fn total_votes_per_user(mut self, votes: u16) -> Self {
        self.total_votes_per_user = Some(votes);
        self
    }

    /// So many votes of a voter one option takes, 1 to 1,024.
    #[must_use]
    pub fn votes_per_option(mut self, votes: u16) -> Self {
        self.votes_per_option = Some(votes);
        self
    }

    /// Takes no votes.
    #[must_use]
    pub fn disabled(mut self, disabled: bool) -> Self {
        self.disabled = Some(disabled);
        self
    }

    /// Starts at this moment, in Unix seconds by the server's clock; 0 for none.
    #[must_use]
    pub fn starts_at_s(mut self, moment: i64) -> Self {
        self.starts_at = Some(moment);
        self
    }

    /// Ends at this moment, in Unix seconds by the server's clock; 0 for none, -1 for now.
    #[must_use]
    pub fn ends_at_s(mut self, moment: i64) -> Self {
        self.ends_at = Some(moment);
        self
    }

    /// Starts so long from now, in whole seconds.
    #[must_use]
    pub fn starts_in(mut self, time: Duration) -> Self {
        self.starts_in = Some(time.as_secs());
        self
    }

    /// Ends so long from now, in whole seconds.
    #[must_use]
    pub fn ends_in(mut self, time: Duration) -> Self {
        self.ends_in = Some(time.as_secs());
        self
    }
}

/// What a poll asks and how far it is.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct PollHead {
    /// Its id.
    pub poll_id: String,
    /// The question; empty where nobody defined it.
    #[serde(default, deserialize_with = "or_default")]
    pub prompt: String,
    /// The answers to choose from.
    #[serde(default, deserialize_with = "or_default")]
    pub options: Vec<String>,
    /// How far it is.
    pub status: PollStatus,
    /// Takes no votes.
    #[serde(default, deserialize_with = "or_default")]
    pub disabled: bool,
    /// What the game put there.
    #[serde(default)]
    pub user_data: Option<Value>,
}

/// A poll and its votes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct PollReport {
    /// The poll.
    pub poll: PollHead,
    /// Votes of each option, in their order; at least one entry.
    #[serde(default, deserialize_with = "or_default")]
    pub results: Vec<i64>,
    /// Mean of the values voted for.
    #[serde(default, deserialize_with = "or_default")]
    pub mean: f64,
    /// Their sum.
    #[serde(default, deserialize_with = "or_default")]
    pub sum: f64,
    /// Votes in all, also of values that are no option.
    #[serde(default, deserialize_with = "or_default")]
    pub count: i64,
}

impl PollReport {
    /// The option with the most votes and its place; the first of equals. `None` without votes.
    pub fn winner(&self) -> Option<(usize, &str)> {
        let voted = self.poll.options.iter().zip(&self.results).enumerate();
        let best = voted.rev().max_by_key(|(_, (_, votes))| **votes);
        best.filter(|(_, (_, votes))| **votes > 0)
            .map(|(place, (option, _))| (place, option.as_str()))
    }
}

/// What came of creating a poll.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Created {
    /// So many votes were there already and count on (`spec 3.6`).
    #[serde(default, deserialize_with = "or_default")]
    pub stale_votes: i64,
}

/// The polls of the channel.
#[derive(Clone, Copy, Debug)]
pub struct Polls<'a>(pub(crate) &'a Game);

impl Polls<'_> {
    /// Creates a poll, or gives one of that id another question; votes that are there stay, unless it
    /// is [`fresh`](Poll::fresh).
    pub async fn create(&self, poll: &Poll) -> Result<Created, Error> {
        self.0.call("create", "poll", poll, Repeat::Never).await
    }

    /// Its report. 404 where there is neither a poll nor a vote.
    pub async fn get(&self, poll_id: &str) -> Result<PollReport, Error> {
        let data = json!({ "poll_id": poll_id });
        self.0.call("get", "poll", &data, Repeat::Always).await
    }

    /// Changes how it runs.
    pub async fn reconfigure(&self, poll_id: &str, config: &PollConfig) -> Result<(), Error> {
        let data = json!({ "poll_id": poll_id, "config": config });
        self.0
            .order("reconfigure", "poll", &data, Repeat::Never)
            .await
    }

    /// Ends it now.
    pub async fn end(&self, poll_id: &str) -> Result<(), Error> {
        let data = json!({ "poll_id": poll_id, "config": PollConfig::new().ends_at_s(-1) });
        self.0
            .order("reconfigure", "poll", &data, Repeat::Always)
            .await
    }

    /// Deletes it with its votes; also where there is none.
    pub async fn delete(&self, poll_id: &str) -> Result<(), Error> {
        let data = json!({ "poll_id": poll_id });
        self.0.order("delete", "poll", &data, Repeat::Always).await
    }

    /// News of one poll, which need not exist yet: when it begins, at most once a second while votes
    /// come in, and when it ends. After a reconnect its report is read anew, and told if it changed.
    pub async fn subscribe(&self, poll_id: &str) -> Result<EventStream<PollReport>, Error> {
        let topic = Topic::Poll(PollTopic::One(poll_id.to_owned()));
        self.0.subscribe(topic, reports).await
    }

    /// News of every poll of the channel.
    pub async fn subscribe_all(&self) -> Result<EventStream<PollReport>, Error> {
        self.0.subscribe(Topic::Poll(PollTopic::All), reports).await
    }
}

fn reports(told: Told) -> Option<PollReport> {
    if let Told::Event(Event::Poll(report)) = told {
        Some(report)
    } else {
        None
    }
}
