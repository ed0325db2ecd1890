//! Every refusal there is, as one table. Edges turn it into an HTTP answer or a frame.

use std::borrow::Cow;

use crowdlink_store::StoreError;

/// Why a call was refused or failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} ({})", self.reason(), self.info())]
pub enum Error {
    /// No Authorization header, or not two parts.
    HeaderMalformed,
    /// No such client id here.
    ExtensionUnknown,
    /// The same, where `spec 1.5` and `spec 6.1` want a 400.
    ExtensionNotFound,
    /// The token is no good.
    TokenInvalid(TokenFault),
    /// The token is for the other world.
    StageMismatch,
    /// The caller may not.
    Forbidden(Cow<'static, str>),
    /// A field of the request is wrong.
    Invalid {
        /// The field.
        field: Cow<'static, str>,
        /// What it must be.
        expected: Cow<'static, str>,
    },
    /// A document or a patch is wrong: which rule it breaks, in plain words.
    Document(String),
    /// `If-Match` names another version.
    PreconditionFailed,
    /// The body is over its limit.
    TooLarge {
        /// The limit.
        bytes_max: usize,
    },
    /// Neither a known route nor a known thing.
    NotFound(Cow<'static, str>),
    /// The route knows other methods only.
    MethodNotAllowed,
    /// The peer took too long to send its request.
    RequestTimeout,
    /// A PIN that is wrong, used, foreign or expired: nobody is told which.
    PinInvalid,
    /// The same for a check by somebody without a token, who is told with a 401 (`spec 1.3` B).
    CredentialInvalid,
    /// A refresh token that is truly of no use. Never sent for a fault of ours.
    RefreshInvalid,
    /// An access token that a game cannot authenticate with.
    JwtInvalid,
    /// A request that the state of things does not allow. Programs know the sentence.
    Refused(Refusal),
    /// Too often.
    RateLimited {
        /// When it is worth another try.
        retry_after_ms: u64,
    },
    /// A fault on our side. What happened goes to the log, not to the caller.
    Internal(String),
}

/// What is wrong with a token, as `info` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenFault {
    /// Its time is over.
    Expired,
    /// Its time has not come (`iat`, `nbf`).
    NotYetValid,
    /// No accepted key signed it, or its algorithm or key id is not accepted.
    Signature,
    /// It was revoked.
    Revoked,
    /// Its PIN has not been redeemed yet.
    Pending,
    /// No token, too long, or without claims that every token must have.
    Malformed,
    /// Made for another extension.
    OtherExtension,
}

/// What the state of things does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Values to read after nothing (`spec 3.5`).
    MalformedStart,
    /// A vote beyond what statistics count (`spec 3.6`).
    ValueOutOfBounds,
    /// A poll that has not begun, has ended, or is disabled.
    PollClosed,
    /// One vote more than a voter has, or one without the shared identity that the poll wants.
    UnacceptableVote,
    /// A question that takes no votes now (`spec 3.7`).
    QuestionLocked,
    /// No shared user id (`spec 3.8`).
    UserIdNotShared,
    /// Marked for fewer codes.
    NotEligible,
    /// Every code has gone to somebody.
    NoCodesLeft,
    /// Fewer coins than that (`spec 3.9`).
    NotEnoughCoins,
    /// Another price than the buyer saw.
    PriceChanged,
    /// An action of which none is left (`spec 2.13`).
    SoldOut,
    /// An action that is not offered now.
    NotAvailable,
}

impl Refusal {
    const fn status(self) -> u16 {
        match self {
            Self::MalformedStart
            | Self::ValueOutOfBounds
            | Self::PollClosed
            | Self::UnacceptableVote
            | Self::QuestionLocked
            | Self::NotEnoughCoins => 400,
            Self::UserIdNotShared | Self::NotEligible => 403,
            Self::NoCodesLeft | Self::PriceChanged | Self::SoldOut | Self::NotAvailable => 409,
        }
    }

    const fn reason(self) -> &'static str {
        match self {
            Self::MalformedStart => "Malformed start parameter",
            Self::ValueOutOfBounds => "Value out of bounds",
            Self::PollClosed => "poll is closed",
            Self::UnacceptableVote => "unacceptable vote",
            Self::QuestionLocked => "question is not open for votes",
            Self::UserIdNotShared => "requires a shared user id",
            Self::NotEligible => "not eligible",
            Self::NoCodesLeft => "no codes left",
            Self::NotEnoughCoins => "not enough coins",
            Self::PriceChanged => "price changed",
            Self::SoldOut => "sold out",
            Self::NotAvailable => "not available",
        }
    }

    const fn info(self) -> &'static str {
        match self {
            Self::MalformedStart => "name the `observed` to read after, in ms; 0 for the first",
            Self::ValueOutOfBounds => "values are from -1000 to 1000",
            Self::PollClosed => "it has not begun, has ended or is disabled; nothing was counted",
            Self::UnacceptableVote => {
                "the poll allows this voter no such vote; nothing was counted"
            }
            Self::QuestionLocked => "only an unlocked question takes votes; nothing was counted",
            Self::UserIdNotShared => "ask the viewer to share their identity",
            Self::NotEligible => "mark the user for this prize first",
            Self::NoCodesLeft => "upload more codes",
            Self::PriceChanged => "read the price again; nothing was bought",
            Self::NotEnoughCoins | Self::SoldOut | Self::NotAvailable => "nothing was bought",
        }
    }
}

