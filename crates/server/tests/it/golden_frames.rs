//! The running server against the golden frames of the protocol crate (`spec 2.2`, `spec 2.3`,
//! `spec 2.6`):
//! the requests as they stand, the answers with only tokens and time made equal.

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Game, Server};

/// A golden frame, as text.
pub fn golden(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/tests/frames");
    std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap()
}

/// A golden request with a field of its data set to what this test has.
pub fn request(name: &str, field: &str, value: &Value) -> String {
    let mut frame: Value = serde_json::from_str(&golden(name)).unwrap();
    frame["data"][field] = value.clone();
    frame.to_string()
}

/// Asserts that the next frame is a golden one, in the order of its fields too.
pub async fn assert_next_is(game: &mut Game, name: &str) -> Value {
    let came = game.frame().await;
    let expected: Value = serde_json::from_str(&golden(name)).unwrap();
    let mut made_equal = came.clone();
    made_equal["meta"]["timestamp"] = expected["meta"]["timestamp"].clone();
    for field in ["jwt", "refresh", "twitch_name", "expires_at"] {
        if let (Some(own), Some(golden)) =
            (made_equal["data"].get(field), expected["data"].get(field))
        {
            assert_eq!(own.is_string(), golden.is_string(), "{name}: {field}");
            made_equal["data"][field] = golden.clone();
        }
    }
    if expected.get("data").is_none() {
        made_equal.as_object_mut().unwrap().remove("data");
    }
    assert_eq!(made_equal.to_string(), expected.to_string(), "{name}");
    came
}

const CLIENT_ID: &str = "i575hs2x9lb3u8hqujtezit03w1740";

