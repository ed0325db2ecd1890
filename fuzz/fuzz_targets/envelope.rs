//! Frames of a game (spec 2.2): reading one never panics, what was read as a request is a JSON
//! object, and its answer, which echoes it, is JSON too.
#![no_main]

use crowdlink_protocol::{Call, Meta, Request, encode_data};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

fuzz_target!(|frame: &str| {
    let Ok(request) = Request::parse(frame) else { return };
    // A number out of range is JSON that serde_json cannot hold; only its own kind is checked.
    if let Err(error) = serde_json::from_str::<Map<String, Value>>(frame) {
        assert!(error.to_string().contains("number out of range"), "{error}");
    }
    let _ = Call::parse(&request);
    let meta = Meta {
        request_id: request.request_id,
        action: &request.action,
        target: &request.target,
        timestamp: 0,
    };
    let answer = encode_data(meta, &Map::new()).expect("an answer can be encoded");
    let answer: Value = serde_json::from_str(&answer).expect("an answer is JSON");
    assert_eq!(answer["meta"]["action"], *request.action);
    assert_eq!(answer["meta"]["target"], *request.target);
    assert_eq!(answer["meta"]["request_id"], request.request_id);
});
