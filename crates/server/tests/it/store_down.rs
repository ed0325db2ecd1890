//! What goes on, and how the rest is refused, while the store is gone (`spec 1.2`, `spec 4.6`).

use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, EXTENSION, SECRET, START_MS, Server, eventually, sign};

const OURS: &str = "An internal error prevented the server from processing the request";

/// A fault of ours is told with an id to ask for, and with nothing of what happened.
fn our_fault(answer: &Answer) {
    let info = answer.refused(500, OURS);
    let id = answer.header("x-request-id").unwrap();
    assert!(!id.is_empty());
    assert_eq!(info, format!("request id {id}"));
    assert_eq!(answer.json().as_object().unwrap().len(), 3);
}

#[tokio::test]
async fn a_page_still_gets_its_token_and_its_user_info() {
    let server = Server::start().await;
    let before = server.page("viewer", "42").await;
    server.store.set_down(true);
    for role in ["viewer", "broadcaster", "backend"] {
        let page = server.page(role, "42").await;
        page.get("/v1/e/user_info").await.ok();
    }
    before.get("/v1/e/user_info").await.ok();
    let body = json!({ "channel_id": "42", "user_id": "77" });
    server.sandbox().post("/v1/e/authtoken", &body).await.ok();
    let now_s = START_MS / 1_000;
    let request = json!({
        "identifier": EXTENSION, "channel_id": "42", "user_id": "7", "role": "backend",
        "iat": now_s, "exp": now_s + 60,
    });
    let jwt = sign(&request, SECRET);
    let exchanged = server
        .sandbox()
        .send(Method::POST, "/v1/e/token", jwt)
        .await;
    exchanged.ok();
}

#[tokio::test]
async fn users_who_came_meanwhile_are_noted_afterwards() {
    let server = Server::start().await;
    server.store.set_down(true);
    let page = server.page("viewer", "42").await;
    page.get("/v1/e/user_info").await.ok();
    server.store.set_down(false);
    let backend = server.page("backend", "all").await;
    eventually("the user is noted", || async {
        page.get("/v1/e/user_info").await;
        let listed = backend.get("/v1/e/user_ids").await.ok();
        listed["results"] == json!([{ "twitch_id": "77" }])
    })
    .await;
}

#[tokio::test]
async fn what_needs_the_store_is_a_fault_of_ours_and_says_nothing_of_it() {
    let server = Server::start().await;
    let broadcaster = server.page("broadcaster", "42").await;
    let backend = server.page("backend", "all").await;
    let body = json!({ "identifier": EXTENSION });
    let waiting = server.sandbox().post("/v1/e/pin", &body).await.ok();
    let game = server
        .sandbox()
        .with(EXTENSION, waiting["token"].as_str().unwrap());
    server.store.set_down(true);
    let pin = json!({ "pin": waiting["pin"] });
    for (method, path, body) in [
        ("POST", "gamelink/pin", json!({})),
        ("POST", "gamelink/token", json!({})),
        ("DELETE", "gamelink/token", json!({})),
        ("GET", "gamelink/grants", json!({})),
        ("DELETE", "gamelink/grants?id=x", json!({})),
        ("POST", "validate_pin", pin.clone()),
        ("GET", "pin_token_exists", json!({})),
        ("DELETE", "pin", json!({})),
    ] {
        let path = format!("/v1/e/{path}");
        let method: Method = method.parse().unwrap();
        our_fault(&broadcaster.send(method, &path, body.to_string()).await);
    }
    our_fault(&backend.get("/v1/e/user_ids").await);
    our_fault(&game.get("/v1/e/user_info").await);
    let open = server.sandbox();
    our_fault(&open.post("/v1/e/pin", &body).await);
    for (field, value) in [("pin", &waiting["pin"]), ("jwt", &waiting["token"])] {
        let mut body = body.clone();
        body[field] = Value::clone(value);
        our_fault(&open.post("/v1/e/unauthed/validate_pin", &body).await);
    }

    server.store.set_down(false);
    broadcaster.post("/v1/e/validate_pin", &pin).await.ok();
    game.get("/v1/e/user_info").await.ok();
}

#[tokio::test]
async fn a_paired_game_in_use_goes_on() {
    let server = Server::start().await;
    let body = json!({ "identifier": EXTENSION });
    let made = server.sandbox().post("/v1/e/pin", &body).await.ok();
    let page = server.page("broadcaster", "42").await;
    let pin = json!({ "pin": made["pin"] });
    page.post("/v1/e/validate_pin", &pin).await.ok();
    let game = server
        .sandbox()
        .with(EXTENSION, made["token"].as_str().unwrap());
    game.get("/v1/e/user_info").await.ok();
    server.store.set_down(true);
    server.advance_ms(3_600_000);
    game.get("/v1/e/user_info").await.ok();
}

#[tokio::test]
async fn each_fault_has_an_id_of_its_own() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    server.store.set_down(true);
    let mut ids = std::collections::HashSet::new();
    for _ in 0..20 {
        let answer = page.get("/v1/e/pin_token_exists").await;
        assert!(ids.insert(answer.header("x-request-id").unwrap().to_owned()));
    }
}
