//! Coins: buying, refunds, and that nothing moves where something is refused (`spec 3.9`,
//! `spec 2.9`).

use serde_json::{Value, json};

use crate::harness::{Http, START_MS, Server, refusal};
use crate::purchases::{balance, pay};

pub const BUY: &str = "/v1/e/coins/purchase";

/// A server whose channel 42 sells a potion for 10 and a hat for 0, and a viewer with 100 coins.
async fn shop() -> (Server, Http) {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    let config = json!({ "skus": {
        "potion": { "price": 10, "displayName": "A potion" }, "hat": { "price": 0 },
        "broken": { "price": "ten" },
    } });
    page.post("/v1/e/config/channel", &config).await.ok();
    let viewer = server.page("viewer", "42").await;
    pay(&server, &viewer, "77", 100).await;
    (server, viewer)
}

#[tokio::test]
async fn a_purchase_takes_coins_and_is_told() {
    let (server, viewer) = shop().await;
    let (mut game, _) = server.paired_game("42").await;
    game.done(
        "subscribe",
        "twitchPurchaseBits",
        json!({ "sku": "potion" }),
    )
    .await;
    let order = json!({ "sku": "potion", "price": 10, "additional": { "note": "hi", "n": 1.0 } });
    let bought = viewer.post(BUY, &order).await.ok();
    let id = &bought["transaction_id"];
    assert_eq!(bought, json!({ "transaction_id": id, "balance": 90 }));
    let event = game.event("twitchPurchaseBits").await;
    let expected = json!({
        "id": id, "muxy_id": id, "sku": "potion", "displayName": "A potion", "userId": "77",
        "username": "Seven", "cost": 10, "currency": "coins", "timestamp": START_MS,
        "additional": { "note": "hi", "n": 1.0 },
    });
    assert_eq!(event.to_string(), expected.to_string());
    assert_eq!(balance(&viewer).await, 90);
    // What costs nothing is bought too, under its SKU where it has no name.
    viewer
        .post(
            BUY,
            &json!({ "sku": "hat", "price": 0.0, "additional": null }),
        )
        .await
        .ok();
    let hat = game
        .call("get", "transaction", json!({ "sku": "hat" }))
        .await;
    let hat = &hat["data"]["transactions"][0];
    assert_eq!(
        (&hat["displayName"], &hat["additional"]),
        (&json!("hat"), &json!({}))
    );
}

#[tokio::test]
async fn a_refused_purchase_moves_nothing() {
    let (server, viewer) = shop().await;
    let big = json!({ "a": "x".repeat(2_041) });
    for (order, status, reason) in [
        (json!({ "sku": "potion", "price": 9 }), 409, "price changed"),
        (
            json!({ "sku": "sword", "price": 10 }),
            404,
            "There is no such SKU",
        ),
        (
            json!({ "sku": "broken", "price": 10 }),
            404,
            "There is no such SKU",
        ),
        (json!({ "price": 10 }), 400, "sku is required"),
        (
            json!({ "sku": 1, "price": 10 }),
            400,
            "sku must be a string",
        ),
        (json!({ "sku": "potion" }), 400, "price is required"),
        (
            json!({ "sku": "potion", "price": "10" }),
            400,
            "price must be a whole number of coins",
        ),
        (
            json!({ "sku": "potion", "price": -10 }),
            400,
            "price must be a whole number of coins",
        ),
        (
            json!({ "sku": "potion", "price": 10, "additional": [] }),
            400,
            "additional must be an object",
        ),
        (
            json!({ "sku": "potion", "price": 10, "additional": big }),
            400,
            "the document must not be over 2048 bytes",
        ),
        (json!([]), 400, "body must be a JSON object"),
    ] {
        viewer.post(BUY, &order).await.refused(status, reason);
    }
    let poor = server.viewer("78", "42").await;
    let order = json!({ "sku": "potion", "price": 10 });
    poor.post(BUY, &order)
        .await
        .refused(400, "not enough coins");
    // Coins are a channel's: those of this one buy nothing in another.
    let there = server.page("viewer", "43").await;
    assert_eq!(balance(&there).await, 0);
    server.store.set_down(true);
    assert_eq!(viewer.post(BUY, &order).await.status, 500);
    server.store.set_down(false);
    assert_eq!((balance(&viewer).await, balance(&poor).await), (100, 0));
    let (mut game, _) = server.paired_game("42").await;
    let found = game
        .call("get", "transaction", json!({ "sku": "potion" }))
        .await;
    assert_eq!(found["data"], json!({ "transactions": [] }));
}

