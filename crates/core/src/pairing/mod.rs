//! Pairing a game with a channel by a PIN, in both directions (`spec 1.3`).

mod grants;
mod in_extension;
mod in_game;
mod pin;

pub use grants::{grants, note_seen, revoke_all, revoke_channel, revoke_one};
pub use in_extension::{create_pin, redeem_pin};
pub use in_game::{
    Checked, GamePin, check, create_game_pin, pin_token_exists, revoke_game_pins, validate_pin,
};
pub(crate) use in_game::{GrantStatus, read_grant};
pub use pin::{PIN_ALPHABET, PIN_CHARS};

use std::fmt;

use crowdlink_protocol::{ClientId, Stage};

use crate::caller::{Caller, Revocable};
use crate::error::Error;

/// A channel of an extension on a stage.
#[derive(Clone, Copy, Debug)]
struct Channel<'a> {
    stage: Stage,
    client_id: &'a ClientId,
    channel_id: &'a str,
}

impl<'a> Channel<'a> {
    /// The channel of a broadcaster; a refusal to anybody else.
    fn of(caller: &'a Caller) -> Result<Self, Error> {
        let channel_id = caller.broadcaster_channel()?;
        Ok(Self {
            stage: caller.stage,
            client_id: caller.client_id(),
            channel_id,
        })
    }
}

/// What a paired game gets (`spec 2.3`).
#[derive(Clone, PartialEq, Eq)]
pub struct Paired {
    /// Access token.
    pub jwt: String,
    /// Refresh token; none where the game came with an access token.
    pub refresh: Option<String>,
    /// The channel, and its broadcaster's user id.
    pub channel_id: String,
    /// What can be revoked.
    pub revocable: Revocable,
    /// When the access token ends (Unix ms).
    pub expires_at_ms: i64,
}

impl fmt::Debug for Paired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paired")
            .field("channel_id", &self.channel_id)
            .finish_non_exhaustive()
    }
}
