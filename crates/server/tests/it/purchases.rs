//! Receipts of the platform (`spec 3.9`, `spec 2.9`, `spec 6.3`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crowdlink_protocol::Stage;
use serde_json::{Value, json};

use crate::harness::{EXTENSION, Http, SECRET, START_MS, Server, claims, refusal, sign};

pub const PATH: &str = "/v1/e/bits/transactions";
/// What the browser library writes for a signature.
const CONSTANT: &str = "DK02m0j0HQMKsPeFIrAuVdFh5X8f0hknjEKHAjGt6B0";

/// What a receipt says: `sword` for 50 bits.
pub fn payload(id: &str, user: Option<&str>, bits: u64) -> Value {
    json!({
        "topic": "bits_transaction_receipt", "exp": START_MS / 1_000 + 10,
        "data": {
            "transactionId": id, "time": "2023-11-14 22:13:20.123 +0000 UTC", "userId": user,
            "product": {
                "domainId": format!("twitch.ext.{EXTENSION}"), "sku": "sword",
                "displayName": "A fine sword", "cost": { "amount": bits, "type": "bits" },
            },
        },
    })
}

/// What the browser library posts in development.
pub fn made_up(payload: &Value) -> Value {
    let header = STANDARD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let receipt = format!(
        "{header}.{}.{CONSTANT}",
        STANDARD.encode(payload.to_string())
    );
    json!({
        "transactionId": "t", "product": {}, "userId": "77", "displayName": "Seven",
        "initiator": "current_user", "transactionReceipt": receipt,
    })
}

/// A viewer of the sandbox turns bits into coins.
pub async fn pay(server: &Server, viewer: &Http, user: &str, bits: u64) {
    let mut receipt = payload(
        &format!("{user}-{}", server.store.commits()),
        Some(user),
        bits,
    );
    receipt["exp"] = json!(server.clock_ms() / 1_000 + 10);
    let paid = viewer.post(PATH, &made_up(&receipt)).await;
    assert_eq!(paid.status, 201, "{:?}", paid.body);
}

pub async fn balance(viewer: &Http) -> u64 {
    viewer.get("/v1/e/coins").await.ok()["balance"]
        .as_u64()
        .unwrap()
}

#[tokio::test]
async fn a_receipt_becomes_coins_and_an_event_once() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    game.done("subscribe", "twitchPurchaseBits", json!({ "sku": "*" }))
        .await;
    let viewer = server.page("viewer", "42").await;
    let receipt = made_up(&payload("t1", Some("77"), 50));
    let paid = viewer.post(PATH, &receipt).await;
    assert_eq!((paid.status.as_u16(), &paid.body[..]), (201, &b"{}"[..]));
    assert_eq!(paid.header("content-type"), Some("application/json"));
    let event = game.event("twitchPurchaseBits").await;
    let expected = json!({
        "id": "t1", "muxy_id": event["muxy_id"], "sku": "sword", "displayName": "A fine sword",
        "userId": "77", "username": "Seven", "cost": 50, "currency": "bits",
        "timestamp": START_MS + 123, "additional": {},
    });
    assert_eq!(event.to_string(), expected.to_string());
    assert!(event["muxy_id"].as_str().is_some_and(|id| !id.is_empty()));
    assert_eq!(balance(&viewer).await, 50);
    // Again, by somebody else, and when its time is long over.
    assert_eq!(viewer.post(PATH, &receipt).await.status, 201);
    let other = server.viewer("78", "42").await;
    assert_eq!(other.post(PATH, &receipt).await.status, 201);
    let elsewhere = server.page("viewer", "43").await;
    assert_eq!(elsewhere.post(PATH, &receipt).await.status, 201);
    server.advance_ms(60_000);
    assert_eq!(viewer.post(PATH, &receipt).await.status, 201);
    assert_eq!((balance(&viewer).await, balance(&other).await), (50, 0));
    assert_eq!(balance(&elsewhere).await, 0);
    game.heartbeat().await;
}

