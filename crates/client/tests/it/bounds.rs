//! What is bounded, and what happens there.

use std::time::Duration;

use crowdlink_client::{
    EVENT_BYTES_MAX, EVENTS_MAX, Error, Event, Game, Gap, STREAMS_MAX, StateTopic,
};
use serde_json::{Value, json};

use crate::harness::script::{Connection, Script};
use crate::harness::{connect, next, soon};

async fn paired(script: &Script) -> (Connection, Game) {
    let pairing = tokio::spawn(connect(&script.url()).pair_with_pin("ABCDEF"));
    let (connection, _) = script.welcome("one").await;
    (
        connection,
        soon("pairing", pairing).await.unwrap().unwrap().game,
    )
}

/// Makes sure that everything sent before has arrived.
async fn settle(connection: &mut Connection, game: &Game) {
    let twin = game.clone();
    let asking = tokio::spawn(async move { twin.polls().delete("x").await });
    connection
        .expect("delete", "poll", &json!({ "ok": true }))
        .await;
    soon("the answer", asking).await.unwrap().unwrap();
}

fn sent(number: usize, padding: &str) -> Value {
    json!({ "events": [{ "event": { "n": number, "p": padding }, "timestamp": 1 }] })
}

#[tokio::test]
async fn a_slow_game_is_told_how_many_events_it_missed() {
    let script = Script::listen().await;
    let (mut connection, game) = paired(&script).await;
    let twin = game.clone();
    let subscribing = tokio::spawn(async move { twin.datastream().await });
    connection.expect_subscription("datastream").await;
    let mut stream = soon("subscribing", subscribing).await.unwrap().unwrap();
    let extra = 100;
    for number in 0..EVENTS_MAX + extra {
        connection.event("datastream", &sent(number, "")).await;
    }
    settle(&mut connection, &game).await;
    let dropped = Gap::Overflow {
        events: extra as u64,
    };
    assert_eq!(next(&mut stream).await, Err(dropped));
    for number in extra..EVENTS_MAX + extra {
        assert_eq!(next(&mut stream).await.unwrap().event["n"], number);
    }
}

#[tokio::test]
async fn no_more_bytes_wait_than_the_bound() {
    let script = Script::listen().await;
    let (mut connection, game) = paired(&script).await;
    let twin = game.clone();
    let subscribing = tokio::spawn(async move { twin.datastream().await });
    connection.expect_subscription("datastream").await;
    let mut stream = soon("subscribing", subscribing).await.unwrap().unwrap();
    let padding = "x".repeat(EVENT_BYTES_MAX / 4);
    for number in 0..6 {
        connection
            .event("datastream", &sent(number, &padding))
            .await;
    }
    settle(&mut connection, &game).await;
    let gap = next(&mut stream).await.unwrap_err();
    assert_eq!(gap, Gap::Overflow { events: 3 });
    assert_eq!(next(&mut stream).await.unwrap().event["n"], 3);
}

#[tokio::test]
async fn of_states_the_newest_is_always_there() {
    let script = Script::listen().await;
    let (mut connection, game) = paired(&script).await;
    let twin = game.clone();
    let subscribing = tokio::spawn(async move {
        let channel = twin.channel_state().subscribe().await.unwrap();
        (channel, twin.extension_state().subscribe().await.unwrap())
    });
    connection.expect_subscription("state").await;
    connection.expect_subscription("state").await;
    let (mut channel, mut extension) = soon("subscribing", subscribing).await.unwrap();
    let state = |n: usize| json!({ "topic_id": "x", "state": { "n": n } });
    connection.event("extension", &state(7)).await;
    for number in 0..EVENTS_MAX + 50 {
        connection.event("channel", &state(number)).await;
    }
    settle(&mut connection, &game).await;
    let mut last = -1;
    for _ in 0..EVENTS_MAX {
        let number = next(&mut channel).await.state["n"].as_i64().unwrap();
        assert!(number > last, "never out of order");
        last = number;
    }
    assert_eq!(usize::try_from(last).unwrap(), EVENTS_MAX + 49);
    let event = next(&mut extension).await;
    assert_eq!(
        (event.topic, event.state),
        (StateTopic::Extension, json!({ "n": 7 }))
    );
}

#[tokio::test]
async fn there_are_never_more_streams_than_the_bound() {
    let script = Script::listen().await;
    let (mut connection, game) = paired(&script).await;
    let mut streams = Vec::new();
    for _ in 0..STREAMS_MAX {
        streams.push(game.events().await.unwrap());
    }
    let error = game.events().await.unwrap_err();
    assert!(matches!(error, Error::Unsendable(_)), "{error:?}");
    streams.pop();
    settle(&mut connection, &game).await;
    streams.push(game.events().await.unwrap());
    connection
        .event("authentication", &json!({ "event": "revoked" }))
        .await;
    for stream in &mut streams {
        assert!(matches!(next(stream).await, Ok(Event::Authentication(_))));
    }
}

#[tokio::test]
async fn a_frame_longer_than_servers_send_ends_the_connection_and_not_the_game() {
    let script = Script::listen().await;
    let (mut connection, _game) = paired(&script).await;
    let long = "x".repeat(4 * 1024 * 1024 + 1);
    connection.send_in_vain(&long).await;
    let (_connection, _) = script.welcome("two").await;
}

#[tokio::test]
async fn a_server_that_says_nothing_for_75_s_is_left() {
    let script = Script::listen().await;
    let (mut connection, game) = paired(&script).await;
    for _ in 0..3 {
        advance(74).await;
        settle(&mut connection, &game).await;
    }
    advance(76).await;
    let (_connection, _) = script.welcome("two").await;
}

/// Lets so many seconds pass at once.
async fn advance(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}
