//! Frames of the Pusher protocol, version 7, as far as they are used here.

use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use crate::live::Frame;

/// What a client sends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    Ping,
    Pong,
    Subscribe(String),
    Unsubscribe(String),
    /// Another event.
    Unknown,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    event: String,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Named {
    channel: String,
}

impl Incoming {
    /// Reads a frame; `None` where it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let envelope: Envelope<'_> = serde_json::from_str(text).ok()?;
        Some(match envelope.event.as_str() {
            "pusher:ping" => Self::Ping,
            "pusher:pong" => Self::Pong,
            "pusher:subscribe" => Self::Subscribe(channel(envelope.data?)?),
            "pusher:unsubscribe" => Self::Unsubscribe(channel(envelope.data?)?),
            _ => Self::Unknown,
        })
    }
}

/// The channel that data names: an object, or one inside a string.
fn channel(data: &RawValue) -> Option<String> {
    let named: Named = if data.get().starts_with('"') {
        let inner: String = serde_json::from_str(data.get()).ok()?;
        serde_json::from_str(&inner).ok()?
    } else {
        serde_json::from_str(data.get()).ok()?
    };
    Some(named.channel)
}

pub(super) fn established(socket_id: &str, activity_timeout_s: u64) -> Frame {
    let data = json!({ "socket_id": socket_id, "activity_timeout": activity_timeout_s });
    let established = json!({
        "event": "pusher:connection_established",
        // JSON inside a string, here and below.
        "data": data.to_string(),
    });
    Frame::text(&established.to_string())
}

pub(super) fn subscribed(channel: &str) -> Frame {
    let subscribed = json!({
        "event": "pusher_internal:subscription_succeeded", "channel": channel, "data": "{}",
    });
    Frame::text(&subscribed.to_string())
}

pub(super) fn ping() -> Frame {
    Frame::text(r#"{"event":"pusher:ping","data":"{}"}"#)
}

pub(super) fn pong() -> Frame {
    Frame::text(r#"{"event":"pusher:pong","data":"{}"}"#)
}

/// A refusal that leaves the connection as it is, with a code of the protocol where it has one.
pub(super) fn error(code: Option<u16>, message: &str) -> Frame {
    let data = json!({ "code": code, "message": message });
    let error = json!({ "event": "pusher:error", "data": data });
    Frame::text(&error.to_string())
}

#[derive(Serialize)]
struct Event<'a> {
    event: &'a str,
    channel: &'a str,
    data: &'a str,
}

#[derive(Serialize)]
struct Data<'a> {
    message: &'a str,
}

/// All messages of an event as one frame: nothing comes between the parts of one.
pub(super) fn event(target: &str, channel: &str, messages: &[String]) -> serde_json::Result<Frame> {
    let frame = |message: &String| {
        let data = serde_json::to_string(&Data { message })?;
        Frame::json(&Event {
            event: target,
            channel,
            data: &data,
        })
    };
    let frames: Result<Vec<_>, serde_json::Error> = messages.iter().map(frame).collect();
    Ok(Frame::sequence(&frames?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn data_is_an_object_or_one_inside_a_string() {
        for text in [
            r#"{"event":"pusher:subscribe","data":{"auth":"","channel":"c"}}"#,
            r#"{"event":"pusher:subscribe","data":"{\"channel\":\"c\"}"}"#,
        ] {
            let subscribe = Incoming::Subscribe("c".to_owned());
            assert_eq!(Incoming::parse(text), Some(subscribe));
        }
        let ping = r#"{"event":"pusher:ping","data":{}}"#;
        assert_eq!(Incoming::parse(ping), Some(Incoming::Ping));
        let client = r#"{"event":"client-x","channel":"c"}"#;
        assert_eq!(Incoming::parse(client), Some(Incoming::Unknown));
        for text in [
            "",
            "1",
            "{}",
            r#"{"event":"pusher:subscribe"}"#,
            r#"{"event":1}"#,
        ] {
            assert_eq!(Incoming::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in any::<String>()) {
            let _ = Incoming::parse(&text);
        }
    }
}
