//! Configuration (`spec 2.5`).

use super::CallError;
use super::data::{Json, members, required, text};
use crate::envelope::Request;

/// The configurations that a game can hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConfigTopic {
    /// Of the channel.
    Channel,
    /// Of the extension.
    Extension,
}

/// The configurations that a game can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReadableConfig {
    /// One of them.
    One(ConfigTopic),
    /// Both.
    Combined,
}

/// What a game asks of configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigCall<'a> {
    /// Read it.
    Get(ReadableConfig),
    /// Put another in the place of the channel's.
    Set(Json<'a>),
    /// Patch the channel's.
    Patch(Json<'a>),
    /// Hear of changes.
    Subscribe(ConfigTopic),
    /// Hear of them no more.
    Unsubscribe(ConfigTopic),
}

impl<'a> ConfigCall<'a> {
    /// `None` where there is no such action.
    pub(super) fn parse(request: &Request<'a>) -> Result<Option<Self>, CallError> {
        let [config_id, config] = members(request, ["config_id", "config"])?;
        let id = || text(config_id, "config_id");
        Ok(Some(match &*request.action {
            "get" => Self::Get(match id()?.as_deref() {
                Some("combined") => ReadableConfig::Combined,
                other => {
                    ReadableConfig::One(topic(other, "must be channel, extension or combined")?)
                }
            }),
            "set" => {
                writable(id()?.as_deref())?;
                Self::Set(required(config, "config")?)
            }
            "patch" => {
                writable(id()?.as_deref())?;
                Self::Patch(required(config, "config")?)
            }
            "subscribe" => {
                Self::Subscribe(topic(id()?.as_deref(), "must be channel or extension")?)
            }
            "unsubscribe" => {
                Self::Unsubscribe(topic(id()?.as_deref(), "must be channel or extension")?)
            }
            _ => return Ok(None),
        }))
    }
}

fn topic(id: Option<&str>, expected: &'static str) -> Result<ConfigTopic, CallError> {
    match id {
        Some("channel") => Ok(ConfigTopic::Channel),
        Some("extension") => Ok(ConfigTopic::Extension),
        _ => Err(CallError::Field {
            field: "config_id",
            expected,
        }),
    }
}

/// Games write the channel's configuration, whether they name it or not.
fn writable(id: Option<&str>) -> Result<(), CallError> {
    match id {
        None | Some("channel") => Ok(()),
        Some(_) => Err(CallError::Field {
            field: "config_id",
            expected: "must be channel",
        }),
    }
}
