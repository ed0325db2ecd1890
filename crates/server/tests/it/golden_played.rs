//! A session of a game that plays with its viewers, as the golden frames tell (`spec 2.8`–`2.13`).

use serde_json::{Value, json};

use crate::coins::BUY;
use crate::golden_frames::{assert_next_is, golden, request};
use crate::harness::{Game, Http, Server};
use crate::purchases::{PATH, made_up, payload};

/// The id of every transaction in the golden frames.
const ID: &str = "018bcfe5-6800-7000-8000-000000000001";

/// Sends a golden request and asserts its golden answer.
async fn asked(game: &mut Game, name: &str) -> Value {
    game.send_text(&golden(&format!("{name}.request"))).await;
    assert_next_is(game, &format!("{name}.answer")).await
}

/// Asserts that the next frame is a golden one but for the id of its transaction, which it gives.
async fn next_sold(game: &mut Game, name: &str) -> Value {
    let came = game.frame().await;
    let expected: Value = serde_json::from_str(&golden(name)).unwrap();
    let sold = came["data"]["transactions"].get(0).unwrap_or(&came["data"]);
    let id = sold["muxy_id"].clone();
    let text = came["data"].to_string().replace(id.as_str().unwrap(), ID);
    assert_eq!(text, expected["data"].to_string(), "{name}");
    assert_eq!(came["meta"]["request_id"], expected["meta"]["request_id"]);
    id
}

async fn with_id(game: &mut Game, name: &str, id: &Value) {
    game.send_text(&request(&format!("{name}.request"), "transaction_id", id))
        .await;
}

async fn streams(game: &mut Game, viewer: &Http) {
    for name in [
        "subscribe_datastream",
        "subscribe_purchases",
        "subscribe_matchmaking",
    ] {
        asked(game, name).await;
    }
    viewer
        .post("/v1/e/datastream", &json!({ "x": 0.5, "y": 1.0 }))
        .await
        .ok();
    assert_next_is(game, "datastream.event").await;
    let receipt = made_up(&payload("test:1700000000123", Some("77"), 50));
    assert_eq!(viewer.post(PATH, &receipt).await.status, 201);
    next_sold(game, "purchase_bits.event").await;
    viewer
        .post("/v1/e/matchmaking", &json!({ "team": "red" }))
        .await
        .ok();
    assert_next_is(game, "matchmaking.event").await;
    for name in ["get_matchmaking", "remove_matchmaking", "clear_matchmaking"] {
        asked(game, name).await;
    }
}

#[tokio::test]
async fn a_session_of_a_game_that_plays_goes_as_the_frames_tell() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    let viewer = server.page("viewer", "42").await;
    streams(&mut game, &viewer).await;
    asked(&mut game, "set_actions").await;
    let mut wrong: Value = serde_json::from_str(&golden("set_actions.request")).unwrap();
    wrong["data"]["actions"][0]["impact"] = json!(6);
    game.send_text(&wrong.to_string()).await;
    assert_next_is(&mut game, "set_actions.error").await;
    for name in ["set_action_state", "set_metadata"] {
        asked(&mut game, name).await;
    }
    let order = json!({ "sku": "heal", "price": 25, "additional": { "note": "hi" } });
    viewer.post(BUY, &order).await.ok();
    let id = next_sold(&mut game, "purchase_coins.event").await;
    game.send_text(&golden("get_transactions.request")).await;
    assert_eq!(next_sold(&mut game, "get_transactions.answer").await, id);
    for name in ["refund_transaction.answer", "refund_transaction.error"] {
        with_id(&mut game, "refund_transaction", &id).await;
        assert_next_is(&mut game, name).await;
    }
    viewer.post(BUY, &order).await.ok();
    let id = next_sold(&mut game, "purchase_coins.event").await;
    with_id(&mut game, "validate_transaction", &id).await;
    assert_next_is(&mut game, "validate_transaction.answer").await;
    viewer.post(BUY, &order).await.ok();
    next_sold(&mut game, "purchase_coins.event").await;
    game.send_text(&golden("refund_sku.request")).await;
    assert_eq!(game.frame().await["data"], json!({ "ok": true }));
    let drops = json!([{
        "id": "d1", "benefit_id": "hat", "user_id": "77", "game_id": "g",
        "fulfillment_status": "CLAIMED",
    }]);
    server
        .trusted("admin")
        .post("/v1/e/drops", &drops)
        .await
        .ok();
    let listed = asked(&mut game, "get_drops").await;
    game.send_text(&golden("get_all_drops.request")).await;
    assert_eq!(game.frame().await["data"], listed["data"]);
    for name in [
        "validate_drop",
        "unsubscribe_datastream",
        "unsubscribe_purchases",
        "unsubscribe_matchmaking",
    ] {
        asked(&mut game, name).await;
    }
}
