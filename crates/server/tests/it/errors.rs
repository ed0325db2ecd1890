//! Refusals: always JSON, always the same three things (`spec 1.2`).

use crowdlink_protocol::Stage;
use http::Method;
use serde_json::json;

use crate::harness::{Answer, EXTENSION, Server};

/// Asserts the form of a refusal, whatever it is about.
fn in_form(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{:?}", answer.body);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let body = answer.json();
    let names: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["reason", "info", "status"]);
    assert_eq!(body["status"], status);
    for name in ["reason", "info"] {
        assert!(!body[name].as_str().unwrap().is_empty(), "{name}: {body}");
    }
}

#[tokio::test]
async fn unknown_routes_are_404_on_either_stage() {
    let server = Server::start().await;
    for stage in [Stage::Sandbox, Stage::Production] {
        let http = server.rest(stage);
        let long = format!("/{}", "x".repeat(4_000));
        for path in [
            "/",
            "/v1",
            "/v1/e",
            "/v1/e/",
            "/v1/e/nothing",
            "/v1/e/user_info/",
            "/v1/e//user_info",
            "/v1/e/../e/user_info",
            "/v1/e/user_inf%6F%00",
            "/V1/E/USER_INFO",
            &long,
        ] {
            for method in [Method::GET, Method::POST, Method::DELETE] {
                in_form(&http.send(method, path, "").await, 404);
            }
        }
    }
}

#[tokio::test]
async fn a_route_with_another_method_is_405_and_says_which_there_are() {
    let server = Server::start().await;
    let http = server.sandbox();
    for (method, path, allowed) in [
        (Method::GET, "/v1/e/authtoken", "POST"),
        (Method::DELETE, "/v1/e/token", "POST"),
        (Method::GET, "/v1/e/pin", "POST"),
        (Method::POST, "/v1/e/user_info", "GET"),
        (Method::PUT, "/v1/e/gamelink/token", "DELETE"),
        (Method::POST, "/v1/e/gamelink/grants", "DELETE"),
        (Method::PATCH, "/v1/e/pin_token_exists", "GET"),
        (Method::TRACE, "/v1/e/user_info", "GET"),
    ] {
        let answer = http.send(method, path, "").await;
        in_form(&answer, 405);
        let allow = answer.header("allow").unwrap();
        assert!(
            allow.split(',').any(|word| word.trim() == allowed),
            "{allow}"
        );
    }
}

#[tokio::test]
async fn refusals_of_every_status_have_one_form() {
    let server = Server::start().await;
    let viewer = server.page("viewer", "42").await;
    let broadcaster = server.page("broadcaster", "42").await;
    in_form(&server.sandbox().get("/v1/e/user_info").await, 401);
    in_form(&viewer.get("/v1/e/user_ids").await, 403);
    in_form(&viewer.get("/v1/e/user_info?channel_id=1").await, 403);
    let path = "/v1/e/user_info?channel_id=1&channel_id=1";
    in_form(&viewer.get(path).await, 400);
    let big = "x".repeat(1_048_577);
    let answer = broadcaster.send(Method::POST, "/v1/e/validate_pin", big);
    in_form(&answer.await, 413);
    let guess = json!({ "pin": "AAAAAA" });
    for _ in 0..5 {
        in_form(&broadcaster.post("/v1/e/validate_pin", &guess).await, 400);
    }
    let answer = broadcaster.post("/v1/e/validate_pin", &guess).await;
    in_form(&answer, 429);
    assert!(answer.header("retry-after").is_some());
    server.store.set_down(true);
    in_form(&broadcaster.get("/v1/e/pin_token_exists").await, 500);
}

#[tokio::test]
async fn who_may_not_is_told_before_a_body_is_looked_at() {
    let server = Server::start().await;
    let viewer = server.page("viewer", "42").await;
    let path = "/v1/e/validate_pin";
    in_form(&server.sandbox().send(Method::POST, path, "{").await, 401);
    let guess = json!({ "pin": "AAAAAA" });
    // Not a guess: a viewer cannot lock an address by it.
    for _ in 0..10 {
        in_form(&viewer.post(path, &guess).await, 403);
    }
}

#[tokio::test]
async fn every_answer_has_an_id_that_tells_nothing() {
    let server = Server::start().await;
    let page = server.page("viewer", "42").await;
    for path in ["/v1/e/user_info", "/nowhere", "/v1/e/user_ids"] {
        let answer = page.get(path).await;
        let id = answer.header("x-request-id").unwrap();
        assert!(!id.is_empty() && id.len() <= 40, "{id}");
        assert!(!id.contains(EXTENSION));
    }
}
