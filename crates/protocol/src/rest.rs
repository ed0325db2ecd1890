//! Shapes of the REST calls of `spec 3.1`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The body of every REST refusal (`spec 1.2`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// A stable sentence for programs.
    pub reason: String,
    /// What to do about it.
    pub info: String,
    /// The HTTP code again: the browser library loses it.
    pub status: u16,
}

/// Answer of `gamelink/pin` and `gamelink/token`: the PIN under both names.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PairingToken {
    /// The PIN.
    pub pin: String,
    /// The PIN.
    pub token: String,
}

/// Answer of `pin` and `unauthed/pin`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pin {
    /// The game's token, pending until the PIN is redeemed.
    pub token: String,
    /// What the broadcaster types into the extension.
    pub pin: String,
}

/// Answer of `pin_token_exists`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct PinExists {
    /// Whether the channel has granted anything by direction B.
    pub exists: bool,
}

/// One token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Token {
    /// The JWT.
    pub token: String,
}

/// Several tokens, in the order asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tokens {
    /// The JWTs.
    pub tokens: Vec<String>,
}

/// Body of `authtoken` (`spec 1.5`). Texts may come as numbers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct AuthtokenBody {
    /// The extension.
    pub app_id: Value,
    /// The extension, by its other name.
    pub extension_id: Value,
    /// The channel.
    pub channel_id: Value,
    /// One user.
    pub user_id: Value,
    /// Several users: a list, or one text with commas.
    pub user_ids: Value,
    /// The role.
    pub role: Value,
    /// Whether a viewer keeps the user id from the extension, as the platform's claim says it.
    pub is_unlinked: Value,
}

/// The ids in a value that may be a text, a number, a list of these, or one text with commas.
/// `None` where it is anything else.
pub fn ids_of(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Null => Some(Vec::new()),
        Value::Number(number) => Some(vec![number.to_string()]),
        Value::String(text) => {
            let ids = text.split(',').map(str::trim).filter(|id| !id.is_empty());
            Some(ids.map(str::to_owned).collect())
        }
        Value::Array(items) => {
            let ids = items.iter().map(|item| match item {
                Value::Number(number) => Some(number.to_string()),
                Value::String(text) => Some(text.trim().to_owned()),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
            });
            let ids: Option<Vec<String>> = ids.collect();
            ids.map(|ids| ids.into_iter().filter(|id| !id.is_empty()).collect())
        }
        Value::Bool(_) | Value::Object(_) => None,
    }
}

/// Answer of `user_info` (`spec 1.6`); absent things are left out. `server_time` comes last so
/// that it can be stamped last.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UserInfo {
    /// The caller's address, its host part zeroed.
    pub ip_address: String,
    /// Whether the caller shares identity.
    pub registered: bool,
    /// A stable pseudonym for the caller in this extension.
    pub visualization_id: String,
    /// The user, where identity is shared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The opaque id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opaque_user_id: Option<String>,
    /// The channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_id: Option<String>,
    /// The role.
    pub role: String,
    /// The extension.
    pub app_id: String,
    /// The stage.
    pub stage: String,
    /// When the token ends (Unix ms).
    pub expires_at: i64,
    /// Unix time in ms at the server.
    pub server_time: i64,
}

/// Answer of `gamelink/grants` (`spec 6.1`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Grants {
    /// The games paired with the channel by direction A.
    pub grants: Vec<Grant>,
}

/// One paired game.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// What to name when it is to end.
    pub id: String,
    /// What the game calls itself; empty if it did not say.
    pub game_id: String,
    /// Unix ms.
    pub paired_at: i64,
    /// Unix ms.
    pub last_seen: i64,
    /// Whether a socket of it is open now.
    pub connected: bool,
}

/// Answer of `user_ids`: a page of the users who share identity.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UserIds {
    /// Where to go on; `"0"` at the end.
    pub next: String,
    /// The page.
    pub results: Vec<UserIdsEntry>,
}

/// One user of [`UserIds`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserIdsEntry {
    /// The user id.
    pub twitch_id: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_come_in_every_shape_that_clients_send() {
        let ids = |value| ids_of(&value).map(|ids| ids.join("|"));
        assert_eq!(ids(json!(null)), Some(String::new()));
        assert_eq!(ids(json!(12)), Some("12".into()));
        assert_eq!(ids(json!("1, 2,,3")), Some("1|2|3".into()));
        assert_eq!(ids(json!(["1", 2])), Some("1|2".into()));
        assert_eq!(ids(json!([{}])), None);
        assert_eq!(ids(json!(true)), None);
    }
}
