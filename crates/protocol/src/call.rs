//! The second step: a request becomes a typed call, once; nothing below looks at strings.

use std::fmt;

use serde_json::{Map, Value};

use crate::envelope::Request;

/// What a game asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// `authenticate` (`spec 2.3`).
    Authenticate(Authenticate),
    /// `subscribe` target `authentication`.
    SubscribeAuthentication,
    /// `unsubscribe` target `authentication`.
    UnsubscribeAuthentication,
}

/// The data of `authenticate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticate {
    /// What proves who is there.
    pub credential: Credential,
    /// The extension, where the game names it again.
    pub client_id: Option<String>,
    /// What the broadcaster will see the game called; at most [`Authenticate::GAME_ID_BYTES_MAX`].
    pub game_id: Option<String>,
}

impl Authenticate {
    /// Longest `game_id`, in bytes (`spec 2.3`).
    pub const GAME_ID_BYTES_MAX: usize = 256;
}

/// One of the three ways to authenticate. Its debug form tells the way, not the secret.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A PIN that a broadcaster was shown.
    Pin(String),
    /// A refresh token.
    Refresh(String),
    /// An access token.
    Jwt(String),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pin(_) => "Pin(…)",
            Self::Refresh(_) => "Refresh(…)",
            Self::Jwt(_) => "Jwt(…)",
        })
    }
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

impl Call {
    /// Whether an unauthenticated connection may ask for it: the only two requests of `spec 2.3`.
    pub fn is_open(request: &Request<'_>) -> bool {
        matches!(
            (&*request.action, &*request.target),
            ("authenticate", _) | ("subscribe", "authentication")
        )
    }

    /// Types a request.
    pub fn parse(request: &Request<'_>) -> Result<Self, CallError> {
        match (&*request.action, &*request.target) {
            ("authenticate", _) => Authenticate::parse(request).map(Self::Authenticate),
            ("subscribe", "authentication") => Ok(Self::SubscribeAuthentication),
            ("unsubscribe", "authentication") => Ok(Self::UnsubscribeAuthentication),
            (action, target) => Err(CallError::Unknown {
                action: action.chars().take(QUOTED_CHARS_MAX).collect(),
                target: target.chars().take(QUOTED_CHARS_MAX).collect(),
            }),
        }
    }
}

impl Authenticate {
    fn parse(request: &Request<'_>) -> Result<Self, CallError> {
        let mut data = object(request)?;
        let pin = text(&mut data, "pin")?;
        let refresh = text(&mut data, "refresh")?;
        let jwt = text(&mut data, "jwt")?;
        let credential = pin
            .map(Credential::Pin)
            .or_else(|| refresh.map(Credential::Refresh))
            .or_else(|| jwt.map(Credential::Jwt))
            .ok_or(CallError::Field {
                field: "pin",
                expected: "or refresh or jwt is required",
            })?;
        let game_id = text(&mut data, "game_id")?;
        if game_id
            .as_ref()
            .is_some_and(|id| id.len() > Self::GAME_ID_BYTES_MAX)
        {
            return Err(CallError::Field {
                field: "game_id",
                expected: "must be at most 256 bytes",
            });
        }
        Ok(Self {
            credential,
            client_id: text(&mut data, "client_id")?,
            game_id,
        })
    }
}

/// The data of a request as an object; none counts as empty.
fn object(request: &Request<'_>) -> Result<Map<String, Value>, CallError> {
    let Some(raw) = request.data else {
        return Ok(Map::new());
    };
    serde_json::from_str(raw.get()).map_err(|_| CallError::Field {
        field: "data",
        expected: "must be an object",
    })
}

/// A text field; `null` and the empty string count as absent (`spec 2.2`).
fn text(data: &mut Map<String, Value>, field: &'static str) -> Result<Option<String>, CallError> {
    match data.remove(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok((!text.is_empty()).then_some(text)),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            Err(CallError::Field {
                field,
                expected: "must be a string",
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(frame: &str) -> Result<Call, CallError> {
        Call::parse(&Request::parse(frame).unwrap())
    }

    fn authenticate(data: &str) -> Result<Call, CallError> {
        parse(&format!(
            r#"{{"action":"authenticate","params":{{"request_id":1}},"data":{data}}}"#
        ))
    }

    #[test]
    fn null_and_empty_credentials_count_as_absent() {
        let call = authenticate(r#"{"pin":"","refresh":null,"jwt":"x","game_id":null}"#).unwrap();
        let Call::Authenticate(call) = call else {
            panic!("{call:?}")
        };
        assert_eq!(call.credential, Credential::Jwt("x".into()));
        assert_eq!(call.game_id, None);
    }

    #[test]
    fn wrong_data_names_the_field() {
        let long = format!(r#"{{"pin":"A","game_id":"{}"}}"#, "x".repeat(257));
        for (data, name) in [
            ("[]", "data"),
            ("{}", "pin"),
            (r#"{"pin":5}"#, "pin"),
            (&long, "game_id"),
        ] {
            let error = authenticate(data).unwrap_err();
            assert!(
                matches!(error, CallError::Field { field, .. } if field == name),
                "{data}"
            );
        }
    }

    #[test]
    fn the_debug_form_of_a_credential_tells_no_secret() {
        let call = authenticate(r#"{"refresh":"hunter2"}"#).unwrap();
        assert!(!format!("{call:?}").contains("hunter2"));
    }
}
