//! Matches and their polls (`spec 2.10`).

use std::borrow::Cow;

use serde_json::Value;
use serde_json::value::RawValue;

use super::CallError;
use super::data::{Json, members, required, required_text};
use super::poll::{PollChange, PollCreation};
use crate::envelope::Request;
use crate::poll::PollConfigChange;

/// What a game asks of a match; the first text is the match's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MatchCall<'a> {
    /// Create it.
    Create(Cow<'a, str>),
    /// Keep it for another while.
    Keepalive(Cow<'a, str>),
    /// Channels join it.
    AddChannels(Cow<'a, str>, Vec<String>),
    /// Channels leave it.
    RemoveChannels(Cow<'a, str>, Vec<String>),
    /// An event for the viewers of all its channels.
    Broadcast {
        /// The match.
        id: Cow<'a, str>,
        /// The event's name.
        topic: Cow<'a, str>,
        /// The viewers' `data`: any JSON.
        data: Json<'a>,
    },
    /// A poll in every channel.
    CreatePoll(Cow<'a, str>, Box<PollCreation>),
    /// Change some of its config.
    ReconfigurePoll(Cow<'a, str>, String, PollConfigChange),
    /// Delete it with its votes.
    DeletePoll(Cow<'a, str>, String),
    /// Hear of its polls.
    SubscribePolls(Cow<'a, str>),
    /// Hear of them no more.
    UnsubscribePolls(Cow<'a, str>),
}

impl<'a> MatchCall<'a> {
    /// `None` where there is no such action.
    pub(super) fn parse(request: &Request<'a>) -> Result<Option<Self>, CallError> {
        if request.target == "match_poll" {
            return Self::parse_poll(request);
        }
        let [id, channels, match_id, topic, data] =
            members(request, ["id", "channel_ids", "match_id", "topic", "data"])?;
        let named = || required_text(id, "id");
        Ok(Some(match &*request.action {
            "create" => Self::Create(named()?),
            "keepalive" => Self::Keepalive(named()?),
            "add_channels" => Self::AddChannels(named()?, ids(channels)?),
            "remove_channels" => Self::RemoveChannels(named()?, ids(channels)?),
            "broadcast" => Self::Broadcast {
                id: required_text(match_id, "match_id")?,
                topic: required_text(topic, "topic")?,
                data: required(data, "data")?,
            },
            _ => return Ok(None),
        }))
    }

    fn parse_poll(request: &Request<'a>) -> Result<Option<Self>, CallError> {
        let [id, topic_id, poll] = members(request, ["id", "topic_id", "poll"])?;
        let named = || required_text(id, "id");
        Ok(Some(match &*request.action {
            "create" => {
                let poll = poll.map(|raw| serde_json::from_str(raw.get()));
                let Some(Ok(Value::Object(fields))) = poll else {
                    return Err(CallError::Field {
                        field: "poll",
                        expected: "must be an object",
                    });
                };
                Self::CreatePoll(named()?, Box::new(PollCreation::of(fields)?))
            }
            "reconfigure" => {
                let PollChange { poll_id, config } = PollChange::of(request)?;
                Self::ReconfigurePoll(named()?, poll_id, config)
            }
            "delete" => Self::DeletePoll(named()?, super::poll::poll_id(request)?),
            "subscribe" => Self::SubscribePolls(required_text(topic_id, "topic_id")?),
            "unsubscribe" => Self::UnsubscribePolls(required_text(topic_id, "topic_id")?),
            _ => return Ok(None),
        }))
    }
}

fn ids(raw: Option<&RawValue>) -> Result<Vec<String>, CallError> {
    let wrong = || CallError::Field {
        field: "channel_ids",
        expected: "must be a list of strings",
    };
    let raw = raw.ok_or_else(wrong)?;
    serde_json::from_str(raw.get()).map_err(|_| wrong())
}