#[tokio::test]
async fn parallel_purchases_never_spend_a_coin_twice() {
    let (server, viewer) = shop().await;
    let order = json!({ "sku": "potion", "price": 10 });
    let orders = (0..30).map(|_| viewer.post(BUY, &order));
    let answers = futures::future::join_all(orders).await;
    let bought = answers.iter().filter(|answer| answer.status == 200).count();
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.refused(400, "not enough coins");
    }
    assert_eq!((bought, balance(&viewer).await), (10, 0));
    let (mut game, _) = server.paired_game("42").await;
    for left in (0..10).rev() {
        let refunded = json!({ "sku": "potion", "user_id": "77" });
        game.done("refund", "transaction", refunded).await;
        assert_eq!(balance(&viewer).await, 100 - left * 10);
    }
    let none = game
        .call(
            "refund",
            "transaction",
            json!({ "sku": "potion", "user_id": "77" }),
        )
        .await;
    refusal(&none, 404);
}

#[tokio::test]
async fn coins_go_back_once_to_who_paid_them() {
    let (server, viewer) = shop().await;
    let (mut game, _) = server.paired_game("42").await;
    let buy = async || {
        let order = json!({ "sku": "potion", "price": 10 });
        viewer.post(BUY, &order).await.ok()["transaction_id"].clone()
    };
    let (first, second, third) = (buy().await, buy().await, buy().await);
    let refund = |id: &Value, user: &str| json!({ "transaction_id": id, "user_id": user });
    let other = game
        .call("refund", "transaction", refund(&first, "78"))
        .await;
    refusal(&other, 404);
    game.done("refund", "transaction", refund(&first, "77"))
        .await;
    let again = game
        .call("refund", "transaction", refund(&first, "77"))
        .await;
    refusal(&again, 404);
    let validate = json!({ "transaction_id": first });
    refusal(&game.call("validate", "transaction", validate).await, 404);
    assert_eq!(balance(&viewer).await, 80);
    // The latest that is not settled.
    game.done(
        "validate",
        "transaction",
        json!({ "transaction_id": third }),
    )
    .await;
    let settled = game
        .call("refund", "transaction", refund(&third, "77"))
        .await;
    refusal(&settled, 404);
    let other = json!({ "sku": "potion", "user_id": "78" });
    refusal(&game.call("refund", "transaction", other).await, 404);
    let latest = json!({ "sku": "potion", "user_id": "77", "transaction_id": "" });
    game.done("refund", "transaction", latest).await;
    assert_eq!(balance(&viewer).await, 90);
    let found = game.call("get", "transaction", json!({ "sku": "*" })).await;
    let open = found["data"]["transactions"].as_array().unwrap();
    assert!(
        open.iter().all(|one| one["currency"] == "bits"),
        "{second} is open: {found}"
    );
}

#[tokio::test]
async fn parallel_refunds_of_one_transaction_give_back_once() {
    let (server, viewer) = shop().await;
    let order = json!({ "sku": "potion", "price": 10 });
    let id = viewer.post(BUY, &order).await.ok()["transaction_id"].clone();
    let mut games = Vec::new();
    for _ in 0..8 {
        games.push(server.paired_game("42").await.0);
    }
    let refund = json!({ "transaction_id": id, "user_id": "77" });
    let refunds = games
        .iter_mut()
        .map(|game| game.call("refund", "transaction", refund.clone()));
    let answers = futures::future::join_all(refunds).await;
    let done = answers
        .iter()
        .filter(|answer| answer["data"]["ok"] == true)
        .count();
    assert_eq!((done, balance(&viewer).await), (1, 100));
}
