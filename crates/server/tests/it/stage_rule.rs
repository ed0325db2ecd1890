//! Sandbox and production are two worlds (`spec 1.1`, `spec 1.2`, stage rule).

use crowdlink_core::registry::{self, UpdateExtension};
use crowdlink_protocol::{ClientId, Stage};
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, EXTENSION, Server, claims};

fn mismatch(answer: &Answer) {
    let reason = "User was unauthorized to access this resource";
    assert_eq!(answer.refused(403, reason), "Allowed stage mismatch");
}

fn staged(role: &str, stage: &str) -> Value {
    let mut claims = claims(role, "42");
    claims["allowed_stage"] = json!(stage);
    claims
}

#[tokio::test]
async fn a_token_of_one_stage_is_refused_on_the_other() {
    let server = Server::start().await;
    let path = "/v1/e/user_info";
    let on = |stage, claims: &Value| server.signed(stage, claims);
    on(Stage::Sandbox, &staged("viewer", "sandbox"))
        .get(path)
        .await
        .ok();
    on(Stage::Production, &staged("viewer", "production"))
        .get(path)
        .await
        .ok();
    on(Stage::Production, &claims("viewer", "42"))
        .get(path)
        .await
        .ok();

    mismatch(
        &on(Stage::Production, &staged("viewer", "sandbox"))
            .get(path)
            .await,
    );
    for claims in [
        claims("viewer", "42"),
        staged("viewer", "production"),
        staged("viewer", "Sandbox"),
        staged("viewer", ""),
    ] {
        mismatch(&on(Stage::Sandbox, &claims).get(path).await);
    }
}

#[tokio::test]
async fn tokens_minted_in_the_sandbox_are_worth_nothing_in_production() {
    let server = Server::start().await;
    for role in ["viewer", "broadcaster", "admin"] {
        let body = json!({ "app_id": EXTENSION, "channel_id": "42", "user_id": "7", "role": role });
        let answer = server.sandbox().post("/v1/e/authtoken", &body).await.ok();
        let jwt = answer["token"].as_str().unwrap();
        let there = server.rest(Stage::Production).with(EXTENSION, jwt);
        mismatch(&there.get("/v1/e/user_info").await);
    }
}

#[tokio::test]
async fn the_stage_is_looked_at_before_the_role() {
    let server = Server::start().await;
    let viewer = server.signed(Stage::Production, &staged("viewer", "sandbox"));
    mismatch(&viewer.post("/v1/e/gamelink/pin", &json!({})).await);
    mismatch(&viewer.get("/v1/e/user_ids").await);
    mismatch(&viewer.get("/v1/e/user_info?channel_id=43").await);
}

#[tokio::test]
async fn one_switch_lets_the_sandbox_take_platform_tokens_and_nothing_else() {
    let server = Server::start().await;
    let platform = server.signed(Stage::Sandbox, &claims("viewer", "42"));
    mismatch(&platform.get("/v1/e/user_info").await);

    let id = ClientId::new(EXTENSION).unwrap();
    let switch = |on| UpdateExtension {
        sandbox_takes_platform_tokens: Some(on),
        ..UpdateExtension::default()
    };
    let world = server.app.core.world();
    registry::update(world, &id, switch(true)).await.unwrap();
    server
        .in_time("the switch is on", || async {
            platform.get("/v1/e/user_info").await.status == 200
        })
        .await;
    assert_eq!(
        platform.get("/v1/e/user_info").await.ok()["stage"],
        "sandbox"
    );

    // Said so, it is for production; and what was minted here for production is not the platform's.
    let said = server.signed(Stage::Sandbox, &staged("viewer", "production"));
    mismatch(&said.get("/v1/e/user_info").await);
    let production = server.signed(Stage::Production, &staged("viewer", "sandbox"));
    mismatch(&production.get("/v1/e/user_info").await);
    let pin = server
        .rest(Stage::Production)
        .post("/v1/e/pin", &json!({ "identifier": EXTENSION }))
        .await
        .ok();
    let ours = server
        .sandbox()
        .with(EXTENSION, pin["token"].as_str().unwrap());
    mismatch(&ours.get("/v1/e/user_info").await);

    registry::update(world, &id, switch(false)).await.unwrap();
    server
        .in_time("the switch is off, also for tokens in use", || async {
            platform.get("/v1/e/user_info").await.status == 403
        })
        .await;
}

#[tokio::test]
async fn a_pin_of_one_stage_is_unknown_on_the_other() {
    let server = Server::start().await;
    let body = json!({ "identifier": EXTENSION });
    let made = server.sandbox().post("/v1/e/pin", &body).await.ok();
    let mut broadcaster = claims("broadcaster", "42");
    broadcaster["user_id"] = json!("42");
    let there = server.signed(Stage::Production, &broadcaster);
    there
        .post("/v1/e/validate_pin", &json!({ "pin": made["pin"] }))
        .await
        .refused(400, "The provided PIN is invalid or expired");
    let check = json!({ "identifier": EXTENSION, "pin": made["pin"] });
    let path = "/v1/e/unauthed/validate_pin";
    let answer = server.rest(Stage::Production).post(path, &check).await;
    assert_eq!(answer.status, 401);
    server.sandbox().post(path, &check).await.ok();
    let here = server.page("broadcaster", "42").await;
    here.post("/v1/e/validate_pin", &json!({ "pin": made["pin"] }))
        .await
        .ok();
    let exists = |answer: Answer| answer.ok()["exists"].as_bool().unwrap();
    assert!(exists(here.get("/v1/e/pin_token_exists").await));
    assert!(!exists(there.get("/v1/e/pin_token_exists").await));
    there.send(Method::DELETE, "/v1/e/pin", "").await.ok();
    assert!(exists(here.get("/v1/e/pin_token_exists").await));
}
