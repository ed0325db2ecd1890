//! Broadcast by a game (`spec 2.7`, `spec 6.2`).

use crowdlink_protocol::Stage;
use serde_json::{Value, json};

use crate::harness::{EXTENSION, Game, OWNER, Server, Told, Viewer, refusal};

async fn viewer(server: &Server, channel: &str, user: &str) -> Viewer {
    let jwt = server.token("viewer", channel, user).await;
    Viewer::with(server, Stage::Sandbox, EXTENSION, &jwt).await
}

async fn send(game: &mut Game, data: Value) {
    let answer = game.call("broadcast", "", data).await;
    assert_eq!(answer["data"], json!({ "ok": true }), "{answer}");
}

fn told(target: &str, event: &str, data: Value) -> Told {
    Told {
        target: target.to_owned(),
        event: event.to_owned(),
        data,
    }
}

#[tokio::test]
async fn both_forms_reach_the_viewers_of_the_games_channel() {
    let server = Server::start().await;
    let mut here = viewer(&server, "42", "77").await;
    let mut there = viewer(&server, "43", "77").await;
    let (mut game, _) = server.paired_game("42").await;
    send(&mut game, json!({ "topic": "song", "data": { "a": 1.0 } })).await;
    assert_eq!(
        here.told().await,
        told("broadcast", "song", json!({ "a": 1.0 }))
    );
    send(
        &mut game,
        json!({ "topic": "say", "message": "hi \"all\"", "ids": null }),
    )
    .await;
    assert_eq!(
        here.told().await,
        told("broadcast", "say", json!("hi \"all\""))
    );
    there.socket.heartbeat().await;
}

#[tokio::test]
async fn ids_limit_the_receivers() {
    let server = Server::start().await;
    let mut first = viewer(&server, "42", "77").await;
    let mut second = viewer(&server, "42", "78").await;
    let mut third = viewer(&server, "42", "79").await;
    let mut there = viewer(&server, "43", "77").await;
    let (mut game, _) = server.paired_game("42").await;
    // By user id and by opaque id, one of them twice.
    let data = json!({ "topic": "psst", "data": 1, "ids": ["77", "U78", "U78", "404"] });
    send(&mut game, data).await;
    assert_eq!(first.told().await, told("whisper-U77", "psst", json!(1)));
    assert_eq!(second.told().await, told("whisper-U78", "psst", json!(1)));
    for viewer in [&mut first, &mut second, &mut third, &mut there] {
        viewer.socket.heartbeat().await;
    }
}

#[tokio::test]
async fn data_may_have_8_192_bytes_and_no_more() {
    let server = Server::start().await;
    let mut viewer = viewer(&server, "42", "77").await;
    let (mut game, _) = server.paired_game("42").await;
    for field in ["data", "message"] {
        let text = |bytes: usize| Value::String("x".repeat(bytes - 2));
        let data = |bytes| json!({ "topic": "big", field: text(bytes) });
        let refused = game.call("broadcast", "", data(8_193)).await;
        assert_eq!(refusal(&refused, 400).1, "data must be at most 8192 bytes");
        send(&mut game, data(8_192)).await;
        assert_eq!(viewer.told().await.data, text(8_192));
    }
}

#[tokio::test]
async fn what_is_wrong_is_named_and_nothing_is_sent() {
    let server = Server::start().await;
    let mut viewer = viewer(&server, "42", "77").await;
    let (mut game, _) = server.paired_game("42").await;
    let many: Vec<String> = (0..1_001).map(|id| id.to_string()).collect();
    let ids = "ids must be 1 to 1000 ids of users, or left out";
    for (data, detail) in [
        (json!({ "data": 1 }), "topic is required"),
        (json!({ "topic": "", "data": 1 }), "topic is required"),
        (json!({ "topic": "e" }), "data is required"),
        (
            json!({ "topic": "e", "message": 1 }),
            "message must be a string",
        ),
        // Nobody is not everybody.
        (json!({ "topic": "e", "data": 1, "ids": [] }), ids),
        (json!({ "topic": "e", "data": 1, "ids": [""] }), ids),
        (json!({ "topic": "e", "data": 1, "ids": many }), ids),
        (
            json!({ "topic": "e", "data": 1, "ids": "77" }),
            "ids must be a list of strings",
        ),
    ] {
        let refused = game.call("broadcast", "", data).await;
        assert_eq!(refusal(&refused, 400).1, detail);
    }
    let other = game
        .call("broadcast", "nothing", json!({ "topic": "e", "data": 1 }))
        .await;
    refusal(&other, 400);
    let mut stranger = server.game().await;
    let refused = stranger
        .call("broadcast", "", json!({ "topic": "e", "data": 1 }))
        .await;
    assert_eq!(refusal(&refused, 403).1, "requires authentication");
    viewer.socket.heartbeat().await;
}

#[tokio::test]
async fn pipelined_broadcasts_keep_their_order() {
    let server = Server::start().await;
    let mut viewer = viewer(&server, OWNER, "77").await;
    let (mut game, _) = server.paired_game(OWNER).await;
    for n in 0..100 {
        let mut data = json!({ "topic": "n", "data": n });
        if n % 2 == 1 {
            data["ids"] = json!(["77"]);
        }
        game.send("broadcast", "", data).await;
    }
    for n in 0..100 {
        assert_eq!(viewer.told().await.data, json!(n));
        assert_eq!(game.frame().await["data"], json!({ "ok": true }));
    }
}
