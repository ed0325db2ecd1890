//! Tokens that the platform takes from us (`spec 4.5`).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crowdlink_protocol::{ClientId, ascii_json};
use serde_json::json;

use crate::caller::ALL_CHANNELS;
use crate::core::Core;
use crate::error::Error;

/// How long such a token is valid. One is made for each message.
const LIFETIME_S: i64 = 180;

/// A token with which the extension itself may send to a target of a channel through the
/// platform's PubSub; `None` is all channels. Signed with the extension's newest active secret,
/// for its owner.
///
/// # Errors
/// There is no such extension in production, or all its secrets have ended.
pub fn platform_token(
    core: &Core,
    client_id: &ClientId,
    channel: Option<&str>,
    target: &str,
) -> Result<String, Error> {
    let registry = core.registry();
    let extension = registry
        .extensions
        .get(client_id)
        .filter(|extension| !extension.auto_registered)
        .ok_or(Error::ExtensionNotFound)?;
    let now_ms = core.world.now_ms();
    let newest = extension
        .secrets
        .iter()
        .find(|secret| secret.is_current(now_ms))
        .ok_or_else(|| Error::Internal("the extension has no valid secret".to_owned()))?;
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    let payload = json!({
        "exp": now_ms.div_euclid(1_000) + LIFETIME_S,
        "user_id": extension.owner,
        "role": "external",
        "channel_id": channel.unwrap_or(ALL_CHANNELS),
        "pubsub_perms": { "send": [target] },
    });
    let mut token = URL_SAFE_NO_PAD.encode(ascii_json(&header)?);
    token.push('.');
    token.push_str(&URL_SAFE_NO_PAD.encode(ascii_json(&payload)?));
    let signature = newest
        .secret
        .sign(&token)
        .map_err(|error| Error::Internal(error.to_string()))?;
    token.push('.');
    token.push_str(&signature);
    Ok(token)
}
