//! The golden frames of `frames/` (`spec 2.2`, `spec 2.3`): our decoder reads the requests, our
//! encoders write the answers, errors and events to the byte.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crowdlink_protocol::{
    Authenticate, Call, Credential, Meta, REQUEST_ID_NONE, Request, encode_data, encode_errors,
    encode_event,
};
use serde_json::Value;

mod played;

const CLIENT_ID: &str = "i575hs2x9lb3u8hqujtezit03w1740";
const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl";

/// All golden frames of a kind (`request`, `answer`, `error`, `event`) by name.
fn frames(kind: &str) -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/frames");
    let suffix = format!(".{kind}.json");
    let named = fs::read_dir(folder).unwrap().filter_map(|entry| {
        let path = entry.unwrap().path();
        let name = path
            .file_name()?
            .to_str()?
            .strip_suffix(&suffix)?
            .to_owned();
        Some((
            name,
            fs::read_to_string(path).unwrap().trim_end().to_owned(),
        ))
    });
    named.collect()
}

fn authenticate(credential: Credential, client_id: bool, game_id: bool) -> Call<'static> {
    Call::Authenticate(Authenticate {
        credential,
        client_id: client_id.then(|| CLIENT_ID.to_owned()),
        game_id: game_id.then(|| "My Game".to_owned()),
    })
}

#[test]
fn the_decoder_reads_every_request() {
    let pin = || Credential::Pin("PZV4SE".to_owned());
    let refresh = Credential::Refresh("a-refresh-token".to_owned());
    let jwt = Credential::Jwt(JWT.to_owned());
    let expected = BTreeMap::from([
        ("authenticate_pin", (333, authenticate(pin(), true, true))),
        (
            "authenticate_nulls",
            (334, authenticate(pin(), false, false)),
        ),
        (
            "authenticate_refresh",
            (444, authenticate(refresh, true, true)),
        ),
        ("authenticate_jwt", (555, authenticate(jwt, false, false))),
        (
            "subscribe_authentication",
            (7, Call::SubscribeAuthentication),
        ),
        (
            "unsubscribe_authentication",
            (8, Call::UnsubscribeAuthentication),
        ),
    ]);
    let mut frames = frames("request");
    frames.retain(|name, _| !played::is(name));
    assert!(frames.keys().eq(expected.keys()), "{:?}", frames.keys());
    for (name, frame) in &frames {
        let request = Request::parse(frame).unwrap();
        let (id, call) = expected.get(name.as_str()).unwrap();
        assert_eq!(request.request_id, *id, "{name}");
        assert_eq!(Call::parse(&request).as_ref(), Ok(call), "{name}");
        // Shipped clients send them before they are authenticated, but for one.
        assert_eq!(
            Call::is_open(&request),
            name != "unsubscribe_authentication"
        );
    }
}

/// The head of a golden frame, read without our types.
fn meta(frame: &Value) -> Meta<'_> {
    let meta = &frame["meta"];
    Meta {
        request_id: u16::try_from(meta["request_id"].as_u64().unwrap()).unwrap(),
        action: meta["action"].as_str().unwrap(),
        target: meta["target"].as_str().unwrap(),
        timestamp: meta["timestamp"].as_i64().unwrap(),
    }
}

#[test]
fn the_encoder_writes_every_answer_to_the_byte() {
    let frames = frames("answer");
    assert_eq!(frames.len(), 22);
    for (name, text) in &frames {
        let frame: Value = serde_json::from_str(text).unwrap();
        let encoded = encode_data(meta(&frame), &frame["data"]).unwrap();
        assert_eq!(&encoded, text, "{name}");
    }
}

#[test]
fn the_encoder_writes_every_error_to_the_byte() {
    let frames = frames("error");
    assert_eq!(frames.len(), 10);
    for (name, text) in &frames {
        let frame: Value = serde_json::from_str(text).unwrap();
        let error = &frame["errors"][0];
        let status = u16::try_from(error["status"].as_u64().unwrap()).unwrap();
        let word = |field: &str| error[field].as_str().unwrap();
        let encoded = encode_errors(meta(&frame), status, word("title"), word("detail")).unwrap();
        assert_eq!(&encoded, text, "{name}");
    }
}

#[test]
fn the_encoder_writes_every_event_to_the_byte() {
    let frames = frames("event");
    assert_eq!(frames.len(), 6);
    for (name, text) in &frames {
        let frame: Value = serde_json::from_str(text).unwrap();
        let meta = meta(&frame);
        assert_eq!((meta.request_id, meta.action), (REQUEST_ID_NONE, "update"));
        let encoded = encode_event(meta.target, meta.timestamp, &frame["data"]).unwrap();
        assert_eq!(&encoded, text, "{name}");
    }
}

#[test]
fn every_frame_in_the_folder_is_of_a_kind_that_is_checked() {
    let checked: usize = ["request", "answer", "error", "event"]
        .map(|kind| frames(kind).len())
        .iter()
        .sum();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/frames");
    assert_eq!(fs::read_dir(folder).unwrap().count(), checked);
}
