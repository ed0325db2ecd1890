//! Shared state and configuration on a game's connection (`spec 2.4`, `spec 2.5`).

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

async fn subscribe(game: &mut Game, topic: &str) {
    let answer = game
        .call("subscribe", "state", json!({ "topic_id": topic }))
        .await;
    assert_eq!(answer["data"], json!({ "ok": true }));
}

#[tokio::test]
async fn both_spellings_do_the_same_and_answer_in_the_spelling_asked() {
    let server = Server::start().await;
    // The owner's game may write both.
    let (mut game, _) = server.paired_game(OWNER).await;
    for id in ["channel", "extension"] {
        let ops = json!([{ "op": "add", "path": "/b", "value": 2 }]);
        let table = [
            ("get", "state", json!({ "state_id": id }), json!({})),
            ("get", id, json!({}), json!({})),
            (
                "set",
                "state",
                json!({ "state_id": id, "state": { "a": 1 } }),
                json!({ "a": 1 }),
            ),
            (
                "patch",
                "state",
                json!({ "state_id": id, "state": ops }),
                json!({ "a": 1, "b": 2 }),
            ),
            ("set", id, json!({ "state": { "a": 2 } }), json!({ "a": 2 })),
            (
                "update",
                id,
                json!({ "state": ops }),
                json!({ "a": 2, "b": 2 }),
            ),
            ("get", id, Value::Null, json!({ "a": 2, "b": 2 })),
            (
                "get",
                "state",
                json!({ "state_id": id, "topic_id": "" }),
                json!({ "a": 2, "b": 2 }),
            ),
        ];
        for (action, target, data, state) in table {
            let answer = game.call(action, target, data).await;
            assert_eq!(
                (&answer["meta"]["action"], &answer["meta"]["target"]),
                (&json!(action), &json!(target))
            );
            assert_eq!(
                answer["data"],
                json!({ "ok": true, "state": state }),
                "{action} {target}"
            );
        }
    }
}

#[tokio::test]
async fn what_a_request_lacks_is_named_and_nothing_changes() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    game.call("set", "channel", json!({ "state": { "a": 1 } }))
        .await;
    for (action, target, data, detail) in [
        ("get", "state", json!({}), "state_id"),
        ("get", "state", json!({ "state_id": "viewer" }), "state_id"),
        ("get", "state", json!({ "state_id": 7 }), "state_id"),
        ("set", "state", json!({ "state_id": "channel" }), "state"),
        ("set", "channel", json!({ "state": null }), "state"),
        ("set", "channel", json!({ "state": [] }), "root"),
        ("set", "channel", json!({ "state": "{}" }), "root"),
        (
            "update",
            "channel",
            json!({ "state": { "merge": 1 } }),
            "array",
        ),
        ("update", "channel", json!({ "state": [7] }), "op 0"),
        (
            "update",
            "channel",
            json!({ "state": [{ "op": "copy", "path": "/x", "from": null }] }),
            "`from`",
        ),
        (
            "update",
            "channel",
            json!({ "state": [{ "op": "move", "path": "/x", "value": null }] }),
            "`from`",
        ),
        (
            "update",
            "channel",
            json!({ "state": [{ "op": "add", "path": "/x" }] }),
            "`value`",
        ),
        (
            "update",
            "channel",
            json!({ "state": [{ "op": "replace", "path": "", "value": 1 }] }),
            "root",
        ),
        (
            "update",
            "channel",
            json!({ "state": [
            { "op": "add", "path": "/x", "value": 1 }, { "op": "remove", "path": "/y" } ] }),
            "op 1",
        ),
        (
            "update",
            "channel",
            json!({ "state": [{ "op": "replace", "path": "/n/n", "value": 1 }] }),
            "op 0",
        ),
        (
            "update",
            "state",
            json!({ "state_id": "channel", "state": [] }),
            "update",
        ),
        ("patch", "channel", json!({ "state": [] }), "patch"),
        ("subscribe", "state", json!({}), "topic_id"),
        ("subscribe", "state", json!({ "topic_id": "*" }), "topic_id"),
        (
            "unsubscribe",
            "state",
            json!({ "topic_id": "x" }),
            "topic_id",
        ),
    ] {
        let answer = game.call(action, target, data).await;
        let (title, told) = refusal(&answer, 400);
        assert!(
            title == "Bad Request" && told.contains(detail),
            "{action} {target}: {told}"
        );
    }
    let now = game.call("get", "channel", json!({})).await;
    assert_eq!(now["data"]["state"], json!({ "a": 1 }));
}

#[tokio::test]
async fn missing_parents_are_created_by_games_and_not_by_rest() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    let ops = json!([{ "op": "add", "path": "/game/text/game_data", "value": [1] }]);
    let page = server.page("broadcaster", "42").await;
    for path in ["/v1/e/channel_state", "/v1/e/config/channel"] {
        page.patch(path, &ops).await.refused(
            400,
            "op 0: path /game/text/game_data has no parent to add to",
        );
    }
    let whole = json!({ "game": { "text": { "game_data": [1] } } });
    let patched = game
        .call(
            "patch",
            "state",
            json!({ "state_id": "channel", "state": ops }),
        )
        .await;
    assert_eq!(patched["data"]["state"], whole);
    let patched = game.call("patch", "config", json!({ "config": ops })).await;
    assert_eq!(patched["data"]["config"], whole);
    let onto_text = json!([
        { "op": "add", "path": "/a", "value": "text" },
        { "op": "add", "path": "/a/b/c", "value": 1 },
    ]);
    let answer = game
        .call("update", "channel", json!({ "state": onto_text }))
        .await;
    assert!(refusal(&answer, 400).1.starts_with("op 1: "));
    for op in ["copy", "move"] {
        let ops = json!([{ "op": op, "from": "/game", "path": "/x/y/z" }]);
        refusal(
            &game
                .call("update", "channel", json!({ "state": ops }))
                .await,
            400,
        );
    }
    assert_eq!(page.get("/v1/e/channel_state").await.ok(), whole);
}

