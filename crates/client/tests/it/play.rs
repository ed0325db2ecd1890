//! What games and viewers exchange, with the real program (`spec 2.8`, `spec 2.9`, `spec 2.11` to
//! `spec 2.13`).

use crowdlink_client::{
    Action, ActionCategory, ActionChange, ActionState, Currency, DropStatus, Game, GameMetadata,
    GameText,
};
use serde_json::{Value, json};

use crate::harness::program::Program;
use crate::harness::{connect, next};

async fn paired() -> (tempfile::TempDir, Program, Game) {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start(folder.path());
    let pin = program.pin("1001").await;
    let paired = connect(&program.url()).pair_with_pin(&pin).await.unwrap();
    (folder, program, paired.game)
}

fn heal() -> Action {
    Action {
        id: "heal".into(),
        category: ActionCategory::Help,
        state: ActionState::Available,
        impact: 0,
        name: "Heal".into(),
        description: "Gives a life back".into(),
        icon: "heart".into(),
        count: 2,
    }
}

#[tokio::test]
async fn what_viewers_send_comes_in_order() {
    let (_folder, program, game) = paired().await;
    let mut stream = game.datastream().await.unwrap();
    let viewer = program.viewer("1001", "77").await;
    for number in 0..20 {
        viewer
            .post("/v1/e/datastream", &json!({ "n": number }))
            .await;
    }
    for number in 0..20 {
        let sent = next(&mut stream).await.unwrap();
        assert_eq!(sent.event, json!({ "n": number }));
        assert!(sent.timestamp_s > 1_700_000_000);
    }
}

#[tokio::test]
async fn viewers_see_the_game_and_use_its_actions() {
    let (_folder, program, game) = paired().await;
    let gateway = game.gateway();
    let name = "My Game".to_owned();
    let metadata = GameMetadata {
        name,
        ..GameMetadata::default()
    };
    gateway.set_metadata(&metadata).await.unwrap();
    gateway.set_actions(&[heal()]).await.unwrap();
    let lives = GameText {
        label: "Lives".into(),
        value: "3".into(),
        icon: "heart".into(),
    };
    gateway.set_texts(&[lives]).await.unwrap();
    // The price comes from the channel's configuration.
    let free = json!({ "skus": { "heal": { "price": 0 } } });
    game.config().set(&free).await.unwrap();
    let viewer = program.viewer("1001", "77").await;
    let seen = viewer.send("GET", "/v1/e/gateway", &Value::Null).await.1;
    assert_eq!(seen["metadata"]["name"], "My Game");
    assert_eq!(seen["actions"][0]["inventory"], 2);
    assert_eq!(seen["texts"][0]["value"], "3");

    let mut bought = game.transactions().subscribe("heal").await.unwrap();
    let purchase = json!({ "sku": "heal", "price": 0, "additional": { "why": "please" } });
    viewer.post("/v1/e/coins/purchase", &purchase).await;
    let purchase = next(&mut bought).await.unwrap();
    assert_eq!((&*purchase.sku, &*purchase.user_id), ("heal", "77"));
    assert_eq!((purchase.cost, &purchase.currency), (0, &Currency::Coins));
    assert_eq!(purchase.additional, json!({ "why": "please" }));
    let shop = game.transactions();
    assert_eq!(
        shop.open("*").await.unwrap(),
        std::slice::from_ref(&purchase)
    );
    shop.validate(&purchase.transaction_id, "given")
        .await
        .unwrap();
    assert_eq!(shop.open("*").await.unwrap(), []);
    let error = shop
        .refund(&purchase.transaction_id, "77")
        .await
        .unwrap_err();
    assert_eq!(error.number(), Some(404), "it is settled");
    let error = shop.refund_latest("heal", "77").await.unwrap_err();
    assert_eq!(error.number(), Some(404));

    let change = ActionChange {
        state: Some(ActionState::Hidden),
        inventory_by: Some(1),
        ..ActionChange::default()
    };
    gateway.change_action("heal", change).await.unwrap();
    let error = gateway.change_action("hurt", change).await.unwrap_err();
    assert_eq!(error.number(), Some(404));
    let seen = viewer.send("GET", "/v1/e/gateway", &Value::Null).await.1;
    assert!(
        seen["actions"].as_array().is_none_or(Vec::is_empty),
        "{seen}"
    );
}

#[tokio::test]
async fn viewers_who_want_to_play_are_heard() {
    let (_folder, program, game) = paired().await;
    let matchmaking = game.matchmaking();
    let mut candidates = matchmaking.subscribe().await.unwrap();
    let viewer = program.viewer("1001", "77").await;
    viewer
        .post("/v1/e/matchmaking", &json!({ "team": "red" }))
        .await;
    let candidate = next(&mut candidates).await.unwrap();
    assert_eq!(candidate.twitch_id, "77");
    assert_eq!(candidate.data, json!({ "team": "red" }));
    matchmaking.remove("77").await.unwrap();
    matchmaking.clear().await.unwrap();
}

#[tokio::test]
async fn drops_are_read_and_given() {
    let (_folder, program, game) = paired().await;
    let drops = game.drops();
    assert_eq!(drops.get(DropStatus::Any).await.unwrap(), []);
    let server = program.page("backend", "1001").await;
    let claimed = json!([{
        "id": "d1", "benefit_id": "hat", "user_id": "77", "game_id": "g",
        "fulfillment_status": "CLAIMED",
    }]);
    server.post("/v1/e/drops", &claimed).await;
    let found = drops.get(DropStatus::Claimed).await.unwrap();
    assert_eq!((&*found[0].id, &*found[0].benefit_id), ("d1", "hat"));
    drops.validate("d1").await.unwrap();
    assert_eq!(drops.get(DropStatus::Claimed).await.unwrap(), []);
    let given = drops.get(DropStatus::Fulfilled).await.unwrap();
    assert_eq!(given[0].fulfillment_status, "FULFILLED");
    let error = drops.validate("d2").await.unwrap_err();
    assert_eq!(error.number(), Some(404));
}

#[tokio::test]
async fn a_game_that_asks_too_fast_is_slowed_down_and_never_refused() {
    let (_folder, _program, game) = paired().await;
    let asking = (0..400).map(|_| async { game.channel_state().get::<Value>().await });
    let answers = futures::future::join_all(asking).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
}
