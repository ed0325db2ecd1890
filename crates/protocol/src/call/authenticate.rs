//! `authenticate` (`spec 2.3`).

use std::fmt;

use super::CallError;
use super::data::{members, text};
use crate::envelope::Request;

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

impl Authenticate {
    pub(super) fn parse(request: &Request<'_>) -> Result<Self, CallError> {
        let names = ["pin", "refresh", "jwt", "game_id", "client_id"];
        let [pin, refresh, jwt, game_id, client_id] = members(request, names)?;
        let pin = text(pin, "pin")?;
        let refresh = text(refresh, "refresh")?;
        let jwt = text(jwt, "jwt")?;
        let credential = pin
            .map(|pin| Credential::Pin(pin.into_owned()))
            .or_else(|| refresh.map(|refresh| Credential::Refresh(refresh.into_owned())))
            .or_else(|| jwt.map(|jwt| Credential::Jwt(jwt.into_owned())))
            .ok_or(CallError::Field {
                field: "pin",
                expected: "or refresh or jwt is required",
            })?;
        let game_id = text(game_id, "game_id")?;
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
            client_id: text(client_id, "client_id")?.map(Into::into),
            game_id: game_id.map(Into::into),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Call;

    fn authenticate(data: &str) -> Result<Authenticate, CallError> {
        let frame =
            format!(r#"{{"action":"authenticate","params":{{"request_id":1}},"data":{data}}}"#);
        let call = Call::parse(&Request::parse(&frame).unwrap())?;
        let Call::Authenticate(call) = call else {
            panic!("{call:?}")
        };
        Ok(call)
    }

    #[test]
    fn null_and_empty_credentials_count_as_absent() {
        let call = authenticate(r#"{"pin":"","refresh":null,"jwt":"x","game_id":null}"#).unwrap();
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
