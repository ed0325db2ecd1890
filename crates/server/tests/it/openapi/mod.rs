//! The document of the REST edge (`spec 3.12`). What it says of answers is held against those of
//! all tests, see `harness/documented.rs`.

use std::collections::BTreeSet;

use crowdlink_protocol::Stage;
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::program::done;
use crate::harness::{Answer, DOCUMENT, Server, check_documented};

const PATH: &str = "/v1/openapi.json";
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
/// The OpenAPI Initiative's schema of 3.1 documents (Apache-2.0), its dynamic references made
/// ordinary ones.
const OFFICIAL: &str = include_str!("openapi-3.1.schema.json");

/// Path, method and what is said of every call.
fn calls() -> impl Iterator<Item = (&'static str, &'static str, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object().unwrap().iter();
    paths.flat_map(|(path, calls)| {
        let calls = calls.as_object().unwrap().iter();
        calls.map(move |(method, call)| (path.as_str(), method.as_str(), call))
    })
}

fn method(name: &str) -> Method {
    Method::from_bytes(name.to_uppercase().as_bytes()).unwrap()
}

/// Every value under a name, wherever it stands.
fn under<'a>(value: &'a Value, name: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get(name));
            fields.values().for_each(|value| under(value, name, found));
        }
        Value::Array(items) => items.iter().for_each(|value| under(value, name, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_document_is_openapi_3_1() {
    let official: Value = serde_json::from_str(OFFICIAL).unwrap();
    let validator = jsonschema::validator_for(&official).unwrap();
    let faults: Vec<String> = validator
        .iter_errors(&DOCUMENT)
        .map(|fault| format!("{}: {fault}", fault.instance_path()))
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
    // The official schema leaves schemas alone: they are JSON Schema.
    let mut schemas = Vec::new();
    under(&DOCUMENT["paths"], "schema", &mut schemas);
    let named = &DOCUMENT["components"]["schemas"];
    schemas.extend(named.as_object().unwrap().values());
    assert!(schemas.len() > 100, "{}", schemas.len());
    for schema in schemas {
        jsonschema::meta::validate(schema).unwrap();
    }
    let mut references = Vec::new();
    under(&DOCUMENT, "$ref", &mut references);
    assert!(references.len() > 100, "{}", references.len());
    for reference in references {
        let at = reference.as_str().unwrap().strip_prefix('#').unwrap();
        assert!(DOCUMENT.pointer(at).is_some(), "{reference}");
    }
}

#[test]
fn every_call_says_what_it_is_who_may_and_how_it_is_refused() {
    let mut names = BTreeSet::new();
    for (path, method, call) in calls() {
        let what = format!("{method} {path}");
        assert!(
            call["summary"].as_str().unwrap().len() >= "Vote".len(),
            "{what}"
        );
        assert!(
            names.insert(call["operationId"].as_str().unwrap()),
            "{what}"
        );
        let responses = &call["responses"];
        let open = call["security"] == json!([]);
        let who = call["description"].as_str().unwrap();
        assert_eq!(open, who.contains("no token"), "{what}: {who}");
        for status in ["401", "403", "429"] {
            assert!(open || !responses[status].is_null(), "{what}: {status}");
        }
        for status in ["408", "413"] {
            let body = &call["requestBody"];
            assert_eq!(
                body.is_null(),
                responses[status].is_null(),
                "{what}: {status}"
            );
            assert!(
                body.is_null() || body["x-bytes-max"].as_u64() > Some(0),
                "{what}"
            );
        }
        let success = ["200", "201"].map(|status| &responses[status]["content"]);
        assert!(success.iter().any(|content| !content.is_null()), "{what}");
    }
}

#[test]
fn what_the_specification_has_is_there() {
    let documented: BTreeSet<String> = calls()
        .map(|(path, method, _)| format!("{} {path}", method.to_uppercase()))
        .collect();
    let expected = include_str!("calls.txt").lines().map(str::to_owned);
    assert_eq!(documented, expected.collect());
}

#[tokio::test]
async fn every_call_of_the_document_is_answered_and_no_other() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    let paths = DOCUMENT["paths"].as_object().unwrap();
    for (path, documented) in paths {
        for name in METHODS {
            let answer = page.send(method(name), path, "").await;
            let what = format!("{name} {path}: {answer:?}");
            if documented.get(name).is_none() {
                answer.refused(405, "Method not allowed");
                continue;
            }
            assert_ne!(answer.status, 405, "{what}");
            if answer.status == 404 {
                assert_ne!(answer.json()["reason"], "There is nothing here", "{what}");
            }
            let allowed = page.send(Method::from_bytes(b"BREW").unwrap(), path, "");
            assert_eq!(allowed.await.status, 405, "{path}");
        }
    }
}

#[tokio::test]
async fn what_the_document_says_is_open_needs_no_token_and_nothing_else_is() {
    let server = Server::start().await;
    for (path, name, call) in calls() {
        let answer = server.sandbox().send(method(name), path, "").await;
        let open = call["security"] == json!([]);
        let refused = answer.status == 401
            && answer.json()["reason"] == "Authorization header is missing or malformed";
        assert_eq!(open, !refused, "{name} {path}: {answer:?}");
    }
}

/// Viewer, broadcaster, backend: who of them may, as the document says it.
fn may(call: &Value) -> [bool; 3] {
    let told = call["description"].as_str().unwrap();
    match told.lines().last().unwrap() {
        "Who: everybody; no token." | "Who: any valid token." => [true, true, true],
        "Who: the broadcaster of the channel." => [false, true, false],
        "Who: the broadcaster of the channel, admin, backend." => [false, true, true],
        // This broadcaster does not own the extension.
        "Who: admin, backend."
        | "Who: admin, backend, and the broadcaster whose user id owns the extension." => {
            [false, false, true]
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn who_may_call_is_as_the_document_says() {
    let server = Server::start_with(|settings| {
        settings.rates.rest_requests_burst_max = 10_000;
    })
    .await;
    let callers = [
        server.page("viewer", "42").await,
        server.page("broadcaster", "42").await,
        server.trusted("backend"),
    ];
    let mut refused = 0;
    for (path, name, call) in calls() {
        for (may, caller) in may(call).into_iter().zip(&callers) {
            let answer = caller.send(method(name), path, "{}").await;
            let what = format!("{name} {path}: {answer:?}");
            let info = || answer.json()["info"].as_str().unwrap().to_owned();
            let for_role = answer.status == 403 && info().starts_with("requires role");
            assert!(!(may && for_role), "{what}");
            // A body that is wrong may be told first.
            assert!(may || for_role || answer.status == 400, "{what}");
            refused += usize::from(for_role);
        }
    }
    assert!(refused > 50, "{refused}");
}

#[tokio::test]
async fn anybody_may_read_it_from_any_page_and_again_only_if_it_changed() {
    let server = Server::start().await;
    for stage in [Stage::Sandbox, Stage::Production] {
        let client = server.rest(stage);
        let answer = client.get(PATH).await;
        let document = answer.ok();
        assert_eq!(document["openapi"], "3.1.0");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        let has_rig = document["paths"].get("/rig/receipt").is_some();
        assert_eq!(has_rig, stage == Stage::Sandbox);
        let tag = answer.header("etag").unwrap();
        let again = client.header("if-none-match", tag).get(PATH).await;
        assert_eq!((again.status.as_u16(), &again.body[..]), (304, &b""[..]));
        let other = client.header("if-none-match", "\"v1\"").get(PATH).await;
        assert_eq!(other.ok(), document);
        let head = client.send(Method::HEAD, PATH, "").await;
        assert_eq!(
            (head.status.as_u16(), head.header("etag")),
            (200, Some(tag))
        );
        let preflight = client.send(Method::OPTIONS, PATH, "").await;
        assert_eq!(preflight.status, 200);
    }
    assert_eq!(server.sandbox().get(PATH).await.ok(), *DOCUMENT);
}

#[tokio::test]
async fn limits_are_those_of_the_settings() {
    let server = Server::start_with(|settings| {
        settings.limits.rest_body_bytes_max = 5_000;
        settings.limits.json_store_value_bytes_max = 77;
    })
    .await;
    let document = server.sandbox().get(PATH).await.ok();
    let body_of = |path: &str| document["paths"][path]["post"]["requestBody"].clone();
    assert_eq!(body_of("/v1/e/json_store")["x-bytes-max"], 77);
    assert_eq!(body_of("/v1/e/vote")["x-bytes-max"], 5_000);
    assert!(
        document
            .to_string()
            .contains("The request body is over 5000 bytes")
    );
}

#[test]
fn the_command_prints_what_the_server_serves() {
    let folder = tempfile::tempdir().unwrap();
    let printed = done(folder.path(), &["openapi"]);
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), *DOCUMENT);
    let words = [
        "openapi",
        "--stage",
        "production",
        "--limits-rest-body-bytes-max",
        "4321",
    ];
    let production = done(folder.path(), &words);
    assert!(production.contains("Crowdlink REST (production)"));
    assert!(production.contains("The request body is over 4321 bytes"));
    assert!(!production.contains("/rig/"));
    // It is no reason to make a store.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn an_answer_that_is_not_as_the_document_says_fails_its_test() {
    let fails = |name: &str, path: &str, sent: &str, status: u16, body: Value| {
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: body.to_string().into(),
        };
        let check = || check_documented(&method(name), path, sent.as_bytes(), &answer);
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).is_err()
    };
    let refusal =
        |status: u16, reason: &str| json!({ "reason": reason, "info": "", "status": status });
    let coins = json!({ "balance": 1 });
    assert!(!fails(
        "get",
        "/v1/e/coins?channel_id=1",
        "",
        200,
        coins.clone()
    ));
    assert!(fails(
        "get",
        "/v1/e/coins",
        "",
        200,
        json!({ "balance": "1" })
    ));
    assert!(fails(
        "get",
        "/v1/e/coins",
        "",
        200,
        json!({ "balance": 1, "more": 1 })
    ));
    assert!(fails("get", "/v1/e/coins", "", 200, json!({})));
    assert!(fails("get", "/v1/e/coins", "", 201, coins.clone()));
    assert!(fails("get", "/v1/e/unknown", "", 200, coins.clone()));
    assert!(fails("put", "/v1/e/coins", "", 200, coins));

    let vote = "/v1/e/vote?id=p";
    assert!(!fails(
        "post",
        vote,
        "",
        400,
        refusal(400, "poll is closed")
    ));
    assert!(!fails(
        "post",
        vote,
        "",
        429,
        refusal(429, "Too many requests")
    ));
    assert!(fails("post", vote, "", 429, refusal(429, "Too often")));
    assert!(fails(
        "post",
        vote,
        "",
        404,
        refusal(404, "There is no such poll")
    ));
    assert!(fails(
        "post",
        vote,
        "",
        400,
        json!({ "reason": "poll is closed" })
    ));

    let rank = json!({ "accepted": true });
    assert!(!fails(
        "post",
        "/v1/e/rank",
        r#"{"key":"k"}"#,
        200,
        rank.clone()
    ));
    assert!(!fails(
        "post",
        "/v1/e/rank",
        r#""{\"key\":\"k\"}""#,
        200,
        rank.clone()
    ));
    assert!(fails("post", "/v1/e/rank", r#"{"key":1}"#, 200, rank));
}
