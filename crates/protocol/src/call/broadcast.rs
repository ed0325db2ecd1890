//! Broadcast to viewers, in the form of the libraries and in that of the documentation
//! (`spec 2.7`).

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::CallError;
use super::data::{Json, members, required, text};
use crate::envelope::Request;

/// What a game sends to the viewers of its channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BroadcastCall<'a> {
    /// The event's name.
    pub topic: Cow<'a, str>,
    /// The viewers' `data`: any JSON, in the documented form a text.
    pub data: Json<'a>,
    /// Who alone receives it, by user id.
    pub ids: Option<Vec<String>>,
}

impl<'a> BroadcastCall<'a> {
    pub(super) fn parse(request: &Request<'a>) -> Result<Self, CallError> {
        let [topic, data, message, ids] = members(request, ["topic", "data", "message", "ids"])?;
        let topic = text(topic, "topic")?.ok_or(CallError::Field {
            field: "topic",
            expected: "is required",
        })?;
        let message = text(message, "message")?.and(message);
        Ok(Self {
            topic,
            data: required(data.or(message), "data")?,
            ids: ids.map(texts).transpose()?,
        })
    }
}

fn texts(raw: &RawValue) -> Result<Vec<String>, CallError> {
    serde_json::from_str(raw.get()).map_err(|_| CallError::Field {
        field: "ids",
        expected: "must be a list of strings",
    })
}
