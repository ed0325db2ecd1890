//! Requests and subscriptions over a lost connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crowdlink_client::{Clock, Error, Game, Gap, Poll, PollStatus, Status};
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

fn ok() -> Value {
    json!({ "ok": true })
}

fn report(count: i64, status: &str) -> Value {
    json!({
        "topic_id": "boss",
        "poll": { "poll_id": "boss", "prompt": "", "options": ["a"], "status": status },
        "results": [count], "mean": 0, "sum": 0, "count": count,
    })
}

#[tokio::test]
async fn reads_are_asked_again_and_writes_are_not() {
    let script = Script::listen().await;
    let (mut connection, game) = paired(&script).await;
    let twin = game.clone();
    let read = tokio::spawn(async move { twin.channel_state().get::<Value>().await });
    assert_eq!(connection.request().await["action"], "get");
    let twin = game.clone();
    let write = tokio::spawn(async move { twin.channel_state().set(&json!({})).await });
    assert_eq!(connection.request().await["action"], "set");
    let twin = game.clone();
    let delete = tokio::spawn(async move { twin.polls().delete("boss").await });
    assert_eq!(connection.request().await["action"], "delete");
    drop(connection);
    let error = soon("the end of the write", write)
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(error, Error::Interrupted);
    let (mut connection, _) = script.welcome("two").await;
    connection
        .expect("get", "state", &json!({ "state": { "a": 1 } }))
        .await;
    connection.expect("delete", "poll", &ok()).await;
    assert_eq!(
        soon("the answer", read).await.unwrap().unwrap(),
        json!({ "a": 1 })
    );
    soon("the answer", delete).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_write_that_nobody_waits_for_any_more_is_not_sent() {
    let script = Script::listen().await;
    let pairing = connect(&script.url()).answer_within(Duration::from_secs(2));
    let pairing = tokio::spawn(pairing.pair_with_pin("ABCDEF"));
    let (connection, _) = script.welcome("one").await;
    let game = soon("pairing", pairing).await.unwrap().unwrap().game;
    drop(connection);
    let lost = |status: &Status| matches!(status, Status::Reconnecting { .. });
    soon("the loss", game.status().wait_for(lost))
        .await
        .unwrap();
    let (polls, poll) = (game.polls(), Poll::new("late", "", ["a"]));
    let creating = script.turn_away_during(polls.create(&poll));
    assert_eq!(creating.await.unwrap_err(), Error::TimedOut);
    let (mut connection, _) = script.welcome("two").await;
    let twin = game.clone();
    let asking = tokio::spawn(async move { twin.polls().delete("boss").await });
    connection.expect("delete", "poll", &ok()).await;
    soon("the answer", asking).await.unwrap().unwrap();
}

#[tokio::test]
async fn everything_is_subscribed_again_read_anew_and_only_news_are_told() {
    let script = Script::listen().await;
    let (mut connection, game) = paired(&script).await;
    let twin = game.clone();
    let subscribing = tokio::spawn(async move {
        let states = twin.channel_state().subscribe().await.unwrap();
        let all = twin.polls().subscribe_all().await.unwrap();
        let sent = twin.datastream().await.unwrap();
        (states, all, sent)
    });
    for target in ["state", "poll", "datastream"] {
        connection.expect_subscription(target).await;
    }
    let (mut states, mut all, mut sent) = soon("subscribing", subscribing).await.unwrap();
    connection.event("poll", &report(1, "active")).await;
    assert_eq!(next(&mut all).await.count, 1);
    drop(connection);

    let (mut connection, _) = script.welcome("two").await;
    for target in ["state", "poll", "datastream"] {
        connection.expect_subscription(target).await;
    }
    connection
        .expect("get", "state", &json!({ "ok": true, "state": { "a": 2 } }))
        .await;
    let known = connection.expect("get", "poll", &report(1, "active")).await;
    assert_eq!(
        known["poll_id"], "boss",
        "every poll that was running is read"
    );
    assert_eq!(next(&mut states).await.state, json!({ "a": 2 }));
    assert_eq!(next(&mut sent).await, Err(Gap::Disconnected));
    drop(connection);

    let (mut connection, _) = script.welcome("three").await;
    for target in ["state", "poll", "datastream"] {
        connection.expect_subscription(target).await;
    }
    connection
        .expect("get", "state", &json!({ "ok": true, "state": { "a": 3 } }))
        .await;
    connection
        .expect("get", "poll", &report(5, "expired"))
        .await;
    let ended = next(&mut all).await;
    assert_eq!((ended.count, ended.poll.status), (5, PollStatus::Expired));
}

#[tokio::test]
async fn a_subscription_is_ended_when_its_last_stream_is_dropped() {
    let script = Script::listen().await;
    let (mut connection, game) = paired(&script).await;
    let twin = game.clone();
    let subscribing = tokio::spawn(async move {
        (
            twin.datastream().await.unwrap(),
            twin.datastream().await.unwrap(),
        )
    });
    connection.expect_subscription("datastream").await;
    connection.expect_subscription("datastream").await;
    let (first, mut second) = soon("subscribing", subscribing).await.unwrap();
    drop(first);
    let events = json!({ "events": [{ "event": { "x": 1 }, "timestamp": 5 }] });
    connection.event("datastream", &events).await;
    assert_eq!(next(&mut second).await.unwrap().event, json!({ "x": 1 }));
    drop(second);
    connection.expect("unsubscribe", "datastream", &ok()).await;
    drop(connection);
    let (mut connection, _) = script.welcome("two").await;
    let asking = tokio::spawn(async move { game.polls().delete("boss").await });
    connection.expect("delete", "poll", &ok()).await;
    soon("the answer", asking).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_refused_subscription_is_an_error_and_is_not_tried_again() {
    let script = Script::listen().await;
    let (mut connection, game) = paired(&script).await;
    let twin = game.clone();
    let subscribing = tokio::spawn(async move { twin.datastream().await });
    let request = connection.request().await;
    connection.refuse(&request, 403).await;
    let error = soon("the refusal", subscribing).await.unwrap().unwrap_err();
    assert_eq!(error.number(), Some(403));
    drop(connection);
    let (mut connection, _) = script.welcome("two").await;
    let asking = tokio::spawn(async move { game.polls().delete("boss").await });
    let request = connection.request().await;
    // The stream that never began may have been unsubscribed first.
    assert_eq!(request["action"], "delete", "{request}");
    connection.answer(&request, &ok()).await;
    soon("the answer", asking).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_subscription_that_cannot_be_restored_ends_its_stream_alone() {
    let script = Script::listen().await;
    let (mut connection, game) = paired(&script).await;
    let twin = game.clone();
    let subscribing = tokio::spawn(async move {
        (
            twin.datastream().await.unwrap(),
            twin.channel_state().subscribe().await.unwrap(),
        )
    });
    connection.expect_subscription("datastream").await;
    connection.expect_subscription("state").await;
    let (mut sent, mut states) = soon("subscribing", subscribing).await.unwrap();
    drop(connection);
    let (mut connection, _) = script.welcome("two").await;
    let request = connection.request().await;
    connection.refuse(&request, 400).await;
    connection.expect_subscription("state").await;
    connection
        .expect("get", "state", &json!({ "state": {} }))
        .await;
    assert_eq!(next(&mut sent).await, Err(Gap::Disconnected));
    assert!(soon("the end", sent.next()).await.is_none());
    assert_eq!(next(&mut states).await.state, json!({}));
    // Where only the moment is bad, everything is tried again.
    drop(connection);
    let (mut connection, _) = script.welcome("three").await;
    let request = connection.request().await;
    connection.refuse(&request, 429).await;
    let (mut connection, _) = script.welcome("four").await;
    connection.expect_subscription("state").await;
}

#[derive(Clone, Debug, Default)]
struct Manual(Arc<AtomicI64>);

impl Clock for Manual {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_server_that_throws_games_out_is_asked_more_and_more_seldom() {
    let script = Script::listen().await;
    let clock = Manual::default();
    let pairing = connect(&script.url()).clock(clock.clone());
    let pairing = tokio::spawn(pairing.pair_with_pin("ABCDEF"));
    let (mut connection, _) = script.welcome("one").await;
    let game = soon("pairing", pairing).await.unwrap().unwrap().game;
    let mut status = game.status();
    for expected in [1, 2, 3] {
        drop(connection);
        let now = |status: &Status| *status == Status::Reconnecting { tries: expected };
        soon("more tries", status.wait_for(now)).await.unwrap();
        (connection, _) = script.welcome("two").await;
    }
    // One that lasted makes good for all before.
    let twin = game.clone();
    let asking = tokio::spawn(async move { twin.polls().delete("boss").await });
    connection.expect("delete", "poll", &ok()).await;
    soon("the answer", asking).await.unwrap().unwrap();
    clock.0.fetch_add(10_000, Ordering::SeqCst);
    drop(connection);
    let now = |status: &Status| *status == Status::Reconnecting { tries: 1 };
    soon("the first try", status.wait_for(now)).await.unwrap();
}