#[tokio::test]
async fn only_the_owners_game_writes_the_extensions_state() {
    let server = Server::start().await;
    let (mut owners, _) = server.paired_game(OWNER).await;
    let (mut others, _) = server.paired_game("42").await;
    owners
        .call("set", "extension", json!({ "state": { "a": 1 } }))
        .await;
    let ops = json!([{ "op": "add", "path": "/b", "value": 1 }]);
    for (action, target, data) in [
        ("set", "extension", json!({ "state": {} })),
        ("update", "extension", json!({ "state": ops })),
        (
            "set",
            "state",
            json!({ "state_id": "extension", "state": {} }),
        ),
        (
            "patch",
            "state",
            json!({ "state_id": "extension", "state": ops }),
        ),
    ] {
        refusal(&others.call(action, target, data).await, 403);
    }
    let read = others.call("get", "extension", json!({})).await;
    assert_eq!(read["data"]["state"], json!({ "a": 1 }));
}

#[tokio::test]
async fn numbers_and_the_order_of_keys_stay_as_they_were_written() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    subscribe(&mut game, "channel").await;
    let state = r#"{"z":1000.0,"a":9223372036854775807,"m":-9223372036854775808,"b":18446744073709551615,"c":1}"#;
    game.send_text(&format!(
        r#"{{"action":"set","params":{{"request_id":90,"target":"channel"}},"data":{{"state":{state}}}}}"#
    ))
    .await;
    // Values compare as numbers and keys in their order: by the text.
    for _ in 0..2 {
        assert_eq!(game.frame().await["data"]["state"].to_string(), state);
    }
    let page = server.page("broadcaster", "42").await;
    assert_eq!(page.get("/v1/e/channel_state").await.body, state);
    let ops = json!([{ "op": "add", "path": "/z", "value": 2.0 }, { "op": "add", "path": "/0", "value": 0 }]);
    page.patch("/v1/e/channel_state", &ops).await.ok();
    let expected = state
        .replace("1000.0", "2.0")
        .replace("\"c\":1", "\"c\":1,\"0\":0");
    assert_eq!(page.get("/v1/e/channel_state").await.body, expected);
    assert_eq!(game.frame().await["data"]["state"].to_string(), expected);
}

#[tokio::test]
async fn config_is_read_written_and_heard_of() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    let get = |id: &str| json!({ "config_id": id });
    let combined = game.call("get", "config", get("combined")).await;
    let expected = json!({ "config": { "channel": {}, "extension": {} }, "config_id": "combined" });
    assert_eq!(combined["data"], expected);
    let set = game
        .call("set", "config", json!({ "config": { "a": 1 } }))
        .await;
    assert_eq!(
        set["data"],
        json!({ "ok": true, "config": { "a": 1 }, "config_id": "channel" })
    );
    let ops = json!([{ "op": "add", "path": "/b", "value": 2 }]);
    let patched = game.call("patch", "config", json!({ "config": ops })).await;
    assert_eq!(patched["data"]["config"], json!({ "a": 1, "b": 2 }));
    let read = game.call("get", "config", get("channel")).await;
    assert_eq!(
        read["data"],
        json!({ "config": { "a": 1, "b": 2 }, "config_id": "channel" })
    );
    for (action, data) in [
        ("get", json!({})),
        ("get", get("viewer")),
        ("subscribe", get("combined")),
        ("unsubscribe", get("combined")),
        ("set", json!({ "config_id": "extension", "config": {} })),
        ("set", json!({ "config": [] })),
        ("patch", json!({ "config": {} })),
    ] {
        refusal(&game.call(action, "config", data).await, 400);
    }
    let admin = server.page("admin", "42").await;
    for id in ["channel", "extension"] {
        game.call("subscribe", "config", get(id)).await;
        admin
            .post(&format!("/v1/e/config/{id}"), &json!({ "by": "rest" }))
            .await
            .ok();
        let event = game.frame().await;
        assert_eq!(
            (&event["meta"]["action"], &event["meta"]["target"]),
            (&json!("update"), &json!("config"))
        );
        assert_eq!(
            event["data"],
            json!({ "config": { "by": "rest" }, "config_id": id })
        );
    }
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
async fn before_authentication_nothing_is_read_written_or_heard_of() {
    let server = Server::start().await;
    let mut game = server.game().await;
    for (action, target, data) in [
        ("get", "channel", json!({})),
        ("set", "channel", json!({ "state": {} })),
        ("subscribe", "state", json!({ "topic_id": "channel" })),
        ("get", "config", json!({ "config_id": "channel" })),
    ] {
        let (_, detail) = refusal(&game.call(action, target, data).await, 403);
        assert_eq!(detail, "requires authentication");
    }
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
