//! The golden frames of `frames/` (`spec 2.2`, `spec 2.3`, `spec 2.6`): our decoder reads the requests, our
//! encoders write the answers, errors and events to the byte.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crowdlink_protocol::{
    Authenticate, BroadcastCall, Call, Credential, Json, Meta, PollCall, PollConfigChange,
    PollCreation, PollDefinitionChange, PollHead, PollReport, PollStatus, PollTopic,
    REQUEST_ID_NONE, Request, VoteStatistics, encode_data, encode_errors, encode_event,
};
use serde_json::value::RawValue;
use serde_json::{Value, json};

mod documents;
mod matches;
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

/// What the requests of polls are, with their ids.
fn polls() -> Vec<(&'static str, (u16, Call<'static>))> {
    let id = || "favorite-color".to_owned();
    let one = || PollTopic::One(id());
    let prompt = "What is your favorite color?".to_owned();
    let create = PollCreation {
        poll_id: id(),
        definition: PollDefinitionChange {
            prompt: Some(prompt),
            options: Some(vec!["Blue".to_owned(), "Red".to_owned()]),
            user_data: Some(json!({ "round": 1 })),
        },
        config: PollConfigChange {
            user_id_voting: Some(false),
            distinct_options_per_user: Some(1),
            total_votes_per_user: Some(1),
            votes_per_option: Some(1),
            disabled: Some(false),
            starts_at_s: Some(0),
            ends_at_s: Some(0),
            starts_in_s: Some(0),
            ends_in_s: Some(60),
        },
        fresh: false,
    };
    let nulls = PollCreation {
        poll_id: id(),
        definition: PollDefinitionChange {
            options: Some(Vec::new()),
            ..PollDefinitionChange::default()
        },
        config: PollConfigChange::default(),
        fresh: true,
    };
    let stop = PollConfigChange {
        ends_at_s: Some(-1),
        ..PollConfigChange::default()
    };
    let calls = [
        ("poll_subscribe", 20, PollCall::Subscribe(one())),
        (
            "poll_subscribe_all",
            21,
            PollCall::Subscribe(PollTopic::All),
        ),
        ("poll_unsubscribe", 22, PollCall::Unsubscribe(one())),
        ("poll_create", 23, PollCall::Create(Box::new(create))),
        ("poll_create_nulls", 24, PollCall::Create(Box::new(nulls))),
        ("poll_get", 25, PollCall::Get(id())),
        ("poll_reconfigure", 26, PollCall::Reconfigure(id(), stop)),
        ("poll_delete", 27, PollCall::Delete(id())),
    ];
    let named = calls.into_iter();
    named
        .map(|(name, id, call)| (name, (id, Call::Poll(call))))
        .collect()
}

#[test]
fn a_report_is_written_as_the_frames_show_it() {
    let (answers, events) = (frames("answer"), frames("event"));
    let specific = |numbers: [i64; 2]| numbers.into_iter().chain([0; 62]).collect();
    for (frame, status, results, (mean, sum, count)) in [
        (
            &answers["poll_get"],
            PollStatus::Active,
            [3, 1],
            (0.25, 1, 4),
        ),
        (
            &events["poll_active"],
            PollStatus::Active,
            [0, 0],
            (0.0, 0, 0),
        ),
        (
            &events["poll_expired"],
            PollStatus::Expired,
            [3, 1],
            (0.25, 1, 4),
        ),
    ] {
        let poll = PollHead {
            poll_id: "favorite-color".to_owned(),
            prompt: "What is your favorite color?".to_owned(),
            options: vec!["Blue".to_owned(), "Red".to_owned()],
            status,
            disabled: false,
            user_data: Some(json!({ "round": 1 })),
        };
        let numbers = VoteStatistics {
            count,
            sum,
            mean,
            stddev: 0.5,
            specific: specific(results),
        };
        let report = PollReport::new(poll, true, &numbers);
        let written = serde_json::to_string(&report).unwrap();
        assert!(
            frame.ends_with(&format!("\"data\":{written}}}")),
            "{written}"
        );
    }
}

#[test]
fn the_decoder_reads_every_request() {
    let pin = || Credential::Pin("PZV4SE".to_owned());
    let refresh = Credential::Refresh("a-refresh-token".to_owned());
    let jwt = Credential::Jwt(JWT.to_owned());
    let song = raw(r#"{"artist":"Celine Dion","year":1997}"#);
    let (good_day, psst) = (raw(r#""good \"day\"""#), raw(r#""psst""#));
    let mut expected = BTreeMap::from([
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
    expected.extend(polls());
    let mut frames = frames("request");
    frames.retain(|name, _| !played::is(name) && !documents::is(name) && !matches::is(name));
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
    assert_eq!(frames.len(), 53);
    for (name, text) in &frames {
        let frame: Value = serde_json::from_str(text).unwrap();
        let encoded = encode_data(meta(&frame), &frame["data"]).unwrap();
        assert_eq!(&encoded, text, "{name}");
    }
}

#[test]
fn the_encoder_writes_every_error_to_the_byte() {
    let frames = frames("error");
    assert_eq!(frames.len(), 15);
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
    assert_eq!(frames.len(), 12);
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
