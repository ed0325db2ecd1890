//! The envelope of requests and answers (`spec 2.2`), and what is allowed before authentication
//! (`spec 2.3`, `spec 6.2`). That no frame breaks the hard rules the harness checks everywhere.

use serde_json::{Value, json};

use crate::harness::{Game, Incoming, START_MS, Server, refusal};

async fn answer_to(game: &mut Game, request: &str) -> Value {
    game.send_text(request).await;
    game.frame().await
}

#[tokio::test]
async fn an_answer_echoes_id_action_and_target_and_tells_the_time() {
    let server = Server::start().await;
    let mut game = server.game().await;
    server.advance_ms(1_234);
    for id in [0, 1, 127, 128, 65_534, 65_535] {
        let request = json!({
            "action": "subscribe", "params": { "request_id": id, "target": "authentication" },
        });
        let answer = answer_to(&mut game, &request.to_string()).await;
        let meta = json!({
            "request_id": id, "action": "subscribe", "target": "authentication",
            "timestamp": START_MS + 1_234,
        });
        assert_eq!(answer, json!({ "meta": meta, "data": { "ok": true } }));
    }
}

#[tokio::test]
async fn several_requests_in_flight_may_share_an_id() {
    let server = Server::start().await;
    let mut game = server.game().await;
    for target in ["authentication", "state", "authentication", "poll"] {
        let request = json!({
            "action": "subscribe", "params": { "request_id": 7, "target": target },
        });
        game.send_text(&request.to_string()).await;
    }
    for (target, ok) in [
        ("authentication", true),
        ("state", false),
        ("authentication", true),
        ("poll", false),
    ] {
        let answer = game.frame().await;
        assert_eq!(answer["meta"]["request_id"], 7);
        assert_eq!(answer["meta"]["target"], target);
        assert_eq!(answer.get("data").is_some(), ok);
    }
}

#[tokio::test]
async fn what_a_request_leaves_out_is_answered_with_65535_and_empty_texts() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    for request in [
        "{}",
        r#"{"action":null,"params":null,"data":null}"#,
        r#"{"params":{"request_id":null,"target":null}}"#,
        r#"{"action":"","params":{"target":""},"data":{}}"#,
        r#"{"something":"else","params":{"channel":"42"}}"#,
    ] {
        let answer = answer_to(&mut game, request).await;
        refusal(&answer, 400);
        assert_eq!(answer["meta"]["request_id"], 65_535, "{request}");
        assert_eq!(
            (&answer["meta"]["action"], &answer["meta"]["target"]),
            (&json!(""), &json!(""))
        );
    }
}

#[tokio::test]
async fn null_and_empty_fields_count_as_absent() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    let answer = server
        .game()
        .await
        .authenticate(json!({
            "pin": page.pin().await, "refresh": null, "jwt": "", "client_id": "", "game_id": null,
        }))
        .await;
    assert_eq!(answer["data"]["twitch_id"], "42", "{answer}");
    let refresh = answer["data"]["refresh"].clone();
    let answer = server
        .game()
        .await
        .authenticate(json!({
            "pin": "", "refresh": refresh, "client_id": null, "game_id": "",
        }))
        .await;
    assert_eq!(answer["data"]["twitch_id"], "42", "{answer}");
    let answer = server
        .game()
        .await
        .authenticate(json!({ "pin": "", "refresh": null }))
        .await;
    assert!(refusal(&answer, 400).1.starts_with("pin"));
}

#[tokio::test]
async fn five_frames_in_a_row_that_are_no_object_close_the_connection_1003() {
    let server = Server::start().await;
    let mut game = server.game().await;
    for text in ["", "not JSON", "[1]", "\"{}\"", "{\"action\":\"get\"}}"] {
        let answer = answer_to(&mut game, text).await;
        assert_eq!(refusal(&answer, 400).0, "Bad Request");
        let meta = &answer["meta"];
        assert_eq!(
            (&meta["request_id"], &meta["action"]),
            (&json!(65_535), &json!(""))
        );
    }
    assert_eq!(game.closed().await, Some(1003));
}

#[tokio::test]
async fn a_good_frame_in_between_starts_the_count_anew() {
    let server = Server::start().await;
    let mut game = server.game().await;
    for _ in 0..3 {
        for _ in 0..4 {
            refusal(&answer_to(&mut game, "null").await, 400);
        }
        let answer = game.call("subscribe", "authentication", json!({})).await;
        assert_eq!(answer["data"]["ok"], true);
    }
}

