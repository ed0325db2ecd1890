//! Viewers who want to play (`spec 2.11`, `spec 3.10`).

use http::Method;
use serde_json::{Value, json};

use crate::harness::{Game, START_MS, Server, refusal};
use crate::purchases::pay;

const PATH: &str = "/v1/e/matchmaking";

async fn waiting(game: &mut Game) -> Vec<String> {
    let answer = game.call("get", "matchmaking", Value::Null).await;
    let entries = answer["data"]["entries"].as_array().unwrap();
    let id = |entry: &Value| entry["twitch_id"].as_str().unwrap().to_owned();
    entries.iter().map(id).collect()
}

#[tokio::test]
async fn a_viewer_who_joins_is_told_to_the_games_that_invite() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    game.done("subscribe", "matchmaking", json!({ "operation": "invite" }))
        .await;
    let viewer = server.page("viewer", "42").await;
    assert_eq!(
        viewer.post(PATH, &json!({ "team": "red" })).await.ok(),
        json!({})
    );
    let expected = json!({
        "data": { "team": "red" }, "twitch_username": "77", "twitch_id": "77",
        "timestamp": START_MS / 1_000, "is_follower": false, "subscription_tier": 0,
        "bits_spent": 0,
    });
    assert_eq!(
        game.event("matchmaking").await.to_string(),
        expected.to_string()
    );
    // What the platform told of the viewer meanwhile.
    pay(&server, &viewer, "77", 50).await;
    viewer.post(PATH, &json!({})).await.ok();
    let event = game.event("matchmaking").await;
    assert_eq!(
        (&event["bits_spent"], &event["twitch_username"]),
        (&json!(50), &json!("Seven"))
    );
    // Who does not share who they are is known by the opaque id.
    let token = json!({
        "exp": START_MS / 1_000 + 3_600, "opaque_user_id": "UX", "channel_id": "42",
        "role": "viewer", "allowed_stage": "sandbox",
    });
    let stranger = server.signed(crowdlink_protocol::Stage::Sandbox, &token);
    stranger.post(PATH, &json!({})).await.ok();
    assert_eq!(game.event("matchmaking").await["twitch_id"], "UX");
    game.done(
        "unsubscribe",
        "matchmaking",
        json!({ "operation": "invite" }),
    )
    .await;
    viewer.post(PATH, &json!({})).await.ok();
    game.heartbeat().await;
}

#[tokio::test]
async fn games_and_viewers_empty_the_queue() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    let join = async |user: &str| {
        server
            .viewer(user, "42")
            .await
            .post(PATH, &json!({}))
            .await
            .ok();
    };
    for user in ["71", "72", "73"] {
        join(user).await;
    }
    server
        .viewer("74", "43")
        .await
        .post(PATH, &json!({}))
        .await
        .ok();
    assert_eq!(waiting(&mut game).await, ["71", "72", "73"]);
    let leave = server.viewer("71", "42").await;
    assert_eq!(leave.delete(PATH).await.ok(), json!({}));
    assert_eq!(leave.delete(PATH).await.ok(), json!({}));
    assert_eq!(waiting(&mut game).await, ["72", "73"]);
    game.done("remove", "matchmaking", json!({ "id": "72" }))
        .await;
    game.done("remove", "matchmaking", json!({ "id": "72" }))
        .await;
    assert_eq!(waiting(&mut game).await, ["73"]);
    join("71").await;
    game.done("clear", "matchmaking", Value::Null).await;
    assert!(waiting(&mut game).await.is_empty());
    let (mut other, _) = server.paired_game("43").await;
    assert_eq!(waiting(&mut other).await, ["74"]);
    server.advance_ms(24 * 60 * 60 * 1_000);
    // It was silent for too long itself.
    let (mut other, _) = server.paired_game("43").await;
    assert!(waiting(&mut other).await.is_empty());
}

#[tokio::test]
async fn bad_input_is_named_and_changes_nothing() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    let viewer = server.page("viewer", "42").await;
    let sized = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8));
    viewer.send(Method::POST, PATH, sized(1_024)).await.ok();
    let refused = viewer.send(Method::POST, PATH, sized(1_025)).await;
    refused.refused(400, "the document must not be over 1024 bytes");
    assert_eq!(viewer.send(Method::POST, PATH, "[]").await.status, 400);
    for (action, data, field) in [
        ("subscribe", json!({ "operation": "vote" }), "operation"),
        ("subscribe", json!({ "operation": 1 }), "operation"),
        ("remove", json!({}), "id"),
        ("remove", json!({ "id": 77 }), "id"),
        ("remove", json!({ "id": "x".repeat(100) }), "id"),
        ("dance", json!({}), "dance"),
    ] {
        let answer = game.call(action, "matchmaking", data).await;
        assert!(refusal(&answer, 400).1.contains(field), "{answer}");
    }
    assert_eq!(waiting(&mut game).await, ["77"]);
}

#[tokio::test]
async fn an_answer_has_100_viewers_and_1_mib_of_what_they_sent() {
    let server = Server::start_with(|settings| {
        settings.limits.matchmaking_bytes_max = 500_000;
    })
    .await;
    let (mut game, _) = server.paired_game("42").await;
    for n in 0..101 {
        let viewer = server.viewer(&(1_000 + n).to_string(), "42").await;
        viewer.post(PATH, &json!({})).await.ok();
    }
    assert_eq!(waiting(&mut game).await.len(), 100);
    let large = json!({ "a": "x".repeat(400_000) });
    for n in 0..3 {
        let viewer = server.viewer(&(1_000 + n).to_string(), "42").await;
        viewer.post(PATH, &large).await.ok();
    }
    assert_eq!(waiting(&mut game).await, ["1000", "1001"]);
}
