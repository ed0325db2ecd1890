//! Buying actions (`spec 2.13`, `spec 3.9`).

use futures::future::join_all;
use serde_json::{Value, json};

use crate::coins::BUY;
use crate::gateway::{action, seen, set_actions, set_state};
use crate::harness::{Server, Viewer};
use crate::purchases::{balance, pay};

#[tokio::test]
async fn an_action_is_bought_by_its_id_and_given_back_by_a_refund() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    game.done("subscribe", "twitchPurchaseBits", json!({ "sku": "heal" }))
        .await;
    set_actions(&mut game, json!([action("heal", 1)])).await;
    let viewer = server.page("viewer", "42").await;
    pay(&server, &viewer, "77", 100).await;
    let order = json!({ "sku": "heal", "price": 25 });
    let wrong = viewer
        .post(BUY, &json!({ "sku": "heal", "price": 24 }))
        .await;
    wrong.refused(409, "price changed");
    for state in ["hidden", "unavailable"] {
        set_state(&mut game, json!({ "id": "heal", "state": state })).await;
        viewer.post(BUY, &order).await.refused(409, "not available");
    }
    set_state(&mut game, json!({ "id": "heal", "state": "available" })).await;
    let bought = viewer.post(BUY, &order).await.ok();
    assert_eq!(
        (&bought["balance"], seen(&viewer, "heal", "inventory").await),
        (&json!(75), json!(0))
    );
    let event = game.event("twitchPurchaseBits").await;
    assert_eq!(
        (&event["sku"], &event["displayName"]),
        (&json!("heal"), &json!("A name"))
    );
    viewer.post(BUY, &order).await.refused(409, "sold out");
    let refund = json!({ "transaction_id": bought["transaction_id"], "user_id": "77" });
    game.done("refund", "transaction", refund).await;
    assert_eq!(
        (
            balance(&viewer).await,
            seen(&viewer, "heal", "inventory").await
        ),
        (100, json!(1))
    );
    // A list without it sells it no more, and one that comes back after a refund is not overfull.
    let bought = viewer.post(BUY, &order).await.ok();
    game.event("twitchPurchaseBits").await;
    set_state(&mut game, json!({ "id": "heal", "inventory": 1 })).await;
    let refund = json!({ "transaction_id": bought["transaction_id"], "user_id": "77" });
    game.done("refund", "transaction", refund).await;
    assert_eq!(seen(&viewer, "heal", "inventory").await, 1);
    set_actions(&mut game, json!([])).await;
    viewer
        .post(BUY, &order)
        .await
        .refused(404, "There is no such SKU");
    assert_eq!(balance(&viewer).await, 100);
}

#[tokio::test]
async fn two_hundred_parallel_purchases_sell_what_is_there_and_no_more() {
    const BUYERS: usize = 200;
    const STOCK: usize = 50;
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    game.done("subscribe", "twitchPurchaseBits", json!({ "sku": "*" }))
        .await;
    let stock = i64::try_from(STOCK).unwrap();
    set_actions(
        &mut game,
        json!([action("heal", stock), action("endless", -1)]),
    )
    .await;
    let mut buyers = Vec::new();
    for n in 0..BUYERS {
        let user = (1_000 + n).to_string();
        let viewer = server.viewer(&user, "42").await;
        pay(&server, &viewer, &user, 50).await;
        game.event("twitchPurchaseBits").await;
        buyers.push(viewer);
    }
    let mut heard = Viewer::of(&server, Some("42")).await;
    let commits = server.store.commits();
    let order = json!({ "sku": "heal", "price": 25 });
    let answers = join_all(buyers.iter().map(|viewer| viewer.post(BUY, &order))).await;
    let commits = server.store.commits() - commits;
    let sold = answers.iter().filter(|answer| answer.status == 200).count();
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.refused(409, "sold out");
    }
    assert_eq!(
        (sold, seen(&buyers[0], "heal", "inventory").await),
        (STOCK, json!(0))
    );
    // Those who wait together are served together.
    assert!(
        commits <= u64::try_from(STOCK).unwrap(),
        "{commits} commits"
    );
    let mut left = 0;
    for (viewer, answer) in buyers.iter().zip(&answers) {
        let expected = if answer.status == 200 { 25 } else { 50 };
        assert_eq!(balance(viewer).await, expected);
        left += expected;
    }
    assert_eq!(left, 50 * 200 - 25 * 50);
    // Each sale is told once.
    let mut told = std::collections::BTreeSet::new();
    for _ in 0..STOCK {
        let event = game.event("twitchPurchaseBits").await;
        assert!(told.insert(event["muxy_id"].as_str().unwrap().to_owned()));
    }
    game.heartbeat().await;
    let is_last = |data: &Value| data["actions"][0]["inventory"] == 0;
    server.advance_ms(500);
    while !is_last(&heard.event().await.1) {
        server.advance_ms(500);
    }
    let endless = json!({ "sku": "endless", "price": 25 });
    let answers = join_all(buyers.iter().map(|viewer| viewer.post(BUY, &endless))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(seen(&buyers[0], "endless", "inventory").await, -1);
}

#[tokio::test]
async fn a_game_that_changes_its_stock_while_it_sells_never_goes_below_nothing() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    set_actions(&mut game, json!([action("heal", 1_000)])).await;
    set_state(&mut game, json!({ "id": "heal", "inventory": 0 })).await;
    let viewer = server.page("viewer", "42").await;
    pay(&server, &viewer, "77", 25 * 60).await;
    let order = json!({ "sku": "heal", "price": 25 });
    let orders = join_all((0..60).map(|_| viewer.post(BUY, &order)));
    let restock = async {
        for _ in 0..20 {
            let one = json!({ "id": "heal", "delta_inventory": { "change": 1 } });
            set_state(&mut game, one).await;
        }
    };
    let (answers, ()) = tokio::join!(orders, restock);
    let sold = answers.iter().filter(|answer| answer.status == 200).count();
    let left = seen(&viewer, "heal", "inventory").await.as_u64().unwrap();
    assert_eq!(sold as u64 + left, 20);
    assert_eq!(balance(&viewer).await, 25 * (60 - sold as u64));
}
