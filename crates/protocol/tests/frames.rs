//! The golden frames of `frames/` (`spec 2.2`, `spec 2.3`): our decoder reads the requests, our
//! encoders write the answers, errors and events to the byte.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crowdlink_protocol::{
    Authenticate, BroadcastCall, Call, Credential, Json, Meta, REQUEST_ID_NONE, Request,
    encode_data, encode_errors, encode_event,
};
use serde_json::Value;
use serde_json::value::RawValue;

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

/// A broadcast; its data as it stands in the frame.
fn broadcast<'a>(topic: &'a str, data: &'a RawValue, ids: Option<&[&str]>) -> Call<'a> {
    Call::Broadcast(BroadcastCall {
        topic: topic.into(),
        data: Json(data),
        ids: ids.map(|ids| ids.iter().map(ToString::to_string).collect()),
    })
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

#[test]
fn the_decoder_reads_every_request() {
    let pin = || Credential::Pin("PZV4SE".to_owned());
    let refresh = Credential::Refresh("a-refresh-token".to_owned());
    let jwt = Credential::Jwt(JWT.to_owned());
    let song = raw(r#"{"artist":"Celine Dion","year":1997}"#);
    let (good_day, psst) = (raw(r#""good \"day\"""#), raw(r#""psst""#));
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
        ("broadcast", (21, broadcast("new_song", &song, None))),
        (
            "broadcast_message",
            (22, broadcast("hello", &good_day, None)),
        ),
        (
            "broadcast_ids",
            (23, broadcast("secret", &psst, Some(&["77", "U78"]))),
        ),
    ]);
    let frames = frames("request");
    assert!(frames.keys().eq(expected.keys()), "{:?}", frames.keys());
    for (name, frame) in &frames {
        let request = Request::parse(frame).unwrap();
        let (id, call) = expected.get(name.as_str()).unwrap();
        assert_eq!(request.request_id, *id, "{name}");
        assert_eq!(Call::parse(&request).as_ref(), Ok(call), "{name}");
        let open = name.starts_with("authenticate") || name == "subscribe_authentication";
        assert_eq!(Call::is_open(&request), open, "{name}");
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
    assert_eq!(frames.len(), 8);
    for (name, text) in &frames {
        let frame: Value = serde_json::from_str(text).unwrap();
        let encoded = encode_data(meta(&frame), &frame["data"]).unwrap();
        assert_eq!(&encoded, text, "{name}");
    }
}

#[test]
fn the_encoder_writes_every_error_to_the_byte() {
    let frames = frames("error");
    assert_eq!(frames.len(), 9);
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
    assert_eq!(frames.len(), 2);
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
