//! The hard rules for every frame to a game (`spec 2.1`, `spec 2.2`), as a client without
//! exceptions needs them kept.

use serde_json::{Map, Value};

use super::frame_schema;

/// Where the receive buffer of shipped clients ends, in bytes.
const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Parses a frame and asserts that it keeps the rules.
pub fn checked(text: &str) -> Value {
    assert!(text.len() < FRAME_BYTES_MAX, "{} bytes", text.len());
    // NaN and infinities are no JSON: they fail here.
    let frame: Value = serde_json::from_str(text).unwrap();
    let fields = frame.as_object().unwrap();
    check_meta(object(fields, "meta"));
    match (fields.get("data"), fields.get("errors")) {
        (Some(data), None) => {
            let data = data
                .as_object()
                .unwrap_or_else(|| panic!("no object: {frame}"));
            frame_schema::check(object(fields, "meta"), data);
        }
        (None, Some(errors)) => {
            let errors = errors.as_array().unwrap();
            assert!(!errors.is_empty());
            errors.iter().for_each(check_error);
        }
        _ => panic!("neither data nor errors, or both: {frame}"),
    }
    assert_eq!(fields.len(), 2, "{frame}");
    check_values(&frame);
    frame
}

fn object<'a>(fields: &'a Map<String, Value>, name: &str) -> &'a Map<String, Value> {
    let value = fields.get(name).unwrap_or_else(|| panic!("no {name}"));
    value.as_object().unwrap()
}

fn check_meta(meta: &Map<String, Value>) {
    let names: Vec<_> = meta.keys().collect();
    assert_eq!(names, ["request_id", "action", "target", "timestamp"]);
    assert!(meta["request_id"].as_u64().unwrap() <= 65_535);
    assert!(meta["action"].is_string() && meta["target"].is_string());
    assert!(meta["timestamp"].as_u64().unwrap() > 0);
}

fn check_error(error: &Value) {
    let fields = error.as_object().unwrap();
    let names: Vec<_> = fields.keys().collect();
    assert_eq!(names, ["number", "status", "title", "detail"]);
    let number = fields["number"].as_u64().unwrap();
    assert!((400..600).contains(&number), "{error}");
    assert_eq!(fields["status"], number);
    for text in ["title", "detail"] {
        assert!(!fields[text].as_str().unwrap().is_empty(), "{error}");
    }
}

/// No null anywhere, and no empty `results`.
fn check_values(value: &Value) {
    match value {
        Value::Null => panic!("a null in a frame"),
        Value::Array(items) => items.iter().for_each(check_values),
        Value::Object(fields) => {
            for (name, value) in fields {
                assert!(
                    name != "results" || value.as_array().is_none_or(|list| !list.is_empty()),
                    "empty results"
                );
                check_values(value);
            }
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
#[should_panic(expected = "a null in a frame")]
fn a_null_deep_in_a_frame_is_found() {
    checked(
        r#"{"meta":{"request_id":1,"action":"a","target":"","timestamp":1},"data":{"a":[{"b":null}]}}"#,
    );
}

#[test]
#[should_panic(expected = "empty results")]
fn empty_results_are_found() {
    checked(
        r#"{"meta":{"request_id":1,"action":"a","target":"","timestamp":1},"data":{"results":[]}}"#,
    );
}

#[test]
#[should_panic(expected = "the type of timestamp")]
fn a_number_of_another_type_is_found() {
    checked(
        r#"{"meta":{"request_id":65535,"action":"update","target":"datastream","timestamp":1},"data":{"events":[{"event":{},"timestamp":1.5}]}}"#,
    );
}

#[test]
#[should_panic(expected = "the type of results")]
fn a_match_poll_with_31_numbers_is_found() {
    let result = serde_json::json!({
        "results": vec![0; 31], "stddev": 0.0, "mean": 0.0, "sum": 0, "count": 0, "status": "active",
    });
    let frame = serde_json::json!({
        "meta": { "request_id": 65_535, "action": "update", "target": "match_poll", "timestamp": 1 },
        "data": { "match_id": "m", "poll_id": "p", "overall": result, "results": { "1": result } },
    });
    checked(&frame.to_string());
}

#[test]
#[should_panic(expected = "the type of events")]
fn an_empty_batch_is_found() {
    checked(
        r#"{"meta":{"request_id":65535,"action":"update","target":"datastream","timestamp":1},"data":{"events":[]}}"#,
    );
}

#[test]
#[should_panic(expected = "no ok in")]
fn a_field_that_is_missing_is_found() {
    checked(
        r#"{"meta":{"request_id":1,"action":"set","target":"gatewayActions","timestamp":1},"data":{}}"#,
    );
}

#[test]
#[should_panic(expected = "unknown field extra")]
fn a_field_that_no_client_knows_is_found() {
    checked(
        r#"{"meta":{"request_id":1,"action":"subscribe","target":"datastream","timestamp":1},"data":{"ok":true,"extra":1}}"#,
    );
}
