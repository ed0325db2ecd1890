//! Limits of a game's socket (`spec 5`, `spec 2.1`): each at the bound and one beyond.

use crowdlink_protocol::Stage;
use crowdlink_server::listen::EdgeName;
use serde_json::{Value, json};

use crate::harness::{EXTENSION, Game, Http, OWNER, SECRET, Server, eventually, refusal};

const UNAUTHENTICATED_BYTES_MAX: usize = 8_192;
const AUTHENTICATED_BYTES_MAX: usize = 2 * 1024 * 1024;
/// The resolution of connections' timers.
const TICK_MS: u64 = 250;

/// A request of exactly so many bytes.
fn request_of(bytes: usize) -> String {
    let (head, tail) = (
        r#"{"action":"subscribe","params":{"target":"authentication"},"data":{"pad":""#,
        r#""}}"#,
    );
    let pad = "x".repeat(bytes - head.len() - tail.len());
    format!("{head}{pad}{tail}")
}

async fn path_from(server: &Server, source: &str) -> Result<Game, u16> {
    let edge = server.address(EdgeName::SandboxGamelink);
    Game::connect_from(source, edge, &format!("/0.0.1/{EXTENSION}")).await
}

#[tokio::test]
async fn before_authentication_8_kib_pass_and_one_more_byte_closes_1009() {
    let server = Server::start().await;
    let mut game = server.game().await;
    game.send_text(&request_of(UNAUTHENTICATED_BYTES_MAX)).await;
    assert_eq!(game.frame().await["data"]["ok"], true);
    // A failure does not raise the bound.
    refusal(&game.authenticate(json!({ "jwt": "wrong" })).await, 400);
    game.send_text(&request_of(UNAUTHENTICATED_BYTES_MAX + 1))
        .await;
    assert_eq!(game.closed().await, Some(1009));
}

#[tokio::test]
async fn after_authentication_2_mib_pass_and_one_more_byte_closes_1009() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    game.send_text(&request_of(AUTHENTICATED_BYTES_MAX)).await;
    assert_eq!(game.frame().await["data"]["ok"], true);
    game.send_text(&request_of(AUTHENTICATED_BYTES_MAX + 1))
        .await;
    assert_eq!(game.closed().await, Some(1009));
}

#[tokio::test]
async fn no_request_makes_an_answer_that_a_client_cannot_take() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    // As many quotation marks, which take two bytes, as fit into two names.
    let frame = r#"{"action":"","params":{"target":""}}"#;
    let room = AUTHENTICATED_BYTES_MAX - frame.len();
    let name = r#"\""#.repeat(room / 4);
    let (action, target) = (&name, &name);
    let text = format!(r#"{{"action":"{action}","params":{{"target":"{target}"}}}}"#);
    assert!(AUTHENTICATED_BYTES_MAX - text.len() < 8);
    game.send_text(&text).await;
    // Every frame that comes is measured by the harness.
    let answer = game.frame().await;
    refusal(&answer, 400);
    assert_eq!(answer["meta"]["action"].as_str().unwrap().len(), room / 4);
    let request = json!({ "action": "\"".repeat(room / 4), "params": [], "data": 1 });
    game.send_text(&request.to_string()).await;
    refusal(&game.frame().await, 400);
}

#[tokio::test]
async fn json_in_a_field_may_be_64_deep_and_no_deeper() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    // The deepest document stands in an item of a list: `data`, `state`, op, `value`.
    let nested = |depth: usize| {
        format!(
            r#"{{"action":"x","params":{{"request_id":3}},"data":{{"state":[{{"value":{}{}}}]}}}}"#,
            "[".repeat(depth),
            "]".repeat(depth)
        )
    };
    game.send_text(&nested(64)).await;
    let answer = game.frame().await;
    assert!(
        refusal(&answer, 400).1.starts_with("unknown action"),
        "{answer}"
    );
    game.send_text(&nested(65)).await;
    let answer = game.frame().await;
    assert!(refusal(&answer, 400).1.contains("nested"), "{answer}");
    game.send_text(&nested(500_000)).await;
    refusal(&game.frame().await, 400);
    game.heartbeat().await;
}

