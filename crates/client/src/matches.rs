//! Matches: several channels in one game (`spec 2.10`).

use std::collections::BTreeMap;

use crowdlink_protocol::PollStatus;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::error::Error;
use crate::event::Event;
use crate::frame::or_default;
use crate::game::Game;
use crate::link::Repeat;
use crate::polls::{Poll, PollConfig};
use crate::queue::Told;
use crate::stream::EventStream;
use crate::topic::Topic;

/// Votes of one channel, or of all channels of a match.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct MatchResults {
    /// Votes of the options 0 to 31, in their order.
    #[serde(default, deserialize_with = "or_default")]
    pub results: Vec<i64>,
    /// Deviation of the values voted for.
    #[serde(default, deserialize_with = "or_default")]
    pub stddev: f64,
    /// Their mean.
    #[serde(default, deserialize_with = "or_default")]
    pub mean: f64,
    /// Their sum.
    #[serde(default, deserialize_with = "or_default")]
    pub sum: f64,
    /// Votes in all, also of values that are no option.
    #[serde(default, deserialize_with = "or_default")]
    pub count: i64,
    /// How far the poll is there. A channel's broadcaster may end it in that channel alone.
    pub status: PollStatus,
}

/// News of a poll in a match.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct MatchPollReport {
    /// The match.
    pub match_id: String,
    /// The poll.
    pub poll_id: String,
    /// All channels together. Its status is the poll's: told as expired once.
    pub overall: MatchResults,
    /// Each channel of the match, by its id.
    #[serde(default, deserialize_with = "or_default")]
    pub results: BTreeMap<String, MatchResults>,
}

/// One match. It lives for 15 minutes after its last keepalive, and only the channel that created it
/// may change it (403).
#[derive(Clone, Copy, Debug)]
pub struct Match<'a> {
    pub(crate) game: &'a Game,
    pub(crate) id: &'a str,
}

#[derive(Serialize)]
struct ToMatch<'a, T> {
    match_id: &'a str,
    topic: &'a str,
    data: &'a T,
}

impl Match<'_> {
    /// Creates it, without any channel; also its creator's has to be added.
    pub async fn create(&self) -> Result<(), Error> {
        let data = json!({ "id": self.id });
        self.game
            .order("create", "match", &data, Repeat::Never)
            .await
    }

    /// Keeps it for another 15 minutes.
    pub async fn keepalive(&self) -> Result<(), Error> {
        let data = json!({ "id": self.id });
        self.game
            .order("keepalive", "match", &data, Repeat::Always)
            .await
    }

    /// Adds channels; 64 at most.
    pub async fn add_channels(&self, channel_ids: &[&str]) -> Result<(), Error> {
        let data = json!({ "id": self.id, "channel_ids": channel_ids });
        self.game
            .order("add_channels", "match", &data, Repeat::Always)
            .await
    }

    /// Takes channels out.
    pub async fn remove_channels(&self, channel_ids: &[&str]) -> Result<(), Error> {
        let data = json!({ "id": self.id, "channel_ids": channel_ids });
        self.game
            .order("remove_channels", "match", &data, Repeat::Always)
            .await
    }

    /// Tells the viewers of all its channels something.
    pub async fn broadcast<T: Serialize>(&self, topic: &str, data: &T) -> Result<(), Error> {
        let match_id = self.id;
        let data = ToMatch {
            match_id,
            topic,
            data,
        };
        self.game
            .order("broadcast", "match", &data, Repeat::Never)
            .await
    }

    /// Creates a poll in every channel, or gives one that the match asks another question; its votes
    /// stay, unless it is [`fresh`](Poll::fresh). A channel's own poll of that id is replaced.
    pub async fn create_poll(&self, poll: &Poll) -> Result<(), Error> {
        let data = json!({ "id": self.id, "poll": poll });
        self.game
            .order("create", "match_poll", &data, Repeat::Never)
            .await
    }

    /// Changes how a poll runs, in every channel. 404 where the match asks none of that id.
    pub async fn reconfigure_poll(&self, poll_id: &str, config: &PollConfig) -> Result<(), Error> {
        let data = json!({ "id": self.id, "poll_id": poll_id, "config": config });
        self.game
            .order("reconfigure", "match_poll", &data, Repeat::Never)
            .await
    }

    /// Ends a poll now, in every channel.
    pub async fn end_poll(&self, poll_id: &str) -> Result<(), Error> {
        let config = PollConfig::new().ends_at_s(-1);
        let data = json!({ "id": self.id, "poll_id": poll_id, "config": config });
        self.game
            .order("reconfigure", "match_poll", &data, Repeat::Always)
            .await
    }

    /// Deletes a poll with its votes in every channel; also where there is none.
    pub async fn delete_poll(&self, poll_id: &str) -> Result<(), Error> {
        let data = json!({ "id": self.id, "poll_id": poll_id });
        self.game
            .order("delete", "match_poll", &data, Repeat::Always)
            .await
    }

    /// News of its polls, from the first vote on. What ends while there is no connection is not told
    /// later: there is no reading it (`spec 2.10`).
    pub async fn subscribe_polls(&self) -> Result<EventStream<MatchPollReport>, Error> {
        self.game
            .subscribe(Topic::MatchPolls(self.id.to_owned()), reports)
            .await
    }
}

fn reports(told: Told) -> Option<MatchPollReport> {
    if let Told::Event(Event::MatchPoll(report)) = told {
        Some(report)
    } else {
        None
    }
}
