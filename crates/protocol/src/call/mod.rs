//! The second step: a request becomes a typed call, once; nothing below looks at strings.

mod authenticate;
mod broadcast;
mod config;
mod data;
mod datastream;
mod drops;
mod gateway;
mod matches;
mod matchmaking;
mod poll;
mod purchases;
mod state;

pub use authenticate::{Authenticate, Credential};
pub use broadcast::BroadcastCall;
pub use config::{ConfigCall, ConfigTopic, ReadableConfig};
pub use data::Json;
pub use datastream::DatastreamCall;
pub use drops::DropsCall;
pub use gateway::{ActionStateCall, GatewayCall};
pub use matches::MatchCall;
pub use matchmaking::MatchmakingCall;
pub use poll::{PollCall, PollCreation, PollTopic};
pub use purchases::{PurchaseCall, RefundOf};
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
    /// What viewers send (`spec 2.8`).
    Datastream(DatastreamCall),
    /// Purchases (`spec 2.9`).
    Purchases(PurchaseCall<'a>),
    /// Several channels in one game (`spec 2.10`).
    Match(MatchCall<'a>),
    /// Viewers who want to play (`spec 2.11`).
    Matchmaking(MatchmakingCall<'a>),
    /// Drops (`spec 2.12`).
    Drops(DropsCall<'a>),
    /// Actions and metadata (`spec 2.13`).
    Gateway(GatewayCall<'a>),
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
            (_, "datastream") => DatastreamCall::parse(request)
                .map(Self::Datastream)
                .ok_or_else(|| unknown(request)),
            (
                _,
                "twitchPurchaseBits"
                | "transaction_complete"
                | "transaction_completed"
                | "twitchBitsPurchase"
                | "transaction",
            ) => PurchaseCall::parse(request)?
                .map(Self::Purchases)
                .ok_or_else(|| unknown(request)),
            (_, "match" | "match_poll") => MatchCall::parse(request)?
                .map(Self::Match)
                .ok_or_else(|| unknown(request)),
            (_, "matchmaking") => MatchmakingCall::parse(request)?
                .map(Self::Matchmaking)
                .ok_or_else(|| unknown(request)),
            (_, "drops") => DropsCall::parse(request)?
                .map(Self::Drops)
                .ok_or_else(|| unknown(request)),
            (_, "gatewayActions" | "gatewayActionState" | "gameMetadata") => {
                GatewayCall::parse(request)?
                    .map(Self::Gateway)
                    .ok_or_else(|| unknown(request))
            }
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
