//! Which game hears of which purchase (`spec 2.9`, `spec 6.2`).

use serde_json::{Value, json};

use crate::harness::{Game, Http, Server, refusal};
use crate::purchases::{PATH, made_up, payload};

const TARGETS: [&str; 4] = [
    "twitchPurchaseBits",
    "transaction_complete",
    "transaction_completed",
    "twitchBitsPurchase",
];

async fn buy(viewer: &Http, id: &str, sku: &str) {
    let mut receipt = payload(id, None, 1);
    receipt["data"]["product"]["sku"] = json!(sku);
    assert_eq!(viewer.post(PATH, &made_up(&receipt)).await.status, 201);
}

async fn subscribe(game: &mut Game, sku: &str) {
    game.done("subscribe", "twitchPurchaseBits", json!({ "sku": sku }))
        .await;
}

async fn next(game: &mut Game) -> String {
    let event = game.event("twitchPurchaseBits").await;
    event["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_game_hears_of_the_skus_it_subscribed_to_once_each_and_in_order() {
    let server = Server::start().await;
    let viewer = server.page("viewer", "42").await;
    let (mut sword, _) = server.paired_game("42").await;
    let (mut both, _) = server.paired_game("42").await;
    let (mut there, _) = server.paired_game("43").await;
    subscribe(&mut sword, "sword").await;
    subscribe(&mut both, "sword").await;
    subscribe(&mut both, "*").await;
    subscribe(&mut there, "*").await;
    for (id, sku) in [
        ("t1", "shield"),
        ("t2", "sword"),
        ("t3", "sword"),
        ("t4", "bow"),
    ] {
        buy(&viewer, id, sku).await;
    }
    for id in ["t2", "t3"] {
        assert_eq!(next(&mut sword).await, id);
    }
    for id in ["t1", "t2", "t3", "t4"] {
        assert_eq!(next(&mut both).await, id);
    }
    // One of two subscriptions ends, the other stays.
    both.done("unsubscribe", "twitchPurchaseBits", json!({ "sku": "*" }))
        .await;
    buy(&viewer, "t5", "bow").await;
    buy(&viewer, "t6", "sword").await;
    assert_eq!(
        (next(&mut both).await, next(&mut sword).await),
        ("t6".into(), "t6".into())
    );
    there.heartbeat().await;
}

#[tokio::test]
async fn every_name_of_the_target_means_the_same() {
    let server = Server::start().await;
    let viewer = server.page("viewer", "42").await;
    let (mut game, _) = server.paired_game("42").await;
    for (n, target) in TARGETS.into_iter().enumerate() {
        game.done("subscribe", target, json!({ "sku": "sword" }))
            .await;
        let id = format!("t{n}");
        buy(&viewer, &id, "sword").await;
        assert_eq!(next(&mut game).await, id);
        game.done("unsubscribe", TARGETS[3 - n], json!({ "sku": "sword" }))
            .await;
        buy(&viewer, &format!("{id}-alone"), "sword").await;
        game.heartbeat().await;
        let found = game
            .call("get", "transaction", json!({ "sku": "sword" }))
            .await;
        for one in found["data"]["transactions"].as_array().unwrap() {
            let validated = json!({ "transaction_id": one["muxy_id"] });
            game.done("validate", "transaction", validated).await;
        }
    }
}

#[tokio::test]
async fn a_purchase_that_found_no_game_is_held_5_s_for_the_first_that_comes() {
    let server = Server::start().await;
    let viewer = server.page("viewer", "42").await;
    let (mut game, _) = server.paired_game("42").await;
    let (mut other, _) = server.paired_game("42").await;
    // Hears of what is sold in the sandbox after what is held: so that is held by now.
    subscribe(&mut other, "mark").await;
    let mark = async |other: &mut Game, id: &str| {
        buy(&viewer, id, "mark").await;
        assert_eq!(next(other).await, id);
    };
    for (id, sku) in [
        ("t1", "sword"),
        ("t2", "bow"),
        ("t3", "sword"),
        ("t4", "shield"),
    ] {
        buy(&viewer, id, sku).await;
    }
    mark(&mut other, "m1").await;
    server.advance_ms(4_999);
    subscribe(&mut game, "sword").await;
    assert_eq!(
        (next(&mut game).await, next(&mut game).await),
        ("t1".into(), "t3".into())
    );
    subscribe(&mut other, "sword").await;
    other.heartbeat().await;
    // One that a game settled meanwhile is held no longer.
    let found = game
        .call("get", "transaction", json!({ "sku": "shield" }))
        .await;
    let shield = &found["data"]["transactions"][0]["muxy_id"];
    game.done(
        "validate",
        "transaction",
        json!({ "transaction_id": shield }),
    )
    .await;
    mark(&mut other, "m2").await;
    subscribe(&mut game, "shield").await;
    game.heartbeat().await;
    server.advance_ms(1);
    subscribe(&mut game, "*").await;
    game.heartbeat().await;
    // There is no replay, but `get` finds it.
    let found = game
        .call("get", "transaction", json!({ "sku": "bow" }))
        .await;
    assert_eq!(found["data"]["transactions"][0]["id"], "t2");
}

#[tokio::test]
async fn a_connection_has_as_many_subscriptions_as_the_limit_says() {
    let server = Server::start_with(|settings| {
        settings.limits.subscriptions_per_connection_max = 3;
    })
    .await;
    let (mut game, _) = server.paired_game("42").await;
    for sku in ["a", "b", "a", "c"] {
        subscribe(&mut game, sku).await;
    }
    let refused = game
        .call("subscribe", "twitchPurchaseBits", json!({ "sku": "d" }))
        .await;
    assert_eq!(
        refusal(&refused, 400).1,
        "sku is one more than a connection may subscribe to"
    );
    for target in ["datastream", "matchmaking"] {
        let refused = game.call("subscribe", target, Value::Null).await;
        refusal(&refused, 400);
    }
    game.done("unsubscribe", "twitchPurchaseBits", json!({ "sku": "a" }))
        .await;
    game.done("subscribe", "datastream", Value::Null).await;
}
