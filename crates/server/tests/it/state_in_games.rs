//! Shared state and configuration on a game's connection (`spec 2.4`, `spec 2.5`).

use serde_json::{Value, json};

use crate::harness::{OWNER, Server, refusal};
use crate::state_events::subscribe;

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
