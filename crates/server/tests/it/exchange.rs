//! `token`: a developer's own server gets a token (`spec 1.4`, `spec 6.1`).

use crowdlink_protocol::Stage;
use http::Method;
use serde_json::{Value, json};

use crate::harness::{
    Answer, EXTENSION, SECRET, START_MS, Server, claims, payload, sign, sign_with_header,
};

const INVALID: &str = "Authorization token is invalid";

fn request(role: &str) -> Value {
    let now_s = START_MS / 1_000;
    json!({
        "identifier": EXTENSION, "channel_id": "42", "user_id": "7", "role": role,
        "iat": now_s, "exp": now_s + 300,
    })
}

async fn exchange(server: &Server, stage: Stage, body: &str) -> Answer {
    let http = server.rest(stage).header("content-type", "text/plain");
    http.send(Method::POST, "/v1/e/token", body.to_owned())
        .await
}

#[tokio::test]
async fn a_signed_request_gets_a_token_for_the_stage_asked() {
    let server = Server::start().await;
    let jwt = sign(&request("backend"), SECRET);
    for (stage, other) in [
        (Stage::Sandbox, Stage::Production),
        (Stage::Production, Stage::Sandbox),
    ] {
        for body in [jwt.clone(), format!(" {jwt}\n"), json!(jwt).to_string()] {
            let answer = exchange(&server, stage, &body).await.ok();
            let token = answer["token"].as_str().unwrap();
            let claims = payload(token);
            let sandbox = (stage == Stage::Sandbox).then(|| json!("sandbox"));
            assert_eq!(claims.get("allowed_stage").cloned(), sandbox);
            assert_eq!(claims["exp"], START_MS / 1_000 + 30 * 60);
            let path = "/v1/e/user_info";
            let info = server
                .rest(stage)
                .with(EXTENSION, token)
                .get(path)
                .await
                .ok();
            assert_eq!(
                (&info["role"], &info["channel_id"]),
                (&json!("backend"), &json!("42"))
            );
            let there = server.rest(other).with(EXTENSION, token).get(path).await;
            assert_eq!(there.status, 403);
        }
    }
}

#[tokio::test]
async fn the_token_lives_30_minutes() {
    let server = Server::start().await;
    let jwt = sign(&request("viewer"), SECRET);
    let answer = exchange(&server, Stage::Production, &jwt).await.ok();
    let page = server
        .rest(Stage::Production)
        .with(EXTENSION, answer["token"].as_str().unwrap());
    server.advance_ms(30 * 60_000 + 29_999);
    page.get("/v1/e/user_info").await.ok();
    server.advance_ms(1);
    page.get("/v1/e/user_info").await.refused(401, INVALID);
}

#[tokio::test]
async fn every_role_of_the_list_and_no_other_is_given() {
    let server = Server::start().await;
    for role in ["backend", "broadcaster", "moderator", "viewer", "external"] {
        let jwt = sign(&request(role), SECRET);
        exchange(&server, Stage::Sandbox, &jwt).await.ok();
    }
    for role in ["admin", "king", ""] {
        let jwt = sign(&request(role), SECRET);
        let answer = exchange(&server, Stage::Sandbox, &jwt).await;
        answer.refused(403, "User was unauthorized to access this resource");
    }
}

#[tokio::test]
async fn a_request_lives_five_minutes_at_most() {
    let server = Server::start().await;
    let mut longer = request("backend");
    longer["exp"] = json!(START_MS / 1_000 + 301);
    let answer = exchange(&server, Stage::Sandbox, &sign(&longer, SECRET)).await;
    answer.refused(401, INVALID);
    let jwt = sign(&request("backend"), SECRET);
    server.advance_ms(329_999);
    exchange(&server, Stage::Sandbox, &jwt).await.ok();
    server.advance_ms(1);
    let answer = exchange(&server, Stage::Sandbox, &jwt).await;
    assert_eq!(answer.refused(401, INVALID), "expired");
    let mut early = request("backend");
    early["iat"] = json!(server.clock_ms() / 1_000 + 31);
    early["exp"] = json!(server.clock_ms() / 1_000 + 60);
    exchange(&server, Stage::Sandbox, &sign(&early, SECRET))
        .await
        .refused(401, INVALID);
}

#[tokio::test]
async fn a_bad_signature_is_told_apart_from_a_bad_shape() {
    let server = Server::start().await;
    server
        .register("second", "901", &["c2Vjb25kIHNlY3JldCwgYWxzbyBsb25n"])
        .await;
    let text = request("backend").to_string();
    for jwt in [
        sign(&request("backend"), "c2Vjb25kIHNlY3JldCwgYWxzbyBsb25n"),
        sign_with_header(&json!({ "alg": "none" }), &text, SECRET),
        sign_with_header(&json!({ "alg": "HS512" }), &text, SECRET),
        sign_with_header(&json!({ "alg": "HS256", "kid": "x" }), &text, SECRET),
    ] {
        exchange(&server, Stage::Sandbox, &jwt)
            .await
            .refused(401, INVALID);
    }
    for body in ["", "{}", "x", "a.b.c", "\"\"", "[1]", &"x".repeat(5_000)] {
        let answer = exchange(&server, Stage::Sandbox, body).await;
        assert_eq!(answer.status, 400, "{body:?}");
        assert_eq!(answer.json()["status"], 400);
    }
    for field in ["identifier", "channel_id", "user_id", "role", "iat", "exp"] {
        let mut lacking = request("backend");
        lacking.as_object_mut().unwrap().remove(field);
        let answer = exchange(&server, Stage::Sandbox, &sign(&lacking, SECRET)).await;
        answer.refused(400, &format!("{field} is required"));
    }
    let mut unknown = request("backend");
    unknown["identifier"] = json!("nobody");
    let answer = exchange(&server, Stage::Sandbox, &sign(&unknown, SECRET)).await;
    answer.refused(401, "Extension is not registered");
    let mut long = request("backend");
    long["user_id"] = json!("7".repeat(1_000));
    let answer = exchange(&server, Stage::Sandbox, &sign(&long, SECRET)).await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn a_viewers_token_cannot_be_exchanged() {
    let server = Server::start().await;
    let mut viewer = claims("viewer", "42");
    viewer["iat"] = json!(START_MS / 1_000);
    viewer["exp"] = json!(START_MS / 1_000 + 60);
    viewer["user_id"] = json!("7");
    let answer = exchange(&server, Stage::Production, &sign(&viewer, SECRET)).await;
    answer.refused(400, "identifier is required");
    let ours = server.sandbox();
    let body = json!({ "app_id": EXTENSION, "channel_id": "42", "user_id": "7", "role": "admin" });
    let minted = ours.post("/v1/e/authtoken", &body).await.ok();
    let answer = exchange(
        &server,
        Stage::Production,
        minted["token"].as_str().unwrap(),
    )
    .await;
    answer.refused(400, "identifier is required");
}

#[tokio::test]
async fn tokens_got_by_exchange_decode_with_plain_base64() {
    let server = Server::start().await;
    for id in ["Ω>?~", "日本語", "😀", "ÿ"] {
        let mut odd = request("viewer");
        odd["user_id"] = json!(id);
        let answer = exchange(&server, Stage::Sandbox, &sign(&odd, SECRET))
            .await
            .ok();
        assert_eq!(payload(answer["token"].as_str().unwrap())["user_id"], id);
    }
}