#[tokio::test]
async fn a_binary_frame_that_holds_json_is_treated_as_text() {
    let server = Server::start().await;
    let mut game = server.game().await;
    let request = br#"{"action":"subscribe","params":{"request_id":5,"target":"authentication"}}"#;
    game.send_binary(request).await;
    assert_eq!(game.frame().await["meta"]["request_id"], 5);
    for _ in 0..5 {
        game.send_binary(&[0xff, 0xfe, 0]).await;
        refusal(&game.frame().await, 400);
    }
    assert_eq!(game.closed().await, Some(1003));
}

#[tokio::test]
async fn before_authentication_everything_but_two_requests_is_403() {
    let server = Server::start().await;
    let mut game = server.game().await;
    for (action, target) in [
        ("get", "state"),
        ("subscribe", "state"),
        ("unsubscribe", "authentication"),
        ("broadcast", ""),
        ("no such action", "no such target"),
        ("", ""),
    ] {
        let answer = game.call(action, target, json!({})).await;
        let (title, detail) = refusal(&answer, 403);
        assert_eq!(
            (&*title, &*detail),
            ("Forbidden", "requires authentication")
        );
        assert_eq!(
            (&answer["meta"]["action"], &answer["meta"]["target"]),
            (&json!(action), &json!(target))
        );
    }
}

#[tokio::test]
async fn an_unknown_action_or_target_is_400_and_echoed() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    for (action, target) in [
        ("no such action", "state"),
        ("subscribe", "no such target"),
        ("GET", "state"),
        ("get", "a \"quoted\"\u{0} target"),
    ] {
        let answer = game.call(action, target, json!({})).await;
        assert_eq!(refusal(&answer, 400).0, "Bad Request");
        assert_eq!(
            (&answer["meta"]["action"], &answer["meta"]["target"]),
            (&json!(action), &json!(target))
        );
    }
}

#[tokio::test]
async fn a_field_of_a_wrong_type_is_named_and_what_could_be_read_is_echoed() {
    let server = Server::start().await;
    let mut game = server.game().await;
    for (request, field, id) in [
        (r#"{"action":5,"params":{"request_id":3}}"#, "action", 3),
        (r#"{"action":"get","params":[]}"#, "params", 65_535),
        (
            r#"{"action":"get","params":{"request_id":3,"target":{}}}"#,
            "target",
            3,
        ),
        (
            r#"{"action":"get","params":{"request_id":65536}}"#,
            "request_id",
            65_535,
        ),
        (
            r#"{"action":"get","params":{"request_id":-1}}"#,
            "request_id",
            65_535,
        ),
        (
            r#"{"action":"get","params":{"request_id":"3"}}"#,
            "request_id",
            65_535,
        ),
        (
            r#"{"action":"authenticate","params":{"request_id":3},"data":[]}"#,
            "data",
            3,
        ),
        (
            r#"{"action":"authenticate","params":{"request_id":3},"data":{"pin":6}}"#,
            "pin",
            3,
        ),
        (
            r#"{"action":"authenticate","params":{"request_id":3},"data":{"pin":"A","game_id":6}}"#,
            "game_id",
            3,
        ),
    ] {
        let answer = answer_to(&mut game, request).await;
        let (title, detail) = refusal(&answer, 400);
        assert_eq!(title, "Bad Request");
        assert!(detail.starts_with(field), "{request}: {detail}");
        assert_eq!(answer["meta"]["request_id"], id, "{request}");
    }
}

#[tokio::test]
async fn of_duplicate_keys_the_last_wins() {
    let server = Server::start().await;
    let mut game = server.game().await;
    let request = r#"{"action":"get","action":"subscribe","params":{"request_id":1,
        "request_id":2,"target":"x","target":"authentication"}}"#;
    let answer = answer_to(&mut game, request).await;
    assert_eq!(
        (&answer["meta"]["request_id"], &answer["data"]["ok"]),
        (&json!(2), &json!(true))
    );
}

#[tokio::test]
async fn a_game_that_closes_is_closed_the_same_way() {
    let server = Server::start().await;
    let mut game = server.game().await;
    game.send_close(1000).await;
    assert_eq!(game.next().await, Incoming::Closed(Some(1000)));
}
