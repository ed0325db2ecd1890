//! What viewers send to the game (`spec 2.8`, `spec 3.10`).

use http::Method;
use serde_json::{Value, json};

use crate::harness::{Game, Http, START_MS, Server};

pub const PATH: &str = "/v1/e/datastream";

/// A game that hears of the datastream and of matchmaking.
pub async fn listening(server: &Server, channel: &str) -> Game {
    let (mut game, _) = server.paired_game(channel).await;
    game.done("subscribe", "datastream", json!({})).await;
    game.done("subscribe", "matchmaking", json!({ "operation": "invite" }))
        .await;
    game
}

/// The events of the next frame.
pub async fn batch(game: &mut Game) -> Vec<Value> {
    let data = game.event("datastream").await;
    let events = data["events"].as_array().unwrap();
    events.iter().map(|event| event["event"].clone()).collect()
}

/// Something that is told at once, behind what was sent before: nothing of that was told.
pub async fn nothing_but_a_mark(viewer: &Http, game: &mut Game) {
    viewer.post("/v1/e/matchmaking", &json!({})).await.ok();
    game.event("matchmaking").await;
}

#[tokio::test]
async fn events_come_at_once_then_in_batches_of_100_ms_and_in_order() {
    let server = Server::start().await;
    let mut game = listening(&server, "42").await;
    let viewer = server.page("viewer", "42").await;
    assert_eq!(
        viewer.post(PATH, &json!({ "n": 1.0 })).await.ok(),
        json!({})
    );
    let first = game.event("datastream").await;
    let event = json!({ "event": { "n": 1.0 }, "timestamp": START_MS / 1_000 });
    assert_eq!(first, json!({ "events": [event] }));
    server.advance_ms(10);
    for n in 2..5 {
        viewer.post(PATH, &json!({ "n": n })).await.ok();
    }
    nothing_but_a_mark(&viewer, &mut game).await;
    server.advance_ms(89);
    nothing_but_a_mark(&viewer, &mut game).await;
    server.advance_ms(1);
    assert_eq!(
        batch(&mut game).await,
        [json!({ "n": 2 }), json!({ "n": 3 }), json!({ "n": 4 })]
    );
    server.advance_ms(100);
    viewer.post(PATH, &json!({ "n": 5 })).await.ok();
    assert_eq!(batch(&mut game).await, [json!({ "n": 5 })]);
}

#[tokio::test]
async fn an_event_is_an_object_of_at_most_8_kib_and_reaches_the_game_as_it_was() {
    let server = Server::start().await;
    let mut game = listening(&server, "42").await;
    let viewer = server.page("viewer", "42").await;
    let sized = |bytes: usize| format!("{{ \"a\" : \"{}\" }}", "x".repeat(bytes - 8));
    viewer.send(Method::POST, PATH, sized(8_192)).await.ok();
    assert_eq!(batch(&mut game).await[0].to_string().len(), 8_192);
    let refused = viewer.send(Method::POST, PATH, sized(8_193)).await;
    refused.refused(400, "the document must not be over 8192 bytes");
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(64), "]".repeat(64));
    for body in ["[]", "1", "\"x\"", "{", "null", "{\"a\":1e400}", &deep] {
        let refused = viewer.send(Method::POST, PATH, body.to_owned()).await;
        assert_eq!(refused.status, 400, "{body}");
    }
    server.advance_ms(100);
    // Double encoding, no body, and numbers and orders of keys as they were.
    viewer
        .send(
            Method::POST,
            PATH,
            r#""{\"z\":1.0,\"a\":12345678901234567890}""#,
        )
        .await
        .ok();
    let event = &batch(&mut game).await[0];
    assert_eq!(event.to_string(), r#"{"z":1.0,"a":12345678901234567890}"#);
    server.advance_ms(100);
    viewer.send(Method::POST, PATH, "").await.ok();
    assert_eq!(batch(&mut game).await, [json!({})]);
}

#[tokio::test]
async fn an_event_that_found_no_game_is_held_for_a_second_for_the_first_that_comes() {
    let server = Server::start().await;
    let viewer = server.page("viewer", "42").await;
    let (mut witness, _) = server.paired_game("42").await;
    witness
        .done("subscribe", "matchmaking", json!({ "operation": "invite" }))
        .await;
    let (mut game, _) = server.paired_game("42").await;
    viewer.post(PATH, &json!({ "n": 1 })).await.ok();
    nothing_but_a_mark(&viewer, &mut witness).await;
    server.advance_ms(500);
    viewer.post(PATH, &json!({ "n": 2 })).await.ok();
    nothing_but_a_mark(&viewer, &mut witness).await;
    server.advance_ms(499);
    // The answer comes first.
    game.done("subscribe", "datastream", json!({})).await;
    assert_eq!(
        batch(&mut game).await,
        [json!({ "n": 1 }), json!({ "n": 2 })]
    );
    // It was given: the next one does not get it.
    witness.done("subscribe", "datastream", json!({})).await;
    witness.heartbeat().await;
    for game in [&mut game, &mut witness] {
        game.done("unsubscribe", "datastream", Value::Null).await;
    }
    viewer.post(PATH, &json!({ "n": 3 })).await.ok();
    nothing_but_a_mark(&viewer, &mut witness).await;
    server.advance_ms(1);
    viewer.post(PATH, &json!({ "n": 4 })).await.ok();
    nothing_but_a_mark(&viewer, &mut witness).await;
    server.advance_ms(999);
    game.done("subscribe", "datastream", json!({})).await;
    assert_eq!(batch(&mut game).await, [json!({ "n": 4 })]);
}

#[tokio::test]
async fn only_games_of_the_channel_and_the_stage_hear_it() {
    let server = Server::start().await;
    let (mut here, mut there) = (
        listening(&server, "42").await,
        listening(&server, "43").await,
    );
    let viewer = server.page("viewer", "42").await;
    let elsewhere = server.page("viewer", "43").await;
    let production = server.production_page("viewer", "43");
    production
        .post(PATH, &json!({ "in": "production" }))
        .await
        .ok();
    viewer.post(PATH, &json!({ "in": 42 })).await.ok();
    assert_eq!(batch(&mut here).await, [json!({ "in": 42 })]);
    nothing_but_a_mark(&elsewhere, &mut there).await;
    let refused = viewer
        .post("/v1/e/datastream?channel_id=43", &json!({}))
        .await;
    refused.forbidden("wrong channel");
    let admin = server.trusted("admin");
    admin
        .post("/v1/e/datastream?channel_id=43", &json!({ "by": "admin" }))
        .await
        .ok();
    assert_eq!(batch(&mut there).await, [json!({ "by": "admin" })]);
    admin
        .post(PATH, &json!({}))
        .await
        .refused(400, "channel_id is required");
    // A game that goes to another channel hears of that one, once it asks.
    let pin = server.page("broadcaster", "43").await.pin().await;
    here.authenticate(json!({ "pin": pin })).await;
    server.advance_ms(100);
    elsewhere.post(PATH, &json!({ "in": 43 })).await.ok();
    assert_eq!(batch(&mut there).await, [json!({ "in": 43 })]);
    here.heartbeat().await;
    here.done("subscribe", "datastream", json!({})).await;
}
