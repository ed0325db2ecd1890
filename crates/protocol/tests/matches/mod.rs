//! The golden requests about matches (`spec 2.10`), and the type of what is told of their polls.

use std::collections::BTreeMap;

use crowdlink_protocol::{
    Call, Json, MatchCall, MatchPollReport, MatchPollResult, PollCall, PollConfigChange,
    PollStatus, Request, VoteStatistics,
};
use serde_json::value::RawValue;

use super::{frames, polls};

const SONG: &str = r#"{"artist":"Celine Dion","year":1997}"#;
const MATCH: &str = "finals";
const POLL: &str = "favorite-color";

fn calls(song: &RawValue) -> BTreeMap<&'static str, Call<'_>> {
    let both = vec!["42".to_owned(), "43".to_owned()];
    let stop = PollConfigChange {
        ends_at_s: Some(-1),
        ..PollConfigChange::default()
    };
    let creation = polls().into_iter().find_map(|(_, (_, call))| {
        if let Call::Poll(PollCall::Create(creation)) = call {
            return Some(creation);
        }
        None
    });
    let broadcast = MatchCall::Broadcast {
        id: MATCH.into(),
        topic: "new_song".into(),
        data: Json(song),
    };
    let calls = [
        ("match_create", MatchCall::Create(MATCH.into())),
        ("match_keepalive", MatchCall::Keepalive(MATCH.into())),
        (
            "match_add_channels",
            MatchCall::AddChannels(MATCH.into(), both),
        ),
        (
            "match_remove_channels",
            MatchCall::RemoveChannels(MATCH.into(), vec!["43".to_owned()]),
        ),
        ("match_broadcast", broadcast),
        (
            "match_poll_subscribe",
            MatchCall::SubscribePolls(MATCH.into()),
        ),
        (
            "match_poll_create",
            MatchCall::CreatePoll(MATCH.into(), creation.unwrap()),
        ),
        (
            "match_poll_reconfigure",
            MatchCall::ReconfigurePoll(MATCH.into(), POLL.to_owned(), stop),
        ),
        (
            "match_poll_delete",
            MatchCall::DeletePoll(MATCH.into(), POLL.to_owned()),
        ),
        (
            "match_poll_unsubscribe",
            MatchCall::UnsubscribePolls(MATCH.into()),
        ),
    ];
    let calls = calls.into_iter();
    calls
        .map(|(name, call)| (name, Call::Match(call)))
        .collect()
}

/// Whether a golden request is looked at here.
pub(super) fn is(name: &str) -> bool {
    name.starts_with("match_")
}

#[test]
fn the_decoder_reads_every_request_about_matches() {
    let song = RawValue::from_string(SONG.to_owned()).unwrap();
    let expected = calls(&song);
    let mut frames = frames("request");
    frames.retain(|name, _| is(name));
    assert!(frames.keys().eq(expected.keys()), "{:?}", frames.keys());
    for (name, call) in &expected {
        let request = Request::parse(frames.get(*name).unwrap()).unwrap();
        assert_eq!(Call::parse(&request).as_ref(), Ok(call), "{name}");
        assert!(!Call::is_open(&request), "{name}");
    }
}

#[test]
fn requests_about_matches_that_are_not_whole_are_refused() {
    for (action, target, data) in [
        ("create", "match", "{}"),
        ("create", "match", r#"{"id":""}"#),
        ("create", "match", r#"{"id":1}"#),
        ("add_channels", "match", r#"{"id":"m"}"#),
        ("add_channels", "match", r#"{"id":"m","channel_ids":[1]}"#),
        ("broadcast", "match", r#"{"match_id":"m","data":1}"#),
        ("broadcast", "match", r#"{"match_id":"m","topic":"t"}"#),
        ("broadcast", "match", r#"{"id":"m","topic":"t","data":1}"#),
        ("subscribe", "match", r#"{"id":"m"}"#),
        ("subscribe", "match_poll", "{}"),
        ("create", "match_poll", r#"{"id":"m","poll_id":"p"}"#),
        ("create", "match_poll", r#"{"id":"m","poll":[]}"#),
        ("create", "match_poll", r#"{"id":"m","poll":{}}"#),
        ("create", "match_poll", r#"{"id":"m","poll":{"poll_id":1}}"#),
        ("reconfigure", "match_poll", r#"{"id":"m","poll_id":"p"}"#),
        ("delete", "match_poll", r#"{"id":"m"}"#),
        ("keepalive", "match_poll", r#"{"id":"m"}"#),
    ] {
        let text = format!(
            r#"{{"action":"{action}","params":{{"request_id":1,"target":"{target}"}},"data":{data}}}"#
        );
        let request = Request::parse(&text).unwrap();
        assert!(Call::parse(&request).is_err(), "{text}");
    }
}

#[test]
fn a_match_poll_is_written_as_the_frames_show_it() {
    let result = |counted: [i64; 2], numbers: (f64, f64, i64, i64), status| {
        let (stddev, mean, sum, count) = numbers;
        let specific = counted.into_iter().chain([0; 62]).collect();
        let numbers = VoteStatistics {
            count,
            sum,
            mean,
            stddev,
            specific,
        };
        MatchPollResult::new(&numbers, status)
    };
    for (frame, status) in [
        ("match_poll_active", PollStatus::Active),
        ("match_poll_expired", PollStatus::Expired),
    ] {
        let some = || result([3, 1], (0.5, 0.25, 1, 4), status);
        let none = result([0, 0], (0.0, 0.0, 0, 0), status);
        let report = MatchPollReport {
            match_id: MATCH.to_owned(),
            poll_id: POLL.to_owned(),
            overall: some(),
            results: BTreeMap::from([("42".to_owned(), some()), ("43".to_owned(), none)]),
        };
        let written = serde_json::to_string(&report).unwrap();
        let frames = frames("event");
        let frame = frames.get(frame).unwrap();
        assert!(
            frame.ends_with(&format!("\"data\":{written}}}")),
            "{written}"
        );
    }
}