#[tokio::test]
async fn parallel_repeats_of_one_receipt_count_once() {
    let server = Server::start().await;
    let viewer = server.page("viewer", "42").await;
    let receipt = made_up(&payload("t1", None, 7));
    let posts = (0..50).map(|_| viewer.post(PATH, &receipt));
    for posted in futures::future::join_all(posts).await {
        assert_eq!(posted.status, 201);
    }
    assert_eq!(balance(&viewer).await, 7);
}

#[tokio::test]
async fn a_receipt_is_its_users_and_ends() {
    let server = Server::start().await;
    let viewer = server.page("viewer", "42").await;
    let foreign = viewer
        .post(PATH, &made_up(&payload("t1", Some("78"), 50)))
        .await;
    foreign.forbidden("the receipt is of another user");
    // 10 s and 30 s of skew.
    server.advance_ms(39_999);
    let id = |id| made_up(&payload(id, None, 50));
    assert_eq!(viewer.post(PATH, &id("t2")).await.status, 201);
    server.advance_ms(1);
    let late = viewer.post(PATH, &id("t3")).await;
    late.refused(400, "transactionReceipt has expired");
    for (body, reason) in [
        (json!({}), "transactionReceipt is required"),
        (
            json!({ "transactionReceipt": 1 }),
            "transactionReceipt must be a string",
        ),
        (json!([]), "body must be a JSON object"),
        (
            json!({ "transactionReceipt": "transaction-receipt" }),
            "transactionReceipt must be a JWT",
        ),
        (
            json!({ "transactionReceipt": "x".repeat(4_097) }),
            "transactionReceipt is too long",
        ),
    ] {
        viewer.post(PATH, &body).await.refused(400, reason);
    }
    assert_eq!(balance(&viewer).await, 50);
    server
        .sandbox()
        .post(PATH, &id("t4"))
        .await
        .refused(401, "Authorization header is missing or malformed");
}

#[tokio::test]
async fn production_takes_signed_receipts_of_the_caller_alone() {
    let server = Server::start().await;
    let mut token = claims("viewer", "42");
    token["user_id"] = json!("77");
    let viewer = server.signed(Stage::Production, &token);
    let unsigned = viewer
        .post(PATH, &made_up(&payload("t1", Some("77"), 50)))
        .await;
    unsigned.refused(
        400,
        "transactionReceipt must be signed with a secret of the extension",
    );
    let signed = |payload: &Value| json!({ "transactionReceipt": sign(payload, SECRET) });
    for user in [Some("78"), None] {
        let foreign = viewer.post(PATH, &signed(&payload("t1", user, 50))).await;
        foreign.forbidden("the receipt is of another user");
    }
    let stranger = server.production_page("viewer", "42");
    let foreign = stranger
        .post(PATH, &signed(&payload("t1", Some("77"), 50)))
        .await;
    foreign.forbidden("the receipt is of another user");
    assert_eq!(balance(&viewer).await, 0);
    let paid = viewer
        .post(PATH, &signed(&payload("t1", Some("77"), 50)))
        .await;
    assert_eq!((paid.status.as_u16(), balance(&viewer).await), (201, 50));
    // The stages are two worlds: the same transaction counts in the other one too.
    let sandbox = server.page("viewer", "42").await;
    assert_eq!(
        sandbox
            .post(PATH, &made_up(&payload("t1", None, 3)))
            .await
            .status,
        201
    );
    assert_eq!((balance(&sandbox).await, balance(&viewer).await), (3, 50));
    // A receipt is no token to call with.
    let receipt = sign(&payload("t2", Some("77"), 50), SECRET);
    let caller = server.rest(Stage::Production).with(EXTENSION, &receipt);
    assert_eq!(caller.get("/v1/e/coins").await.status, 401);
}

