//! Drops (`spec 2.12`, `spec 3.10`).

use serde_json::{Value, json};

use crate::harness::{Game, Server, refusal};

const PATH: &str = "/v1/e/drops";

fn drop(id: &str, status: &str) -> Value {
    json!({
        "id": id, "benefit_id": "hat", "user_id": "77", "game_id": "g",
        "fulfillment_status": status,
    })
}

async fn ids(game: &mut Game, status: Value) -> Vec<String> {
    let answer = game.call("get", "drops", json!({ "status": status })).await;
    let drops = answer["data"]["drops"].as_array().unwrap();
    drops
        .iter()
        .map(|drop| drop["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn what_the_extensions_server_upserts_is_read_and_fulfilled_by_games() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    assert!(ids(&mut game, json!("*")).await.is_empty());
    let admin = server.trusted("admin");
    let drops = json!([
        drop("b", "CLAIMED"),
        drop("a", "CLAIMED"),
        drop("c", "FULFILLED")
    ]);
    assert_eq!(admin.post(PATH, &drops).await.ok(), json!({}));
    let answer = game
        .call("get", "drops", json!({ "status": "CLAIMED" }))
        .await;
    let expected = json!({
        "id": "a", "benefit_id": "hat", "user_id": "77", "game_id": "g",
        "fulfillment_status": "CLAIMED", "service": "twitch",
        "last_updated": "2023-11-14T22:13:20Z",
    });
    assert_eq!(answer["data"]["drops"][0].to_string(), expected.to_string());
    for (status, expected) in [
        (json!("CLAIMED"), &["a", "b"][..]),
        (json!("FULFILLED"), &["c"]),
        (json!(""), &["a", "b", "c"]),
        (json!("*"), &["a", "b", "c"]),
        (Value::Null, &["a", "b", "c"]),
    ] {
        assert_eq!(ids(&mut game, status).await, expected);
    }
    server.advance_ms(1_500);
    game.done("validate", "drops", json!({ "id": "a" })).await;
    game.done("validate", "drops", json!({ "id": "a" })).await;
    assert_eq!(ids(&mut game, json!("CLAIMED")).await, ["b"]);
    let answer = game
        .call("get", "drops", json!({ "status": "FULFILLED" }))
        .await;
    let fulfilled = &answer["data"]["drops"][0];
    assert_eq!(
        (&fulfilled["id"], &fulfilled["last_updated"]),
        (&json!("a"), &json!("2023-11-14T22:13:21.5Z"))
    );
    // The platform may take it back.
    admin.post(PATH, &json!([drop("a", "CLAIMED")])).await.ok();
    assert_eq!(ids(&mut game, json!("CLAIMED")).await, ["a", "b"]);
    let unknown = game.call("validate", "drops", json!({ "id": "x" })).await;
    refusal(&unknown, 404);
}

#[tokio::test]
async fn drops_of_a_channel_are_that_channels_alone() {
    let server = Server::start().await;
    let (mut here, _) = server.paired_game("42").await;
    let (mut there, _) = server.paired_game("43").await;
    let admin = server.trusted("admin");
    admin
        .post(
            "/v1/e/drops?channel_id=42",
            &json!([drop("mine", "CLAIMED")]),
        )
        .await
        .ok();
    admin
        .post(PATH, &json!([drop("all", "CLAIMED")]))
        .await
        .ok();
    assert_eq!(ids(&mut here, json!("CLAIMED")).await, ["mine", "all"]);
    assert_eq!(ids(&mut there, json!("CLAIMED")).await, ["all"]);
    refusal(
        &there
            .call("validate", "drops", json!({ "id": "mine" }))
            .await,
        404,
    );
    here.done("validate", "drops", json!({ "id": "mine" }))
        .await;
}

#[tokio::test]
async fn bad_input_is_named_and_nothing_of_a_call_happens() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    for role in ["viewer", "broadcaster"] {
        let refused = server.page(role, "42").await.post(PATH, &json!([])).await;
        refused.forbidden("requires role admin or backend");
    }
    let admin = server.trusted("backend");
    for (key, value) in [
        ("id", json!("")),
        ("id", json!(null)),
        ("id", json!("x".repeat(129))),
        ("user_id", json!("a\nb")),
        ("fulfillment_status", json!("LOST")),
        ("fulfillment_status", json!(1)),
    ] {
        let mut wrong = drop("a", "CLAIMED");
        wrong[key] = value.clone();
        let refused = admin
            .post(PATH, &json!([drop("ok", "CLAIMED"), wrong]))
            .await;
        assert_eq!(refused.status, 400, "{key} {value}");
        let reason = refused.json()["reason"].as_str().unwrap().to_owned();
        assert!(reason.starts_with("[1]"), "{reason}");
    }
    for body in [json!({}), json!([1]), json!("x")] {
        assert_eq!(admin.post(PATH, &body).await.status, 400, "{body}");
    }
    let many: Vec<Value> = (0..1_001)
        .map(|n| drop(&n.to_string(), "CLAIMED"))
        .collect();
    admin
        .post(PATH, &json!(many))
        .await
        .refused(400, "the body must name at most 1000");
    assert!(ids(&mut game, json!("*")).await.is_empty());
    admin.post(PATH, &json!(many[..1_000])).await.ok();
    admin
        .post(PATH, &json!([drop("one more", "CLAIMED")]))
        .await
        .ok();
    assert_eq!(ids(&mut game, json!("*")).await.len(), 1_000);
    for (data, field) in [
        (json!({ "status": "LOST" }), "status"),
        (json!({ "status": 1 }), "status"),
    ] {
        let answer = game.call("get", "drops", data).await;
        assert!(refusal(&answer, 400).1.contains(field));
    }
    refusal(&game.call("validate", "drops", json!({})).await, 400);
}
