//! Tokens as others sign them: the platform, developers, attackers.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use super::START_MS;

/// Claims of a platform token that is valid for an hour from the start of the test.
pub fn claims(role: &str, channel: &str) -> Value {
    json!({
        "exp": START_MS / 1_000 + 3_600,
        "opaque_user_id": "U77",
        "channel_id": channel,
        "role": role,
    })
}

/// Signs claims with a base64 secret, as HS256 without a key id.
pub fn sign(claims: &Value, secret: &str) -> String {
    sign_with_header(
        &json!({ "alg": "HS256", "typ": "JWT" }),
        &claims.to_string(),
        secret,
    )
}

/// Signs any payload under any header with HS256, whatever the header says.
pub fn sign_with_header(header: &Value, payload: &str, secret: &str) -> String {
    let header = URL_SAFE_NO_PAD.encode(header.to_string());
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(payload));
    let key = EncodingKey::from_secret(&STANDARD.decode(secret).unwrap());
    let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{signed}.{signature}")
}

/// The payload of a token as browsers read it: with `atob`, which knows only the plain alphabet.
pub fn payload(jwt: &str) -> Value {
    let payload = jwt.split('.').nth(1).unwrap();
    let bytes = STANDARD_NO_PAD.decode(payload);
    serde_json::from_slice(&bytes.unwrap_or_else(|error| panic!("{error}: {payload}"))).unwrap()
}