#[tokio::test]
async fn a_session_of_a_shipped_client_goes_as_the_frames_tell() {
    let server = Server::start_with(|settings| {
        settings.timeouts.socket_silence_ms_max = u64::MAX / 4;
    })
    .await;
    server
        .register(CLIENT_ID, "1", &[crate::harness::SECRET])
        .await;
    let mut claims = crate::harness::claims("broadcaster", "42");
    claims["allowed_stage"] = json!("sandbox");
    let page = server.sandbox().with(
        CLIENT_ID,
        &crate::harness::sign(&claims, crate::harness::SECRET),
    );
    let pin = json!(page.pin().await);
    let mut game = server
        .game_of(crowdlink_protocol::Stage::Sandbox, CLIENT_ID)
        .await;

    game.send_text("not JSON").await;
    assert_next_is(&mut game, "not_json.error").await;
    game.send_text(r#"{"action":"get","params":{"request_id":17,"target":"state"},"data":{"state_id":"channel"}}"#).await;
    assert_next_is(&mut game, "unauthenticated.error").await;
    game.send_text(&golden("subscribe_authentication.request"))
        .await;
    assert_next_is(&mut game, "subscribe_authentication.answer").await;
    for name in [
        "authenticate_pin",
        "authenticate_refresh",
        "authenticate_jwt",
    ] {
        game.send_text(&golden(&format!("{name}.request"))).await;
        assert_next_is(&mut game, &format!("{name}.error")).await;
    }
    server.store.set_down(true);
    game.send_text(&golden("authenticate_pin.request")).await;
    assert_next_is(&mut game, "authenticate_fault.error").await;
    server.store.set_down(false);
    game.send_text(&request("authenticate_pin.request", "pin", &pin))
        .await;
    let paired = assert_next_is(&mut game, "authenticate_pin.answer").await;
    let token = &paired["data"]["refresh"];
    game.send_text(&request("authenticate_refresh.request", "refresh", token))
        .await;
    let refreshed = assert_next_is(&mut game, "authenticate_refresh.answer").await;
    game.send_text(&request(
        "authenticate_jwt.request",
        "jwt",
        &refreshed["data"]["jwt"],
    ))
    .await;
    assert_next_is(&mut game, "authenticate_jwt.answer").await;
    for name in ["broadcast", "broadcast_message", "broadcast_ids"] {
        game.send_text(&golden(&format!("{name}.request"))).await;
        assert_next_is(&mut game, &format!("{name}.answer")).await;
    }
    game.send_text(r#"{"action":"broadcast","params":{"request_id":24},"data":{"data":1}}"#)
        .await;
    assert_next_is(&mut game, "broadcast_no_topic.error").await;
    game.send_text(r#"{"action":"jump","params":{"request_id":3,"target":"over"}}"#)
        .await;
    assert_next_is(&mut game, "unknown_action.error").await;
    game.send_text(&golden("unsubscribe_authentication.request"))
        .await;
    assert_next_is(&mut game, "unsubscribe_authentication.answer").await;
    game.send_text(&golden("subscribe_authentication.request"))
        .await;
    assert_next_is(&mut game, "subscribe_authentication.answer").await;
    server.advance_ms(167 * 3_600_000);
    assert_next_is(&mut game, "expiring.event").await;
}

#[tokio::test]
async fn revocation_and_a_locked_address_look_as_the_frames_tell() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    game.send_text(&golden("subscribe_authentication.request"))
        .await;
    assert_next_is(&mut game, "subscribe_authentication.answer").await;
    let page = server.page("broadcaster", "42").await;
    page.delete("/v1/e/gamelink/token").await.ok();
    assert_next_is(&mut game, "revoked.event").await;
    assert_eq!(game.closed().await, Some(1008));
    let mut guesser = server.game().await;
    for _ in 0..5 {
        guesser
            .send_text(
                r#"{"action":"authenticate","params":{"request_id":333},"data":{"pin":"PZV4SE"}}"#,
            )
            .await;
        assert_next_is(&mut guesser, "authenticate_pin.error").await;
    }
    let mut guesser = server.game().await;
    guesser
        .send_text(
            r#"{"action":"authenticate","params":{"request_id":333},"data":{"pin":"PZV4SE"}}"#,
        )
        .await;
    assert_next_is(&mut guesser, "authenticate_locked.error").await;
}

#[tokio::test]
async fn a_poll_goes_as_the_frames_tell() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    let (mut listener, _) = server.paired_game("42").await;
    listener.send_text(&golden("poll_subscribe.request")).await;
    assert_next_is(&mut listener, "poll_subscribe.answer").await;
    game.send_text(&golden("poll_create.request")).await;
    assert_next_is(&mut game, "poll_create.answer").await;
    assert_next_is(&mut listener, "poll_active.event").await;
    for (voter, value) in [(1, 0), (2, 0), (3, 0), (4, 1)] {
        let mut claims = crate::harness::claims("viewer", "42");
        claims["allowed_stage"] = json!("sandbox");
        claims["opaque_user_id"] = json!(format!("U{voter}"));
        let page = server.signed(crowdlink_protocol::Stage::Sandbox, &claims);
        let vote = json!({ "value": value });
        page.post("/v1/e/vote?id=favorite-color", &vote).await.ok();
    }
    for (request, answer) in [
        ("poll_get", "poll_get"),
        ("poll_reconfigure", "poll_reconfigure"),
    ] {
        game.send_text(&golden(&format!("{request}.request"))).await;
        assert_next_is(&mut game, &format!("{answer}.answer")).await;
    }
    server.advance_ms(1_000);
    assert_next_is(&mut listener, "poll_expired.event").await;
    listener
        .send_text(&golden("poll_unsubscribe.request"))
        .await;
    assert_next_is(&mut listener, "poll_unsubscribe.answer").await;
    for (request, outcome) in [
        ("poll_create", "poll_create_stale.answer"),
        ("poll_delete", "poll_delete.answer"),
        ("poll_get", "poll_get.error"),
        ("poll_create", "poll_create.answer"),
    ] {
        game.send_text(&golden(&format!("{request}.request"))).await;
        assert_next_is(&mut game, outcome).await;
    }
    game.send_text(&request(
        "poll_create_nulls.request",
        "options",
        &json!(["Blue", 1]),
    ))
    .await;
    assert_next_is(&mut game, "poll_create_wrong.error").await;
    listener.heartbeat().await;
}
