//! What can go wrong with a call.

/// Why a call gave no answer that could be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server refused, and nothing changed.
    #[error("{number} {title}: {detail}")]
    Refused {
        /// The HTTP-like code: what a program looks at (`spec 2.2`).
        number: u16,
        /// A short name of the code.
        title: String,
        /// For people.
        detail: String,
    },
    /// The connection ended after the request was sent and before it was answered: it may have
    /// taken effect or not. Only requests that must not be done twice end so; the others are asked
    /// again by themselves.
    #[error("the connection ended before the answer; the request may have taken effect")]
    Interrupted,
    /// No answer within [`Connect::answer_within`](crate::Connect::answer_within). What had not
    /// been sent by then is not sent any more; what had been may have taken effect.
    #[error("no answer in time")]
    TimedOut,
    /// The pairing is over: the refresh token was refused. The player has to type a PIN again.
    #[error("the game has to be paired again")]
    PairingNeeded,
    /// The game was closed.
    #[error("the game was closed")]
    Closed,
    /// No connection to the server could be made.
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    /// The server's address or the client id cannot be right.
    #[error("{0}")]
    Address(String),
    /// An answer of another shape than this library knows.
    #[error("the answer cannot be read: {0}")]
    Unreadable(String),
    /// The request would be longer than [`REQUEST_BYTES_MAX`](crate::REQUEST_BYTES_MAX), or holds
    /// what is no JSON.
    #[error("the request cannot be sent: {0}")]
    Unsendable(String),
    /// The token could not be stored.
    #[error("the refresh token could not be stored: {0}")]
    TokenStore(String),
}

impl Error {
    /// The code of a refusal.
    pub fn number(&self) -> Option<u16> {
        if let Self::Refused { number, .. } = self {
            Some(*number)
        } else {
            None
        }
    }

    /// Whether the same call may succeed a little later.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Refused {
                number: 429 | 500..=599,
                ..
            } | Self::Interrupted
                | Self::TimedOut
                | Self::Unreachable(_)
        )
    }
}