impl TokenFault {
    /// The word that `info` tells.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::NotYetValid => "not yet valid",
            Self::Signature => "signature",
            Self::Revoked => "revoked",
            Self::Pending => "pending",
            Self::Malformed => "malformed",
            Self::OtherExtension => "made for another extension",
        }
    }
}

impl Error {
    /// A refusal that names a field.
    pub fn invalid(
        field: impl Into<Cow<'static, str>>,
        expected: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::Invalid {
            field: field.into(),
            expected: expected.into(),
        }
    }

    /// The HTTP status, and the number in a frame.
    pub const fn status(&self) -> u16 {
        match self {
            Self::HeaderMalformed
            | Self::ExtensionUnknown
            | Self::TokenInvalid(_)
            | Self::CredentialInvalid => 401,
            Self::StageMismatch | Self::Forbidden(_) => 403,
            Self::ExtensionNotFound
            | Self::Invalid { .. }
            | Self::Document(_)
            | Self::PinInvalid
            | Self::RefreshInvalid
            | Self::JwtInvalid => 400,
            Self::Refused(refusal) => refusal.status(),
            Self::PreconditionFailed => 412,
            Self::TooLarge { .. } => 413,
            Self::NotFound(_) => 404,
            Self::MethodNotAllowed => 405,
            Self::RequestTimeout => 408,
            Self::RateLimited { .. } => 429,
            Self::Internal(_) => 500,
        }
    }

    /// The short name of the status, for frames.
    pub const fn title(&self) -> &'static str {
        match self.status() {
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            408 => "Request Timeout",
            409 => "Conflict",
            412 => "Precondition Failed",
            413 => "Payload Too Large",
            429 => "Too Many Requests",
            500 => "Internal Service Error",
            _ => "Bad Request",
        }
    }

    /// The stable sentence for programs (`spec 1.2`).
    pub fn reason(&self) -> Cow<'static, str> {
        match self {
            Self::HeaderMalformed => "Authorization header is missing or malformed".into(),
            Self::ExtensionUnknown => "Extension is not registered".into(),
            Self::ExtensionNotFound => "No such extension found".into(),
            Self::TokenInvalid(_) => "Authorization token is invalid".into(),
            Self::StageMismatch | Self::Forbidden(_) => {
                "User was unauthorized to access this resource".into()
            }
            Self::Invalid { field, expected } => format!("{field} {expected}").into(),
            Self::Document(fault) => fault.clone().into(),
            Self::PreconditionFailed => "It has changed since it was read".into(),
            Self::TooLarge { bytes_max } => {
                format!("The request body is over {bytes_max} bytes").into()
            }
            Self::NotFound(what) => what.clone(),
            Self::MethodNotAllowed => "Method not allowed".into(),
            Self::RequestTimeout => "The request took too long to arrive".into(),
            Self::PinInvalid | Self::CredentialInvalid => {
                "The provided PIN is invalid or expired".into()
            }
            Self::RefreshInvalid => "Invalid refresh token".into(),
            Self::JwtInvalid => "Invalid token".into(),
            Self::Refused(refusal) => refusal.reason().into(),
            Self::RateLimited { .. } => "Too many requests".into(),
            Self::Internal(_) => {
                "An internal error prevented the server from processing the request".into()
            }
        }
    }

    /// What to do about it.
    pub fn info(&self) -> Cow<'static, str> {
        match self {
            Self::HeaderMalformed => "send `Authorization: <client id> <jwt>`".into(),
            Self::ExtensionUnknown | Self::ExtensionNotFound => {
                "check the client id, or register it with `crowdlink extension add`".into()
            }
            Self::TokenInvalid(fault) => fault.as_str().into(),
            Self::StageMismatch => "Allowed stage mismatch".into(),
            Self::Forbidden(requirement) => requirement.clone(),
            Self::Invalid { field, .. } => format!("correct {field} and send it again").into(),
            Self::Document(_) => "nothing was changed; correct it and send it again".into(),
            Self::PreconditionFailed => "read it again, then decide".into(),
            Self::TooLarge { .. } => "send less".into(),
            Self::NotFound(_) => "check the path and what it names".into(),
            Self::MethodNotAllowed => "the header Allow lists the methods of this path".into(),
            Self::RequestTimeout => "send the request again".into(),
            Self::PinInvalid | Self::CredentialInvalid => "ask for a new PIN".into(),
            Self::RefreshInvalid | Self::JwtInvalid => "pair again with a PIN".into(),
            Self::Refused(refusal) => refusal.info().into(),
            Self::RateLimited { retry_after_ms } => {
                format!("try again in {} s", retry_after_ms.div_ceil(1_000)).into()
            }
            // The edge puts a request id here.
            Self::Internal(_) => Cow::Borrowed(""),
        }
    }

    /// The seconds for `Retry-After`, where there is one.
    pub fn retry_after_s(&self) -> Option<u64> {
        if let Self::RateLimited { retry_after_ms } = self {
            Some(retry_after_ms.div_ceil(1_000).max(1))
        } else {
            None
        }
    }

    /// Whether the fault is ours.
    pub const fn is_ours(&self) -> bool {
        matches!(self, Self::Internal(_))
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(format!(
            "a record or an answer is not as it must be: {error}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_internal_fault_tells_the_caller_nothing_of_its_inside() {
        let error = Error::from(StoreError::Unavailable("disk /dev/sda is full".into()));
        assert_eq!(
            (error.status(), error.title()),
            (500, "Internal Service Error")
        );
        assert!(!format!("{}{}", error.reason(), error.info()).contains("sda"));
    }
}
