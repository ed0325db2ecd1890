//! How a game is connected.

/// How a game is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// Authenticated. Right after a reconnect subscriptions may still be on their way.
    Connected,
    /// The connection was lost and is being made again. Nothing needs to be done.
    Reconnecting {
        /// Tries since it last worked, the one under way included.
        tries: u32,
    },
    /// The end: the server refused the refresh token. The player has to type a PIN again.
    PairingNeeded,
    /// The end: the game was closed.
    Closed,
}

impl Status {
    /// Whether it stays so for good.
    pub fn is_final(self) -> bool {
        matches!(self, Self::PairingNeeded | Self::Closed)
    }
}
