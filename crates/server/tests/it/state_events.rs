//! Events of shared state and configuration to games (`spec 2.4`, `spec 2.5`).

use serde_json::{Value, json};

use crate::harness::{Game, Incoming, OWNER, Server, refusal};

/// The answer to a request, and the events that came before it.
async fn answered(game: &mut Game, id: u16) -> (Value, Vec<Value>) {
    let mut events = Vec::new();
    loop {
        let frame = game.frame().await;
        if frame["meta"]["request_id"] == id {
            return (frame, events);
        }
        assert_eq!(frame["meta"]["request_id"], 65_535, "{frame}");
        events.push(frame);
    }
}

/// Everything up to the answer of a harmless request: what was under way has come.
async fn drained(game: &mut Game) -> Vec<Value> {
    let id = game.send("get", "channel", json!({})).await;
    answered(game, id).await.1
}

pub async fn subscribe(game: &mut Game, topic: &str) {
    let answer = game
        .call("subscribe", "state", json!({ "topic_id": topic }))
        .await;
    assert_eq!(answer["data"], json!({ "ok": true }));
}

#[tokio::test]
async fn all_who_subscribed_hear_the_sender_too_and_rest_counts() {
    let server = Server::start().await;
    let (mut one, _) = server.paired_game("42").await;
    let (mut two, _) = server.paired_game("42").await;
    for topic in ["channel", "extension"] {
        subscribe(&mut one, topic).await;
        subscribe(&mut two, topic).await;
    }
    let id = one
        .send("set", "channel", json!({ "state": { "by": "one" } }))
        .await;
    let (_, mut events) = answered(&mut one, id).await;
    if events.is_empty() {
        events.push(one.frame().await);
    }
    for event in [events.remove(0), two.frame().await] {
        let meta = &event["meta"];
        assert_eq!(
            (&meta["request_id"], &meta["action"], &meta["target"]),
            (&json!(65_535), &json!("update"), &json!("channel"))
        );
        assert_eq!(
            event["data"],
            json!({ "topic_id": "channel", "state": { "by": "one" } })
        );
    }
    let admin = server.page("admin", "42").await;
    for id in ["channel", "extension"] {
        admin
            .post(&format!("/v1/e/{id}_state"), &json!({ "by": "rest" }))
            .await
            .ok();
        for game in [&mut one, &mut two] {
            let event = game.frame().await;
            assert_eq!(event["meta"]["target"], id);
            assert_eq!(
                event["data"],
                json!({ "topic_id": id, "state": { "by": "rest" } })
            );
        }
    }
}

#[tokio::test]
async fn events_only_go_forward_and_the_last_one_always_comes() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    subscribe(&mut game, "channel").await;
    let page = server.page("broadcaster", "42").await;
    let writes = async {
        for n in 1..=150 {
            page.post("/v1/e/channel_state", &json!({ "n": n }))
                .await
                .ok();
        }
    };
    let hears = async {
        let mut seen = 0;
        while seen < 150 {
            let n = game.frame().await["data"]["state"]["n"].as_u64().unwrap();
            assert!(n > seen, "{n} after {seen}");
            seen = n;
        }
    };
    tokio::join!(writes, hears);
    assert_eq!(drained(&mut game).await, Vec::<Value>::new());
}