#[tokio::test]
async fn an_object_may_have_10_000_keys_and_no_more() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    let object = |keys: usize| -> Value {
        (0..keys)
            .map(|key| (format!("{key}"), json!(1)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let answer = game
        .call("subscribe", "authentication", object(10_000))
        .await;
    assert_eq!(answer["data"]["ok"], true);
    game.send("subscribe", "authentication", object(10_001))
        .await;
    let answer = game.frame().await;
    assert!(refusal(&answer, 400).1.contains("keys"), "{answer}");
    // The connection stays, and this counts as JSON.
    game.heartbeat().await;
}

#[tokio::test]
async fn two_hundred_requests_at_once_pass_and_then_a_hundred_each_second() {
    let server = Server::start().await;
    let mut game = server.game().await;
    for allowed in [200, 100, 100] {
        for _ in 0..allowed {
            let answer = game.call("subscribe", "authentication", json!({})).await;
            assert_eq!(answer["data"]["ok"], true);
        }
        let refused = game.call("subscribe", "authentication", json!({})).await;
        assert_eq!(refusal(&refused, 429).0, "Too Many Requests");
        server.advance_ms(1_000);
    }
}

#[tokio::test]
async fn requests_above_the_rate_for_ten_seconds_close_1008() {
    let server = Server::start().await;
    let mut game = server.game().await;
    for second in 0..=10 {
        let passing = if second == 0 { 200 } else { 100 };
        for _ in 0..passing {
            game.call("subscribe", "authentication", json!({})).await;
        }
        let refused = game.call("subscribe", "authentication", json!({})).await;
        refusal(&refused, 429);
        server.advance_ms(if second == 10 { 1 } else { 1_000 });
    }
    game.send("subscribe", "authentication", json!({})).await;
    assert_eq!(game.closed().await, Some(1008));
}

#[tokio::test]
async fn frames_of_a_wrong_shape_count_as_requests_too() {
    let server = Server::start().await;
    let mut game = server.game().await;
    let deep = format!("{{\"data\":{}", "[".repeat(100));
    for text in [r#"{"action":1}"#, &deep] {
        for _ in 0..100 {
            game.send_text(text).await;
            refusal(&game.frame().await, 400);
        }
    }
    game.send_text(r#"{"action":1,"params":{"request_id":9}}"#)
        .await;
    let answer = game.frame().await;
    refusal(&answer, 429);
    assert_eq!(answer["meta"]["request_id"], 9);
    for _ in 0..10 {
        server.advance_ms(1_000);
        for _ in 0..101 {
            game.send_text(r#"{"action":1}"#).await;
            game.frame().await;
        }
    }
    server.advance_ms(1);
    game.send_text(r#"{"action":1}"#).await;
    assert_eq!(game.closed().await, Some(1008));
}

#[tokio::test]
async fn one_address_may_hold_so_many_connections_and_others_are_not_concerned() {
    let server =
        Server::start_with(|settings| settings.limits.connections_per_address_max = 3).await;
    let mut games = Vec::new();
    for _ in 0..3 {
        games.push(path_from(&server, "127.0.0.7").await.unwrap());
    }
    assert_eq!(path_from(&server, "127.0.0.7").await.err(), Some(503));
    // The REST port counts into the same.
    let rest = server.address(EdgeName::ProductionRest);
    let path = format!("/0.0.1/{EXTENSION}");
    assert_eq!(
        Game::connect_from("127.0.0.7", rest, &path).await.err(),
        Some(503)
    );
    path_from(&server, "127.0.0.8")
        .await
        .unwrap()
        .heartbeat()
        .await;
    for game in &mut games {
        game.heartbeat().await;
    }
    games.pop().unwrap().close().await;
    eventually("the place is free again", || async {
        path_from(&server, "127.0.0.7").await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn one_extension_may_hold_so_many_connections_and_others_are_not_concerned() {
    let server =
        Server::start_with(|settings| settings.limits.connections_per_extension_max = 2).await;
    server.register("other", OWNER, &[SECRET]).await;
    let _first = path_from(&server, "127.0.0.1").await.unwrap();
    let second = path_from(&server, "127.0.0.2").await.unwrap();
    assert_eq!(path_from(&server, "127.0.0.3").await.err(), Some(503));
    let mut other = server.game_of(Stage::Sandbox, "other").await;
    other.heartbeat().await;
    drop(second);
    eventually("the place is free again", || async {
        path_from(&server, "127.0.0.3").await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_refusal_for_want_of_room_says_when_to_come_back() {
    let server =
        Server::start_with(|settings| settings.limits.connections_per_address_max = 1).await;
    let _game = server.game().await;
    let http = Http::new(server.address(EdgeName::SandboxGamelink))
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    let answer = http.get(&format!("/0.0.1/{EXTENSION}")).await;
    assert_eq!(answer.status, 503);
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!(seconds > 0);
}

#[tokio::test]
async fn who_never_authenticates_is_closed_1008_after_ten_minutes() {
    let server = Server::start().await;
    let mut game = server.game().await;
    let (mut paired, _) = server.paired_game("42").await;
    for _ in 0..29 {
        server.advance_ms(20_000);
        game.heartbeat().await;
        paired.heartbeat().await;
    }
    refusal(&game.authenticate(json!({ "pin": "AAAAAA" })).await, 400);
    server.advance_ms(20_000 - TICK_MS);
    game.heartbeat().await;
    server.advance_ms(TICK_MS);
    assert_eq!(game.closed().await, Some(1008));
    paired.heartbeat().await;
}

#[tokio::test]
async fn the_server_pings_within_every_thirty_seconds() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    for _ in 0..5 {
        server.advance_ms(30_000);
        game.pinged().await;
        game.heartbeat().await;
    }
}

#[tokio::test]
async fn a_peer_silent_for_75_seconds_is_dropped_and_one_that_answers_is_not() {
    let server = Server::start().await;
    let mut silent = server.game().await;
    let (mut alive, _) = server.paired_game("42").await;
    server.advance_ms(75_000 - TICK_MS);
    // It has heard the ping by now; so has the other one, which never reads.
    alive.heartbeat().await;
    assert_eq!(server.app.live.sessions(), 2);
    server.advance_ms(TICK_MS);
    eventually("the silent one is dropped", || async {
        server.app.live.sessions() == 1
    })
    .await;
    alive.heartbeat().await;
    assert_eq!(silent.ended().await, None);
}

#[tokio::test]
async fn the_fifth_wrong_pin_on_a_connection_is_answered_and_closes_1008() {
    let server = Server::start().await;
    let mut game = server.game().await;
    let pin = server.page("broadcaster", "42").await.pin().await;
    for _ in 0..4 {
        refusal(&game.authenticate(json!({ "pin": "AAAAAA" })).await, 400);
        // However slowly: the address would be let off, the connection is not.
        server.advance_ms(61_000);
        game.heartbeat().await;
    }
    refusal(&game.authenticate(json!({ "pin": "AAAAAA" })).await, 400);
    assert_eq!(game.closed().await, Some(1008));
    let answer = server
        .game()
        .await
        .authenticate(json!({ "pin": pin }))
        .await;
    assert_eq!(
        answer["data"]["twitch_id"], "42",
        "it was live for 244 s of its 300"
    );
}

#[tokio::test]
async fn an_address_with_five_wrong_pins_in_a_minute_gets_429_and_others_do_not() {
    let server = Server::start().await;
    let pin = server.page("broadcaster", "42").await.pin().await;
    let wrong = json!({ "pin": "AAAAAA" });
    for _ in 0..5 {
        let mut game = path_from(&server, "127.0.0.7").await.unwrap();
        refusal(&game.authenticate(wrong.clone()).await, 400);
    }
    let mut locked = path_from(&server, "127.0.0.7").await.unwrap();
    for data in [wrong.clone(), json!({ "pin": pin })] {
        let (title, _) = refusal(&locked.authenticate(data).await, 429);
        assert_eq!(title, "Too Many Requests");
    }
    let mut other = path_from(&server, "127.0.0.8").await.unwrap();
    refusal(&other.authenticate(wrong).await, 400);
    server.advance_ms(60_000);
    let answer = locked.authenticate(json!({ "pin": pin })).await;
    assert_eq!(answer["data"]["twitch_id"], "42");
}

#[tokio::test]
async fn right_pins_do_not_count_as_guesses() {
    let server = Server::start().await;
    let mut game = server.game().await;
    for channel in 100..110 {
        let page = server.page("broadcaster", &channel.to_string()).await;
        let answer = game.authenticate(json!({ "pin": page.pin().await })).await;
        assert_eq!(answer["data"]["twitch_id"], channel.to_string());
    }
}
