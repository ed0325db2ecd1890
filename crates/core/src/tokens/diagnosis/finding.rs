//! What can be wrong with a token or its header, as one table with a sentence for each.

use std::fmt;

use crowdlink_protocol::{Role, Stage};

use crate::caller::ID_BYTES_MAX;

/// One reason why a call is refused. Displayed as a sentence that holds no secret and no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Nothing was given.
    Empty,
    /// Quotes around the header or its parts.
    Quotes,
    /// A line break within.
    LineBreak,
    /// No space between client id and token.
    MissingSpace,
    /// A header of one part.
    OnePart,
    /// More than one space between the parts, or one at an end.
    ExtraSpace,
    /// A tab or an exotic space.
    OddSpace,
    /// More than two parts.
    ManyParts(usize),
    /// `Bearer <client id> <jwt>`.
    BearerAndClientId,
    /// `Bearer` with a token that names no extension.
    BearerWithoutAppId,
    /// The first part can be no client id.
    ClientId(String),
    /// Nobody registered this client id.
    ExtensionUnknown(String),
    /// Registered by a development server, so in the sandbox alone.
    ExtensionSandboxOnly,
    /// A refresh token, by its looks.
    RefreshToken,
    /// Not three parts.
    Dots(usize),
    /// Longer than is read.
    TooLong {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        bytes_max: usize,
    },
    /// A part in the plain base64 alphabet, or padded.
    Alphabet(&'static str),
    /// A part that is no base64.
    NotBase64(&'static str),
    /// A part that holds no JSON object.
    NotJson(&'static str),
    /// A key that is there twice.
    Duplicate(String),
    /// No algorithm, or one that is not accepted.
    Algorithm(Option<String>),
    /// A header field that changes how the token is read.
    HeaderField(&'static str),
    /// A key id that is no string.
    KidType,
    /// A key id that is not in the ring.
    KidUnknown(String),
    /// Signed by a key of the ring that is retired.
    KidRetired(String),
    /// Signed by a key of the ring but does not name it.
    KidMissing(String),
    /// Names a key, but was signed with the extension's secret of this id.
    KidNeedless(String),
    /// Signed with a retired secret of the extension.
    SecretRetired(String),
    /// Signed with the base64 text of a secret.
    SecretAsText(String),
    /// Signed with a secret of another extension.
    SecretOfOther(String),
    /// No key that is known here made the signature.
    SignerUnknown,
    /// No `exp`.
    ExpMissing,
    /// A time in ms.
    Milliseconds(&'static str),
    /// A claim of a wrong type.
    ClaimType(&'static str, &'static str),
    /// An id that is too long or has control characters.
    Id(&'static str),
    /// Claims that cannot be read for another reason.
    ClaimsUnreadable(String),
    /// Its time is over, since so many ms.
    Expired(u64),
    /// Its time comes in so many ms.
    NotYetValid(&'static str, u64),
    /// No such role.
    RoleUnknown(String),
    /// No role.
    RoleMissing,
    /// A purchase receipt.
    Receipt,
    /// A request for an exchange.
    ExchangeRequest,
    /// No channel, where the role needs one.
    ChannelMissing(Role),
    /// Nobody's: neither user id.
    UserMissing,
    /// Minted for another extension than the header names.
    OtherExtension {
        /// `app_id`.
        named: String,
        /// The header's client id.
        called: String,
    },
    /// Minted here and names no extension.
    AppIdMissing,
    /// For the other world.
    Stage {
        /// Its own.
        token: Stage,
        /// The one called.
        called: Stage,
    },
    /// `allowed_stage` is no stage.
    StageUnknown(String),
    /// Revoked: the token, its family or its grant.
    Revoked(&'static str),
    /// Its PIN was not redeemed yet.
    Pending,
    /// Its PIN was never redeemed.
    GrantGone,
    /// For another channel.
    Channel {
        /// Its own.
        token: String,
        /// The one expected.
        expected: String,
    },
    /// The call wants another role.
    Role {
        /// Its own.
        token: Role,
        /// What the call wants.
        wanted: &'static str,
    },
    /// Refused by the verifier for what nothing above tells.
    Refused(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fixed() {
            Some(sentence) => f.write_str(sentence),
            None => self.sentence(f),
        }
    }
}

impl Finding {
    /// The sentence, where it is the same for all.
    const fn fixed(&self) -> Option<&'static str> {
        Some(match self {
            Self::Empty => "there is nothing here: give a token, a header or a curl line",
            Self::Quotes => "quotes were pasted along; leave them away",
            Self::LineBreak => "a line break was pasted along; the header must be one line",
            Self::MissingSpace => "there is no space between the client id and the token",
            Self::OnePart => "the header has one part; it must be `<client id> <jwt>`",
            Self::ExtraSpace => {
                "there is a space too many; one space stands between the client id and the token"
            }
            Self::OddSpace => {
                "there is a tab or an unusual space in the header; use one plain space"
            }
            Self::BearerAndClientId => {
                "the header has both Bearer and a client id; leave Bearer away"
            }
            Self::BearerWithoutAppId => {
                "Bearer needs a token that names its extension (`app_id`), and this one does not; \
                 send `<client id> <jwt>`"
            }
            Self::ExtensionSandboxOnly => {
                "the extension was registered by the development server, in the sandbox only; \
                 register it with `crowdlink extension add`"
            }
            Self::RefreshToken => {
                "this looks like a refresh token; a game sends it in `authenticate`, and it is no \
                 JWT for a header"
            }
            Self::KidType => "the key id (`kid`) is not a string",
            Self::SignerUnknown => {
                "no key known here made the signature: another secret, another deployment, or the \
                 token was changed after it was signed"
            }
            Self::ExpMissing => "exp is missing; every token needs one",
            Self::RoleMissing => "role is missing",
            Self::Receipt => "this is a purchase receipt (it has a topic), not a token for calls",
            Self::ExchangeRequest => {
                "this is a request for an exchange (it has an identifier); post it to /v1/e/token \
                 and use the token that comes back"
            }
            Self::UserMissing => "neither user_id nor opaque_user_id is there",
            Self::AppIdMissing => "it was minted here and names no extension (`app_id`)",
            Self::Pending => "it is pending: its PIN has not been typed into the extension yet",
            Self::GrantGone => {
                "its PIN was not typed into the extension in time; ask for a new PIN and token"
            }
            _ => return None,
        })
    }

    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ManyParts(count) => {
                write!(
                    f,
                    "the header has {count} parts; it must be `<client id> <jwt>`"
                )
            }
            Self::ClientId(why) => write!(f, "the client id {why}"),
            Self::ExtensionUnknown(id) => {
                write!(f, "extension {} is not registered here", Shown(id))
            }
            Self::Dots(parts) => write!(f, "this is no JWT: it has {parts} of three parts"),
            Self::TooLong { bytes, bytes_max } => {
                write!(
                    f,
                    "the token is {bytes} bytes long; at most {bytes_max} are read"
                )
            }
            Self::Alphabet(part) => write!(
                f,
                "the {part} is in the wrong base64 alphabet; a JWT uses base64url without padding"
            ),
            Self::NotBase64(part) => write!(f, "the {part} is not base64url"),
            Self::NotJson(part) => write!(f, "the {part} is not a JSON object"),
            Self::Duplicate(key) => write!(f, "{} is there twice", Shown(key)),
            Self::HeaderField(name) => write!(f, "the header field {name} is not accepted"),
            Self::Milliseconds(claim) => {
                write!(f, "{claim} is in milliseconds; it must be seconds")
            }
            Self::ClaimType(claim, expected) => write!(f, "{claim} must be {expected}"),
            Self::ClaimsUnreadable(why) => write!(f, "the claims cannot be read: {}", Shown(why)),
            Self::Id(claim) => write!(
                f,
                "{claim} must be at most {ID_BYTES_MAX} bytes without control characters"
            ),
            Self::RoleUnknown(role) => write!(f, "{} is not a role", Shown(role)),
            Self::ChannelMissing(role) => {
                write!(f, "role {role} needs a channel_id, and not `all`")
            }
            Self::Refused(why) => write!(f, "the server refuses it: {}", Shown(why)),
            _ => self.signature_sentence(f),
        }
    }

    fn signature_sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Algorithm(Some(alg)) => {
                write!(f, "its algorithm is {}; only HS256 is accepted", Shown(alg))
            }
            Self::Algorithm(None) => f.write_str("it names no algorithm; only HS256 is accepted"),
            Self::KidUnknown(kid) => write!(
                f,
                "the key {} it names is not in this deployment's key ring; another deployment \
                 minted it, or the field kid does not belong there",
                Shown(kid)
            ),
            Self::KidRetired(kid) => write!(f, "the key {} that signed it is retired", Shown(kid)),
            Self::KidMissing(kid) => {
                write!(
                    f,
                    "key {kid} of the key ring signed it, but its header does not say so"
                )
            }
            Self::KidNeedless(id) => write!(
                f,
                "secret {id} of the extension signed it, but its header names a key; leave kid away"
            ),
            Self::SecretRetired(id) => write!(f, "secret {id}, which signed it, is retired"),
            Self::SecretAsText(id) => write!(
                f,
                "it was signed with the base64 text of secret {id}; decode the secret before use"
            ),
            Self::SecretOfOther(id) => {
                write!(
                    f,
                    "it was signed with a secret of another extension, {}",
                    Shown(id)
                )
            }
            _ => self.use_sentence(f),
        }
    }

    fn use_sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired(ms) => write!(f, "expired {} ago", Span(*ms)),
            Self::NotYetValid("iat", ms) => {
                write!(
                    f,
                    "it is issued in the future; your clock is {} fast",
                    Span(*ms)
                )
            }
            Self::NotYetValid(_, ms) => {
                write!(
                    f,
                    "it is valid in {} only (nbf); your clock may be fast",
                    Span(*ms)
                )
            }
            Self::OtherExtension { named, called } => write!(
                f,
                "the token is for extension {}, you called as {}",
                Shown(named),
                Shown(called)
            ),
            Self::Stage { token, called } => {
                write!(f, "this token is for {token}; you called {called}")
            }
            Self::StageUnknown(stage) => write!(f, "allowed_stage {} is no stage", Shown(stage)),
            Self::Revoked(what) => write!(f, "{what} was revoked"),
            Self::Channel { token, expected } => write!(
                f,
                "the token is for channel {}, you expected {}",
                Shown(token),
                Shown(expected)
            ),
            Self::Role { token, wanted } => {
                write!(
                    f,
                    "the call requires role {wanted}; the token's role is {token}"
                )
            }
            _ => Ok(()),
        }
    }
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
