//! Polls (`spec 2.6`).

use serde_json::{Map, Value};

use super::CallError;
use super::data::{members, text};
use crate::envelope::Request;
use crate::poll::{FieldError, PollConfigChange, PollDefinitionChange};

/// What a game asks of polls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PollCall {
    /// Create one, or create over one of that id.
    Create(Box<PollCreation>),
    /// Read its report.
    Get(String),
    /// Change some of its config.
    Reconfigure(String, PollConfigChange),
    /// Delete it with its votes.
    Delete(String),
    /// Hear of it, or of all of them.
    Subscribe(PollTopic),
    /// Hear of it no more.
    Unsubscribe(PollTopic),
}

/// A poll to be created, in a channel or in those of a match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollCreation {
    /// Its id.
    pub poll_id: String,
    /// What it asks.
    pub definition: PollDefinitionChange,
    /// How.
    pub config: PollConfigChange,
    /// Whether to drop votes that are there already.
    pub fresh: bool,
}

/// A change of some of a poll's config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PollChange {
    pub(super) poll_id: String,
    pub(super) config: PollConfigChange,
}

/// The polls that a game can hear of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PollTopic {
    /// Every poll of the channel (`*`).
    All,
    /// One.
    One(String),
}

impl From<FieldError> for CallError {
    fn from(FieldError { field, expected }: FieldError) -> Self {
        Self::Field { field, expected }
    }
}

impl PollCall {
    /// `None` where there is no such action.
    pub(super) fn parse(request: &Request<'_>) -> Result<Option<Self>, CallError> {
        Ok(Some(match &*request.action {
            "create" => Self::Create(Box::new(PollCreation::of(data(request)?)?)),
            "get" => Self::Get(poll_id(request)?),
            "reconfigure" => {
                let PollChange { poll_id, config } = PollChange::of(request)?;
                Self::Reconfigure(poll_id, config)
            }
            "delete" => Self::Delete(poll_id(request)?),
            "subscribe" => Self::Subscribe(topic(request)?),
            "unsubscribe" => Self::Unsubscribe(topic(request)?),
            _ => return Ok(None),
        }))
    }
}

impl PollCreation {
    /// Reads the fields of a poll.
    pub(super) fn of(mut fields: Map<String, Value>) -> Result<Self, CallError> {
        drop_absent(&mut fields);
        let poll_id = match fields.get("poll_id") {
            Some(Value::String(id)) => Some(&**id),
            None => None,
            Some(_) => {
                return Err(CallError::Field {
                    field: "poll_id",
                    expected: "must be a string",
                });
            }
        };
        let fresh = match fields.get("fresh") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(fresh)) => *fresh,
            Some(Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_)) => {
                return Err(CallError::Field {
                    field: "fresh",
                    expected: "must be true or false",
                });
            }
        };
        Ok(Self {
            poll_id: named(poll_id, "poll_id")?,
            definition: PollDefinitionChange::from_fields(&fields, "user_data")?,
            config: config(&fields)?.unwrap_or_default(),
            fresh,
        })
    }
}

impl PollChange {
    pub(super) fn of(request: &Request<'_>) -> Result<Self, CallError> {
        let mut fields = data(request)?;
        drop_absent(&mut fields);
        let config = config(&fields)?.ok_or(CallError::Field {
            field: "config",
            expected: "is required",
        })?;
        let poll_id = poll_id(request)?;
        Ok(Self { poll_id, config })
    }
}

fn data(request: &Request<'_>) -> Result<Map<String, Value>, CallError> {
    let Some(raw) = request.data else {
        return Ok(Map::new());
    };
    serde_json::from_str(raw.get()).map_err(|_| CallError::Field {
        field: "data",
        expected: "must be an object",
    })
}

/// Shipped clients send `null` and `""` for what they leave out (`spec 2.2`).
fn drop_absent(fields: &mut Map<String, Value>) {
    fields.retain(|_, value| !value.is_null() && value != "");
}

fn config(fields: &Map<String, Value>) -> Result<Option<PollConfigChange>, CallError> {
    match fields.get("config") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(config)) => {
            let mut config = config.clone();
            drop_absent(&mut config);
            Ok(Some(PollConfigChange::from_fields(&config)?))
        }
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            Err(CallError::Field {
                field: "config",
                expected: "must be an object",
            })
        }
    }
}

pub(super) fn poll_id(request: &Request<'_>) -> Result<String, CallError> {
    let [poll_id] = members(request, ["poll_id"])?;
    named(text(poll_id, "poll_id")?.as_deref(), "poll_id")
}

fn topic(request: &Request<'_>) -> Result<PollTopic, CallError> {
    let [topic_id] = members(request, ["topic_id"])?;
    let id = named(text(topic_id, "topic_id")?.as_deref(), "topic_id")?;
    Ok(if id == "*" {
        PollTopic::All
    } else {
        PollTopic::One(id)
    })
}

fn named(id: Option<&str>, field: &'static str) -> Result<String, CallError> {
    id.map(str::to_owned).ok_or(CallError::Field {
        field,
        expected: "is required",
    })
}
