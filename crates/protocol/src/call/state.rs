//! Shared state, in the spelling of the libraries and in that of the documentation (`spec 2.4`).

use serde_json::value::RawValue;

use super::CallError;
use super::data::{Json, members, required, text};
use crate::envelope::Request;

/// The states that a game can address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StateTopic {
    /// Of the channel.
    Channel,
    /// Of the extension.
    Extension,
}

/// What a game asks of shared state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateCall<'a> {
    /// Read it.
    Get(StateTopic),
    /// Put another in its place.
    Set(StateTopic, Json<'a>),
    /// Patch it.
    Patch(StateTopic, Json<'a>),
    /// Hear of changes.
    Subscribe(StateTopic),
    /// Hear of them no more.
    Unsubscribe(StateTopic),
}

impl<'a> StateCall<'a> {
    /// `None` where there is no such action on this target.
    pub(super) fn parse(request: &Request<'a>) -> Result<Option<Self>, CallError> {
        let [state_id, topic_id, state] = members(request, ["state_id", "topic_id", "state"])?;
        let topic = || match &*request.target {
            "channel" => Ok(StateTopic::Channel),
            "extension" => Ok(StateTopic::Extension),
            _ => named(state_id, "state_id"),
        };
        let documented = request.target != "state";
        Ok(Some(match &*request.action {
            "get" => Self::Get(topic()?),
            "set" => Self::Set(topic()?, required(state, "state")?),
            "patch" if !documented => Self::Patch(topic()?, required(state, "state")?),
            "update" if documented => Self::Patch(topic()?, required(state, "state")?),
            "subscribe" if !documented => Self::Subscribe(named(topic_id, "topic_id")?),
            "unsubscribe" if !documented => Self::Unsubscribe(named(topic_id, "topic_id")?),
            _ => return Ok(None),
        }))
    }
}

fn named(raw: Option<&RawValue>, field: &'static str) -> Result<StateTopic, CallError> {
    match text(raw, field)?.as_deref() {
        Some("channel") => Ok(StateTopic::Channel),
        Some("extension") => Ok(StateTopic::Extension),
        _ => Err(CallError::Field {
            field,
            expected: "must be channel or extension",
        }),
    }
}
