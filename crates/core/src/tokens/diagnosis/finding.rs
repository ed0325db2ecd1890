//! What can be wrong with a token or its header, as one table with a sentence for each.

use std::fmt;

use crowdlink_protocol::{Role, Stage};

use crate::caller::ID_BYTES_MAX;

/// One reason why a call is refused. Displayed as a sentence that holds no secret and no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// Nothing was given.
    #[error("there is nothing here: give a token, a header or a curl line")]
    Empty,
    /// Quotes around the header or its parts.
    #[error("quotes were pasted along; leave them away")]
    Quotes,
    /// A line break within.
    #[error("a line break was pasted along; the header must be one line")]
    LineBreak,
    /// No space between client id and token.
    #[error("there is no space between the client id and the token")]
    MissingSpace,
    /// A header of one part.
    #[error("the header has one part; it must be `<client id> <jwt>`")]
    OnePart,
    /// More than one space between the parts, or one at an end.
    #[error("there is a space too many; one space stands between the client id and the token")]
    ExtraSpace,
    /// A tab or an exotic space.
    #[error("there is a tab or an unusual space in the header; use one plain space")]
    OddSpace,
    /// More than two parts.
    #[error("the header has {0} parts; it must be `<client id> <jwt>`")]
    ManyParts(usize),
    /// `Bearer <client id> <jwt>`.
    #[error("the header has both Bearer and a client id; leave Bearer away")]
    BearerAndClientId,
    /// `Bearer` with a token that names no extension.
    #[error(
        "Bearer needs a token that names its extension (`app_id`), and this one does not; \
         send `<client id> <jwt>`"
    )]
    BearerWithoutAppId,
    /// The first part can be no client id.
    #[error("the client id {0}")]
    ClientId(String),
    /// Nobody registered this client id.
    #[error("extension {} is not registered here", Shown(.0))]
    ExtensionUnknown(String),
    /// Registered by a development server, so in the sandbox alone.
    #[error(
        "the extension was registered by the development server, in the sandbox only; \
         register it with `crowdlink extension add`"
    )]
    ExtensionSandboxOnly,
    /// A refresh token, by its looks.
    #[error(
        "this looks like a refresh token; a game sends it in `authenticate`, and it is no \
         JWT for a header"
    )]
    RefreshToken,
    /// Not three parts.
    #[error("this is no JWT: it has {0} of three parts")]
    Dots(usize),
    /// Longer than is read.
    #[error("the token is {bytes} bytes long; at most {bytes_max} are read")]
    TooLong {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        bytes_max: usize,
    },
    /// A part in the plain base64 alphabet, or padded.
    #[error("the {0} is in the wrong base64 alphabet; a JWT uses base64url without padding")]
    Alphabet(&'static str),
    /// A part that is no base64.
    #[error("the {0} is not base64url")]
    NotBase64(&'static str),
    /// A part that holds no JSON object.
    #[error("the {0} is not a JSON object")]
    NotJson(&'static str),
    /// A key that is there twice.
    #[error("{} is there twice", Shown(.0))]
    Duplicate(String),
    /// An algorithm that is not accepted.
    #[error("its algorithm is {}; only HS256 is accepted", Shown(.0))]
    Algorithm(String),
    /// No algorithm.
    #[error("it names no algorithm; only HS256 is accepted")]
    AlgorithmMissing,
    /// A header field that changes how the token is read.
    #[error("the header field {0} is not accepted")]
    HeaderField(&'static str),
    /// A key id that is no string.
    #[error("the key id (`kid`) is not a string")]
    KidType,
    /// A key id that is not in the ring.
    #[error(
        "the key {} it names is not in this deployment's key ring; another deployment \
         minted it, or the field kid does not belong there",
        Shown(.0)
    )]
    KidUnknown(String),
    /// Signed by a key of the ring that is retired.
    #[error("the key {} that signed it is retired", Shown(.0))]
    KidRetired(String),
    /// Signed by a key of the ring but does not name it.
    #[error("key {0} of the key ring signed it, but its header does not say so")]
    KidMissing(String),
    /// Names a key, but was signed with the extension's secret of this id.
    #[error("secret {0} of the extension signed it, but its header names a key; leave kid away")]
    KidNeedless(String),
    /// Signed with a retired secret of the extension.
    #[error("secret {0}, which signed it, is retired")]
    SecretRetired(String),
    /// Signed with the base64 text of a secret.
    #[error("it was signed with the base64 text of secret {0}; decode the secret before use")]
    SecretAsText(String),
    /// Signed with a secret of another extension.
    #[error("it was signed with a secret of another extension, {}", Shown(.0))]
    SecretOfOther(String),
    /// No key that is known here made the signature.
    #[error(
        "no key known here made the signature: another secret, another deployment, or the \
         token was changed after it was signed"
    )]
    SignerUnknown,
    /// No `exp`.
    #[error("exp is missing; every token needs one")]
    ExpMissing,
    /// A time in ms.
    #[error("{0} is in milliseconds; it must be seconds")]
    Milliseconds(&'static str),
    /// A claim of a wrong type.
    #[error("{0} must be {1}")]
    ClaimType(&'static str, &'static str),
    /// An id that is too long or has control characters.
    #[error("{0} must be at most {ID_BYTES_MAX} bytes without control characters")]
    Id(&'static str),
    /// Claims that cannot be read for another reason.
    #[error("the claims cannot be read: {}", Shown(.0))]
    ClaimsUnreadable(String),
    /// Its time is over, since so many ms.
    #[error("expired {} ago", Span(*.0))]
    Expired(u64),
    /// `iat` comes in so many ms.
    #[error("it is issued in the future; your clock is {} fast", Span(*.0))]
    IssuedInFuture(u64),
    /// `nbf` comes in so many ms.
    #[error("it is valid in {} only (nbf); your clock may be fast", Span(*.0))]
    NotBefore(u64),
    /// No such role.
    #[error("{} is not a role", Shown(.0))]
    RoleUnknown(String),
    /// No role.
    #[error("role is missing")]
    RoleMissing,
    /// A purchase receipt.
    #[error("this is a purchase receipt (it has a topic), not a token for calls")]
    Receipt,
    /// A request for an exchange.
    #[error(
        "this is a request for an exchange (it has an identifier); post it to /v1/e/token \
         and use the token that comes back"
    )]
    ExchangeRequest,
    /// No channel, where the role needs one.
    #[error("role {0} needs a channel_id, and not `all`")]
    ChannelMissing(Role),
    /// Nobody's: neither user id.
    #[error("neither user_id nor opaque_user_id is there")]
    UserMissing,
    /// Minted for another extension than the header names.
    #[error("the token is for extension {}, you called as {}", Shown(.named), Shown(.called))]
    OtherExtension {
        /// `app_id`.
        named: String,
        /// The header's client id.
        called: String,
    },
    /// Minted here and names no extension.
    #[error("it was minted here and names no extension (`app_id`)")]
    AppIdMissing,
    /// For the other world.
    #[error("this token is for {token}; you called {called}")]
    Stage {
        /// Its own.
        token: Stage,
        /// The one called.
        called: Stage,
    },
    /// `allowed_stage` is no stage.
    #[error("allowed_stage {} is no stage", Shown(.0))]
    StageUnknown(String),
    /// Revoked: the token, its family or its grant.
    #[error("{0} was revoked")]
    Revoked(&'static str),
    /// Its PIN was not redeemed yet.
    #[error("it is pending: its PIN has not been typed into the extension yet")]
    Pending,
    /// Its PIN was never redeemed.
    #[error("its PIN was not typed into the extension in time; ask for a new PIN and token")]
    GrantGone,
    /// For another channel.
    #[error("the token is for channel {}, you expected {}", Shown(.token), Shown(.expected))]
    Channel {
        /// Its own.
        token: String,
        /// The one expected.
        expected: String,
    },
    /// The call wants another role.
    #[error("the call requires role {wanted}; the token's role is {token}")]
    Role {
        /// Its own.
        token: Role,
        /// What the call wants.
        wanted: &'static str,
    },
    /// Refused by the verifier for what nothing above tells.
    #[error("the server refuses it: {}", Shown(.0))]
    Refused(String),
}

/// Longest text from outside that is repeated, in characters.
const SHOWN_CHARS_MAX: usize = 120;

/// Text from outside, fit for a terminal: cut, and without control characters.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars().take(SHOWN_CHARS_MAX) {
            if c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            {
                write!(f, "{}", c.escape_unicode())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        if self.0.chars().nth(SHOWN_CHARS_MAX).is_some() {
            f.write_str("…")?;
        }
        Ok(())
    }
}

/// A length of time (ms) in its largest whole unit: `3 minutes`.
#[derive(Clone, Copy, Debug)]
pub struct Span(pub u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1_000;
        let (count, unit) = match seconds {
            0..=119 => (seconds, "second"),
            120..=7_199 => (seconds / 60, "minute"),
            7_200..=172_799 => (seconds / 3_600, "hour"),
            _ => (seconds / 86_400, "day"),
        };
        write!(f, "{count} {unit}{}", if count == 1 { "" } else { "s" })
    }
}
