//! Frames of a game (spec 2.2): reading one never panics, what was read as a request is a JSON
//! object, and its answer, which echoes it, is JSON too.
#![no_main]

use crowdlink_protocol::{Call, Meta, Request, encode_data};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

fuzz_target!(|frame: &str| {
    let Ok(request) = Request::parse(frame) else { return };
    // A number out of range and half a surrogate pair are JSON that serde_json cannot hold; what
    // is not read is left alone.
    if let Err(error) = serde_json::from_str::<Map<String, Value>>(frame) {
        let error = error.to_string();
        let held = ["number out of range", "hex escape", "surrogate"];
        assert!(held.iter().any(|kind| error.contains(kind)), "{error}");
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