#[tokio::test]
async fn the_game_gets_the_oldest_ten_and_settles_them() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    let viewer = server.page("viewer", "42").await;
    let none = game.call("get", "transaction", json!({ "sku": "*" })).await;
    assert_eq!(none["data"], json!({ "transactions": [] }));
    for n in 0..12 {
        let mut receipt = payload(&format!("t{n}"), None, 1);
        let sku = if n % 2 == 0 { "even" } else { "odd" };
        receipt["data"]["product"]["sku"] = json!(sku);
        viewer.post(PATH, &made_up(&receipt)).await;
    }
    let ids = |answer: Value| -> Vec<String> {
        let transactions = answer["data"]["transactions"].as_array().unwrap();
        transactions
            .iter()
            .map(|one| one["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let all = game.call("get", "transaction", json!({ "sku": "*" })).await;
    let first = all["data"]["transactions"][0].clone();
    assert_eq!(
        ids(all),
        (0..10).map(|n| format!("t{n}")).collect::<Vec<_>>()
    );
    let odd = game
        .call("get", "transaction", json!({ "sku": "odd" }))
        .await;
    assert_eq!(ids(odd), ["t1", "t3", "t5", "t7", "t9", "t11"]);
    let validated = json!({ "transaction_id": first["muxy_id"], "details": "given" });
    game.done("validate", "transaction", validated.clone())
        .await;
    // Its answer may have been lost.
    game.done("validate", "transaction", validated).await;
    let all = game.call("get", "transaction", json!({ "sku": "*" })).await;
    assert_eq!(
        ids(all),
        (1..11).map(|n| format!("t{n}")).collect::<Vec<_>>()
    );
    let even = game
        .call("get", "transaction", json!({ "sku": "even" }))
        .await;
    assert_eq!(ids(even), ["t2", "t4", "t6", "t8", "t10"]);
    assert_eq!(balance(&viewer).await, 12);
    // Bits are not ours to give back.
    for of in [json!({ "sku": "odd", "user_id": "77" })] {
        let refused = game.call("refund", "transaction", of).await;
        let (_, detail) = refusal(&refused, 400);
        assert_eq!(
            detail,
            "transaction_id is of bits, which cannot be refunded"
        );
    }
    // Another channel's game finds none of it.
    let (mut there, _) = server.paired_game("43").await;
    let validate = json!({ "transaction_id": first["muxy_id"] });
    refusal(&there.call("validate", "transaction", validate).await, 404);
}

#[tokio::test]
async fn what_a_request_lacks_is_named() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    for (action, data, field) in [
        ("get", json!({}), "sku"),
        ("get", json!({ "sku": 1 }), "sku"),
        ("get", json!({ "sku": "x".repeat(257) }), "sku"),
        ("validate", json!({}), "transaction_id"),
        (
            "validate",
            json!({ "transaction_id": [] }),
            "transaction_id",
        ),
        ("refund", json!({ "user_id": "77" }), "transaction_id"),
        ("refund", json!({ "sku": "sword" }), "user_id"),
        (
            "refund",
            json!({ "sku": "sword", "user_id": "x".repeat(98) }),
            "user_id",
        ),
        ("subscribe", json!({ "sku": "*" }), "subscribe"),
    ] {
        let answer = game.call(action, "transaction", data.clone()).await;
        assert!(
            refusal(&answer, 400).1.contains(field),
            "{action} {data}: {answer}"
        );
    }
    for data in [json!({}), json!({ "sku": "" }), json!({ "sku": "a\nb" })] {
        let answer = game.call("subscribe", "twitchPurchaseBits", data).await;
        assert!(refusal(&answer, 400).1.contains("sku"), "{answer}");
    }
    for id in ["x", &"x".repeat(5_000)] {
        let validate = json!({ "transaction_id": id });
        refusal(&game.call("validate", "transaction", validate).await, 404);
    }
    let long = json!({ "transaction_id": "x", "details": "x".repeat(1_025) });
    let answer = game.call("validate", "transaction", long).await;
    assert!(refusal(&answer, 400).1.contains("details"));
}
