//! Receipts of the sandbox, and viewers who keep their user id: what the helper script asks for
//! (`spec 4.4`).

use crowdlink_protocol::Stage;
use serde_json::{Value, json};

use crate::harness::{EXTENSION, Http, SECRET, START_MS, Server, payload, sign};

const PATH: &str = "/rig/receipt";

async fn viewer(server: &Server, more: Value) -> Http {
    let mut body = json!({ "app_id": EXTENSION, "channel_id": "42", "user_id": "7" });
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let answer = server.sandbox().post("/v1/e/authtoken", &body).await.ok();
    let token = answer["token"].as_str().unwrap();
    server.sandbox().with(EXTENSION, token)
}

fn hat() -> Value {
    json!({ "sku": "hat", "displayName": "A hat", "cost": { "amount": 5, "type": "bits" } })
}

#[tokio::test]
async fn a_receipt_says_who_bought_what_and_verifies_in_production() {
    let server = Server::start_dev().await;
    let page = viewer(&server, json!({})).await;
    let answer = page.post(PATH, &hat()).await.ok();
    let receipt = answer["transactionReceipt"].as_str().unwrap();
    let now_s = START_MS / 1_000;
    let says = payload(receipt);
    assert_eq!(says["topic"], "bits_transaction_receipt");
    assert_eq!(says["exp"], now_s + 3_600);
    assert_eq!(says["data"]["transactionId"], answer["transactionId"]);
    assert_eq!(says["data"]["userId"], "7");
    let product = json!({
        "domainId": format!("twitch.ext.{EXTENSION}"), "sku": "hat", "displayName": "A hat",
        "cost": { "amount": 5, "type": "bits" },
    });
    assert_eq!(says["data"]["product"], product);

    let claims = json!({
        "exp": now_s + 60, "role": "viewer", "channel_id": "42", "user_id": "7",
        "opaque_user_id": "U7",
    });
    let token = sign(&claims, SECRET);
    let production = server.rest(Stage::Production).with(EXTENSION, &token);
    let body = json!({ "transactionReceipt": receipt });
    assert_eq!(
        production
            .post("/v1/e/bits/transactions", &body)
            .await
            .status,
        201
    );
    assert_eq!(
        production.get("/v1/e/coins").await.ok(),
        json!({ "balance": 5 })
    );
    let again = page.post(PATH, &hat()).await.ok();
    assert_ne!(again["transactionId"], answer["transactionId"]);
}

#[tokio::test]
async fn only_a_server_that_was_told_to_signs_receipts() {
    let server = Server::start().await;
    let page = viewer(&server, json!({})).await;
    assert_eq!(page.post(PATH, &hat()).await.status, 404);

    let server = Server::start_with(|settings| settings.rig.receipts = true).await;
    let page = viewer(&server, json!({})).await;
    page.post(PATH, &hat()).await.ok();
    assert_eq!(server.sandbox().post(PATH, &hat()).await.status, 401);
    let production = server.rest(Stage::Production);
    assert_eq!(production.post(PATH, &hat()).await.status, 404);
}

#[tokio::test]
async fn what_cannot_be_a_product_gets_no_receipt() {
    let server = Server::start_dev().await;
    let page = viewer(&server, json!({})).await;
    let with = |field: &str, value: Value| {
        let mut product = hat();
        *product.pointer_mut(field).unwrap() = value;
        product
    };
    for (product, named) in [
        (json!({}), "body"),
        (with("/cost/amount", json!(0)), "cost.amount"),
        (with("/cost/amount", json!(-1)), "body"),
        (with("/cost/amount", json!(1_000_000_001)), "cost.amount"),
        (with("/sku", json!("")), "sku"),
        (with("/sku", json!("x".repeat(257))), "sku"),
        (with("/displayName", json!("a\nb")), "displayName"),
    ] {
        let answer = page.post(PATH, &product).await;
        assert_eq!(answer.status, 400, "{product}");
        let reason = answer.json()["reason"].as_str().unwrap().to_owned();
        assert!(reason.starts_with(named), "{product}: {reason}");
    }
    let largest = with("/cost/amount", json!(1_000_000_000));
    page.post(PATH, &largest).await.ok();
    page.post(PATH, &with("/sku", json!("x".repeat(256))))
        .await
        .ok();
}

#[tokio::test]
async fn a_viewer_may_keep_the_user_id_and_others_may_not() {
    let server = Server::start().await;
    let hidden = json!({ "is_unlinked": true });
    let who = viewer(&server, hidden.clone())
        .await
        .get("/v1/e/user_info")
        .await
        .ok();
    assert_eq!(who.get("user_id"), None);
    assert_eq!(who["opaque_user_id"], "U7");
    assert_eq!(who["registered"], false);
    for value in [json!(false), json!("true"), Value::Null] {
        let shown = json!({ "is_unlinked": value });
        let who = viewer(&server, shown)
            .await
            .get("/v1/e/user_info")
            .await
            .ok();
        assert_eq!(who["user_id"], "7", "{value}");
    }
    let broadcaster = json!({ "is_unlinked": true, "role": "broadcaster" });
    let who = viewer(&server, broadcaster)
        .await
        .get("/v1/e/user_info")
        .await
        .ok();
    assert_eq!(who["user_id"], "42");
    let anonymous = json!({ "is_unlinked": true, "user_id": null });
    let who = viewer(&server, anonymous)
        .await
        .get("/v1/e/user_info")
        .await
        .ok();
    assert!(who["opaque_user_id"].as_str().unwrap().starts_with('A'));
}
