//! Holds every REST answer of every test against the server's own document
//! (`/v1/openapi.json`): the call, the status, the reason of a refusal, every field of a success,
//! and the body that led to it.

use std::sync::LazyLock;

use crowdlink_protocol::Stage;
use crowdlink_server::rest::{Bounds, openapi};
use crowdlink_server::settings::Settings;
use http::Method;
use serde_json::{Map, Value, json};

use super::Answer;

/// The document of the sandbox, which has every call of production.
pub static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let bounds = Bounds::of(&Settings::default());
    serde_json::from_str(&openapi(Stage::Sandbox, &bounds).unwrap()).unwrap()
});

/// The same, where an object has no fields but those that are named.
static CLOSED: LazyLock<Value> = LazyLock::new(|| {
    let mut document = DOCUMENT.clone();
    close(&mut document);
    document
});

/// Refused before the edge looks at a request: too long a head, too many connections.
const BEFORE_THE_EDGE: [u16; 3] = [414, 431, 503];

fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.contains_key("properties") {
                fields.entry("additionalProperties").or_insert(json!(false));
            }
            fields.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Checks one call and its answer.
pub fn check(method: &Method, uri: &str, sent: &[u8], answer: &Answer) {
    let path = uri.split('?').next().unwrap();
    let ours = path.starts_with("/v1/e/") || ["/rig/receipt", "/v1/openapi.json"].contains(&path);
    let status = answer.status.as_u16();
    if !ours || *method == Method::OPTIONS || BEFORE_THE_EDGE.contains(&status) {
        return;
    }
    let what = format!("{method} {path} answered {status}");
    let Some(calls) = DOCUMENT["paths"].get(path) else {
        assert_eq!(status, 404, "the document does not know {path}: {what}");
        return;
    };
    let is_head = *method == Method::HEAD;
    let name = if is_head {
        "get"
    } else {
        &method.as_str().to_lowercase()
    };
    let Some(call) = calls.get(name) else {
        assert_eq!(status, 405, "the document does not know the method: {what}");
        return;
    };
    let Some(response) = call["responses"].get(status.to_string()) else {
        panic!("not documented: {what}: {:?}", answer.body);
    };
    if is_head || status == 304 {
        return;
    }
    let body = answer.json();
    if status >= 400 {
        check_reason(response, &body, &what);
        let refusal = json!({ "$ref": "#/components/schemas/Refusal" });
        return conforms(&CLOSED, &refusal, &body, &what);
    }
    let at = format!(
        "/paths/{}/{name}/responses/{status}",
        path.replace('/', "~1")
    );
    let response = CLOSED.pointer(&at).unwrap();
    let schema = &response["content"]["application/json"]["schema"];
    conforms(&CLOSED, schema, &body, &what);
    let request = &call["requestBody"]["content"]["application/json"]["schema"];
    if let (Some(sent), false) = (as_read(sent), request.is_null()) {
        conforms(&DOCUMENT, request, &sent, &format!("{what}, to {sent}"));
    }
}

/// A body as the server reads it: one that was encoded twice is what it holds.
fn as_read(sent: &[u8]) -> Option<Value> {
    let value: Value = serde_json::from_slice(sent).ok()?;
    let inner = value
        .as_str()
        .and_then(|text| serde_json::from_str(text).ok());
    let mut read = inner.unwrap_or(value);
    leave_out(&mut read);
    Some(read)
}

/// A field that is `null` counts as left out.
fn leave_out(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(leave_out);
        }
        Value::Array(items) => items.iter_mut().for_each(leave_out),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Of 400 and 413 reasons name fields and numbers.
fn check_reason(response: &Value, body: &Value, what: &str) {
    if [400, 413].map(Value::from).contains(&body["status"]) {
        return;
    }
    let response = match response["$ref"].as_str() {
        Some(name) => DOCUMENT.pointer(name.trim_start_matches('#')).unwrap(),
        None => response,
    };
    let examples = response["content"]["application/json"]["examples"].as_object();
    let mut examples = examples.into_iter().flat_map(Map::values);
    let reason = &body["reason"];
    // Production has no rig: another edge answers there.
    let known = examples.any(|example| example["value"]["reason"] == *reason)
        || (what.contains("/rig/") && body["status"] == 404);
    assert!(
        known,
        "{what}, with a reason that is not documented: {body}"
    );
}

/// Fails where a value is not as a schema of a document has it.
fn conforms(document: &Value, schema: &Value, value: &Value, what: &str) {
    assert!(schema.is_object(), "no schema: {what}");
    let mut schema = schema.clone();
    // What it refers to stands where it looks for it.
    schema["components"] = document["components"].clone();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let faults: Vec<String> = validator
        .iter_errors(value)
        .map(|fault| format!("{}: {fault}", fault.instance_path()))
        .collect();
    assert!(faults.is_empty(), "{what}: {faults:?}");
}