#[tokio::test]
async fn nothing_comes_after_unsubscribing_and_nothing_of_others() {
    let server = Server::start().await;
    server
        .register("other", OWNER, &[crate::harness::SECRET])
        .await;
    let (mut game, _) = server.paired_game("42").await;
    let (mut control, _) = server.paired_game("42").await;
    subscribe(&mut game, "channel").await;
    subscribe(&mut game, "channel").await;
    subscribe(&mut control, "channel").await;
    // Another channel, another store, another stage.
    server
        .page("broadcaster", "43")
        .await
        .post("/v1/e/channel_state", &json!({ "n": 1 }))
        .await
        .ok();
    let admin = server.page("admin", "42").await;
    for path in [
        "extension_state",
        "config/channel",
        "extension_hidden_state",
        "viewer_state",
    ] {
        admin
            .post(&format!("/v1/e/{path}"), &json!({ "n": 1 }))
            .await
            .ok();
    }
    server
        .production_page("broadcaster", "42")
        .post("/v1/e/channel_state", &json!({ "n": 1 }))
        .await
        .ok();
    admin
        .post("/v1/e/channel_state", &json!({ "n": 2 }))
        .await
        .ok();
    // Twice subscribed, once told.
    assert_eq!(game.frame().await["data"]["state"], json!({ "n": 2 }));
    assert_eq!(control.frame().await["data"]["state"], json!({ "n": 2 }));
    let off = game
        .call("unsubscribe", "state", json!({ "topic_id": "channel" }))
        .await;
    assert_eq!(off["data"], json!({ "ok": true }));
    game.call("unsubscribe", "state", json!({ "topic_id": "channel" }))
        .await;
    admin
        .post("/v1/e/channel_state", &json!({ "n": 3 }))
        .await
        .ok();
    assert_eq!(control.frame().await["data"]["state"], json!({ "n": 3 }));
    assert_eq!(drained(&mut game).await, Vec::<Value>::new());
}

#[tokio::test]
async fn subscriptions_end_where_a_connection_becomes_another_channels() {
    let server = Server::start().await;
    let (mut game, answer) = server.paired_game("42").await;
    let (mut control, other) = server.paired_game("43").await;
    subscribe(&mut game, "channel").await;
    game.call("subscribe", "config", json!({ "config_id": "channel" }))
        .await;
    // For the same channel they stay, and a failure changes nothing.
    game.authenticate(json!({ "jwt": answer["jwt"] })).await;
    refusal(&game.authenticate(json!({ "jwt": "wrong" })).await, 400);
    let page = server.page("broadcaster", "42").await;
    page.post("/v1/e/channel_state", &json!({ "n": 1 }))
        .await
        .ok();
    assert_eq!(game.frame().await["data"]["state"], json!({ "n": 1 }));
    game.authenticate(json!({ "jwt": other["jwt"] })).await;
    control.authenticate(json!({ "jwt": answer["jwt"] })).await;
    subscribe(&mut control, "channel").await;
    page.post("/v1/e/channel_state", &json!({ "n": 2 }))
        .await
        .ok();
    page.post("/v1/e/config/channel", &json!({ "n": 2 }))
        .await
        .ok();
    assert_eq!(control.frame().await["data"]["state"], json!({ "n": 2 }));
    assert_eq!(drained(&mut game).await, Vec::<Value>::new());
    let read = game.call("get", "channel", json!({})).await;
    assert_eq!(read["data"]["state"], json!({}));
    // In the new channel it subscribes as in the old.
    subscribe(&mut game, "channel").await;
    game.send("set", "channel", json!({ "state": { "n": 43 } }))
        .await;
    let mut states = Vec::new();
    for _ in 0..2 {
        match game.next().await {
            Incoming::Frame(frame) => states.push(frame["data"]["state"].clone()),
            Incoming::Closed(code) => panic!("{code:?}"),
        }
    }
    assert_eq!(states, vec![json!({ "n": 43 }); 2]);
}

#[tokio::test]
async fn one_subscription_too_many_is_refused_and_the_others_stay() {
    // What there is to subscribe to does not reach 1,000: the setting comes down to it.
    let server = Server::start_with(|settings| {
        settings.limits.subscriptions_per_connection_max = 3;
    })
    .await;
    let (mut game, _) = server.paired_game("42").await;
    for topic in ["channel", "extension", "channel"] {
        subscribe(&mut game, topic).await;
    }
    let config = |id: &str| json!({ "config_id": id });
    game.call("subscribe", "config", config("channel")).await;
    let refused = game.call("subscribe", "config", config("extension")).await;
    assert!(
        refusal(&refused, 400)
            .1
            .contains("more than a connection may")
    );
    game.call("unsubscribe", "state", json!({ "topic_id": "extension" }))
        .await;
    let again = game.call("subscribe", "config", config("extension")).await;
    assert_eq!(again["data"], json!({ "ok": true }));
    let admin = server.page("admin", "42").await;
    admin
        .post("/v1/e/config/channel", &json!({ "n": 1 }))
        .await
        .ok();
    assert_eq!(game.frame().await["data"]["config"], json!({ "n": 1 }));
}
