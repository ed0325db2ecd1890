//! The second step: a request becomes a typed call, once; nothing below looks at strings.

mod authenticate;
mod broadcast;
mod config;
mod data;
mod poll;
mod state;

pub use authenticate::{Authenticate, Credential};
pub use broadcast::BroadcastCall;
pub use config::{ConfigCall, ConfigTopic, ReadableConfig};
pub use data::Json;
pub use poll::{PollCall, PollTopic};
pub use state::{StateCall, StateTopic};

use crate::envelope::Request;

/// What a game asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call<'a> {
    /// `authenticate` (`spec 2.3`).
    Authenticate(Authenticate),
    /// `subscribe` target `authentication`.
    SubscribeAuthentication,
    /// `unsubscribe` target `authentication`.
    UnsubscribeAuthentication,
    /// Shared state, in either spelling (`spec 2.4`).
    State(StateCall<'a>),
    /// Configuration (`spec 2.5`).
    Config(ConfigCall<'a>),
    /// An event for viewers (`spec 2.7`).
    Broadcast(BroadcastCall<'a>),
    /// Polls (`spec 2.6`).
    Poll(PollCall),
}

/// How much of an unknown name a refusal repeats, in characters: a frame of ours must not outgrow
/// a client's buffer (`spec 2.1`) because its request was long.
const QUOTED_CHARS_MAX: usize = 64;

/// Why a request is no call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No such action, or not on this target.
    #[error("unknown action `{action}` on target `{target}`")]
    Unknown {
        /// As asked, its first 64 characters.
        action: String,
        /// As asked, its first 64 characters.
        target: String,
    },
    /// The data is wrong.
    #[error("{field} {expected}")]
    Field {
        /// The field at fault.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
    },
}

impl<'a> Call<'a> {
    /// Whether an unauthenticated connection may ask for it: the only two requests of `spec 2.3`.
    pub fn is_open(request: &Request<'_>) -> bool {
        matches!(
            (&*request.action, &*request.target),
            ("authenticate", _) | ("subscribe", "authentication")
        )
    }

    /// Types a request.
    pub fn parse(request: &Request<'a>) -> Result<Self, CallError> {
        match (&*request.action, &*request.target) {
            ("authenticate", _) => Authenticate::parse(request).map(Self::Authenticate),
            ("subscribe", "authentication") => Ok(Self::SubscribeAuthentication),
            ("unsubscribe", "authentication") => Ok(Self::UnsubscribeAuthentication),
            (_, "state" | "channel" | "extension") => match StateCall::parse(request)? {
                Some(call) => Ok(Self::State(call)),
                None => Err(unknown(request)),
            },
            (_, "config") => match ConfigCall::parse(request)? {
                Some(call) => Ok(Self::Config(call)),
                None => Err(unknown(request)),
            },
            ("broadcast", "") => BroadcastCall::parse(request).map(Self::Broadcast),
            (_, "poll") => match PollCall::parse(request)? {
                Some(call) => Ok(Self::Poll(call)),
                None => Err(unknown(request)),
            },
            _ => Err(unknown(request)),
        }
    }
}

fn unknown(request: &Request<'_>) -> CallError {
    CallError::Unknown {
        action: request.action.chars().take(QUOTED_CHARS_MAX).collect(),
        target: request.target.chars().take(QUOTED_CHARS_MAX).collect(),
    }
}
