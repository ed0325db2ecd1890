//! Nothing that a server could send ends a game.

use proptest::prelude::*;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::harness::script::Script;
use crate::harness::{connect, soon};

const FRAMES: usize = 2_000;

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop::sample::select(vec!["active", "expired", "channel", "bits", "revoked", "*"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let names = vec![
            "poll",
            "poll_id",
            "results",
            "count",
            "status",
            "options",
            "state",
            "config",
            "config_id",
            "events",
            "event",
            "timestamp",
            "sku",
            "muxy_id",
            "cost",
            "currency",
            "match_id",
            "overall",
            "twitch_id",
            "data",
            "expires_at",
            "topic_id",
            "refresh",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(names), inner), 0..8).prop_map(|fields| {
                let named = fields
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value));
                Value::Object(named.collect())
            }),
        ]
    })
}

fn any_frame() -> impl Strategy<Value = String> {
    let targets = vec![
        "authentication",
        "channel",
        "extension",
        "state",
        "config",
        "poll",
        "datastream",
        "twitchPurchaseBits",
        "match_poll",
        "matchmaking",
        "",
        "else",
    ];
    let ids = prop_oneof![
        Just(json!(65_535)),
        any::<u16>().prop_map(Value::from),
        any_json()
    ];
    let frame = (
        ids,
        prop::sample::select(targets),
        any_json(),
        any::<bool>(),
    )
        .prop_map(|(id, target, body, fine)| {
            let meta = json!({
                "request_id": id, "action": "update", "target": target, "timestamp": 1,
            });
            let name = if fine { "data" } else { "errors" };
            json!({ "meta": meta, name: body }).to_string()
        });
    prop_oneof![8 => frame, 1 => any_json().prop_map(|json| json.to_string()), 1 => ".{0,40}"]
}

#[tokio::test]
async fn a_game_lives_through_any_frames() {
    let script = Script::listen().await;
    let pairing = tokio::spawn(connect(&script.url()).pair_with_pin("ABCDEF"));
    let (mut connection, _) = script.welcome("one").await;
    let game = soon("pairing", pairing).await.unwrap().unwrap().game;
    let mut events = game.events().await.unwrap();
    let mut runner = TestRunner::deterministic();
    let mut told = 0;
    for _ in 0..FRAMES {
        let frame = any_frame().new_tree(&mut runner).unwrap().current();
        connection.send(&frame).await;
    }
    // An answer, and the game is still there.
    let twin = game.clone();
    let asking = tokio::spawn(async move { twin.polls().delete("x").await });
    loop {
        let request = connection.request().await;
        connection
            .answer(&request, &json!({ "ok": true, "refresh": 5 }))
            .await;
        if request["action"] == "delete" {
            break;
        }
    }
    soon("the answer", asking).await.unwrap().unwrap();
    game.close().await;
    while let Some(event) = soon("events", events.next()).await {
        told += usize::from(event.is_ok());
    }
    assert!(told > FRAMES / 10, "{told}");
}
