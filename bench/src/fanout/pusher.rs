//! The Pusher protocol, as sockudo speaks it: its settings, what a viewer says, and events that are
//! signed one by one.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use aws_lc_rs::hmac;
use md5::{Digest as _, Md5};
use serde_json::{Value, json};

/// What the server knows its application by. It runs on loopback for as long as a measurement.
struct App {
    id: &'static str,
    key: &'static str,
    secret: &'static str,
}

const APP: App = App {
    id: "bench",
    key: "bench-key",
    secret: "bench-secret",
};

/// Where a viewer connects.
pub(super) const VIEWER_PATH: &str = "/app/bench-key?protocol=7&client=bench&version=1";
/// What the server says first.
pub(super) const GREETING: &str = "pusher:connection_established";
/// What a viewer says then.
pub(super) const SUBSCRIBE: &str = r#"{"event":"pusher:subscribe","data":{"channel":"viewers"}}"#;
/// What it hears then.
pub(super) const SUBSCRIBED: &str = "pusher_internal:subscription_succeeded";

/// Everything in memory, no listener but one, and no limit that the load reaches. Zero is no limit.
pub(super) fn settings() -> Value {
    json!({
        "adapter": { "driver": "local" },
        "app_manager": {
            "driver": "memory",
            "array": { "apps": [{
                "id": APP.id,
                "key": APP.key,
                "secret": APP.secret,
                "enabled": true,
                "max_connections": 0,
                "enable_client_messages": false,
                "max_client_events_per_second": 0,
            }] },
        },
        "cache": { "driver": "memory" },
        "queue": { "driver": "none" },
        "rate_limiter": { "enabled": false, "driver": "memory" },
        "metrics": { "enabled": false },
        "max_connections": 0,
        // The load does not answer pings. In seconds.
        "activity_timeout": 3_600,
    })
}

/// A request that publishes an event with this text, signed now: a signature ages.
pub(super) fn event(host: SocketAddr, text: &str) -> Result<Vec<u8>> {
    let body = format!(r#"{{"name":"tick","channel":"viewers","data":"{text}"}}"#);
    let path = events_path(&APP);
    let query = signed_query(&APP, now_s()?, &body);
    let request = format!(
        "POST {path}?{query} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    Ok(request.into_bytes())
}

fn events_path(app: &App) -> String {
    format!("/apps/{}/events", app.id)
}

/// The parameters of a request with this body, in order, and their signature.
fn signed_query(app: &App, timestamp_s: u64, body: &str) -> String {
    let query = format!(
        "auth_key={}&auth_timestamp={timestamp_s}&auth_version=1.0&body_md5={}",
        app.key,
        hex(&Md5::digest(body.as_bytes()))
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, app.secret.as_bytes());
    let signed = format!("POST\n{}\n{query}", events_path(app));
    let signature = hmac::sign(&key, signed.as_bytes());
    format!("{query}&auth_signature={}", hex(signature.as_ref()))
}

/// Seconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "the server compares it with its own clock"
)]
fn now_s() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}

/// Lower-case hexadecimal.
fn hex(bytes: &[u8]) -> String {
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles
        .filter_map(|nibble| char::from_digit(u32::from(nibble), 16))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_signed_as_in_the_example_of_the_protocol() {
        let app = App {
            id: "3",
            key: "278d425bdf160c739803",
            secret: "7ad3773142a6692b25b8",
        };
        let body = r#"{"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"}"#;
        assert_eq!(
            signed_query(&app, 1_353_088_179, body),
            "auth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0\
             &body_md5=ec365a775a4cd0599faeb73354201b6f\
             &auth_signature=da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"
        );
    }

    #[test]
    fn a_viewer_connects_with_the_key_of_the_application() {
        assert!(VIEWER_PATH.starts_with(&format!("/app/{}?", APP.key)));
    }
}
