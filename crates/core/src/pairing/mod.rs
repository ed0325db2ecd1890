//! Pairing a game with a channel by a PIN, in both directions (`spec 1.3`).

mod grants;
mod in_extension;
mod in_game;
mod pin;

pub use grants::{grants, note_seen, revoke_all, revoke_one};
pub use in_extension::{create_pin, redeem_pin};
pub use in_game::{
    Checked, GamePin, check, create_game_pin, pin_token_exists, revoke_game_pins, validate_pin,
};
pub(crate) use in_game::{GrantStatus, read_grant};
pub use pin::{PIN_ALPHABET, PIN_CHARS};

use std::fmt;

use crate::caller::Revocable;

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
