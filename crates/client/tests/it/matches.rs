//! Matches as `spec 2.10` writes them: against a scripted server, and with the real program.

use std::future::Future;
use std::time::Duration;

use crowdlink_client::{Error, Game, Poll, PollConfig, PollStatus, Status};
use serde_json::{Value, json};

use crate::harness::program::Program;
use crate::harness::script::{Connection, Script};
use crate::harness::{connect, next, soon};

/// What the library sends must be this; it is done.
async fn done<F: Future<Output = Result<(), Error>> + Send + 'static>(
    (connection, game): (&mut Connection, &Game),
    (action, target, data): (&str, &str, Value),
    call: impl FnOnce(Game) -> F,
) {
    let calling = tokio::spawn(call(game.clone()));
    let sent = connection
        .expect(action, target, &json!({ "ok": true }))
        .await;
    assert_eq!(sent, data, "{action} {target}");
    soon(action, calling).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_match_is_made_filled_and_asked() {
    let script = Script::listen().await;
    let pairing = tokio::spawn(connect(&script.url()).pair_with_pin("ABCDEF"));
    let (mut connection, _) = script.welcome("one").await;
    let game = soon("pairing", pairing).await.unwrap().unwrap().game;
    let to = |action: &'static str, target: &'static str, data: Value| (action, target, data);
    let own = json!({ "id": "m" });
    let channels = json!({ "id": "m", "channel_ids": ["1", "2"] });

    let request = to("create", "match", own.clone());
    let call = |game: Game| async move { game.match_of("m").create().await };
    done((&mut connection, &game), request, call).await;
    let request = to("keepalive", "match", own);
    let call = |game: Game| async move { game.match_of("m").keepalive().await };
    done((&mut connection, &game), request, call).await;
    let request = to("add_channels", "match", channels.clone());
    let call = |game: Game| async move { game.match_of("m").add_channels(&["1", "2"]).await };
    done((&mut connection, &game), request, call).await;
    let request = to("remove_channels", "match", channels);
    let call = |game: Game| async move { game.match_of("m").remove_channels(&["1", "2"]).await };
    done((&mut connection, &game), request, call).await;
    let told = json!({ "match_id": "m", "topic": "start", "data": [1] });
    let call = |game: Game| async move { game.match_of("m").broadcast("start", &[1]).await };
    done(
        (&mut connection, &game),
        to("broadcast", "match", told),
        call,
    )
    .await;

    let poll = json!({ "poll_id": "p", "prompt": "?", "options": ["a"] });
    let request = to("create", "match_poll", json!({ "id": "m", "poll": poll }));
    let call = |game: Game| async move {
        game.match_of("m")
            .create_poll(&Poll::new("p", "?", ["a"]))
            .await
    };
    done((&mut connection, &game), request, call).await;
    let config = json!({ "endsIn": 5 });
    let data = json!({ "id": "m", "poll_id": "p", "config": config });
    let call = |game: Game| async move {
        let config = PollConfig::new().ends_in(Duration::from_secs(5));
        game.match_of("m").reconfigure_poll("p", &config).await
    };
    done(
        (&mut connection, &game),
        to("reconfigure", "match_poll", data),
        call,
    )
    .await;
    let data = json!({ "id": "m", "poll_id": "p" });
    let call = |game: Game| async move { game.match_of("m").delete_poll("p").await };
    done(
        (&mut connection, &game),
        to("delete", "match_poll", data),
        call,
    )
    .await;
}

#[tokio::test]
async fn polls_of_a_match_are_heard_channel_by_channel() {
    let script = Script::listen().await;
    let pairing = tokio::spawn(connect(&script.url()).pair_with_pin("ABCDEF"));
    let (mut connection, _) = script.welcome("one").await;
    let game = soon("pairing", pairing).await.unwrap().unwrap().game;
    let twin = game.clone();
    let subscribing = tokio::spawn(async move { twin.match_of("m").subscribe_polls().await });
    let sent = connection.expect_subscription("match_poll").await;
    assert_eq!(sent, json!({ "topic_id": "m" }));
    let mut news = soon("subscribing", subscribing).await.unwrap().unwrap();
    let results = |count: i64| {
        let mut results = vec![0; 32];
        results[0] = count;
        json!({
            "results": results, "stddev": 0.5, "mean": 0, "sum": 0, "count": count,
            "status": "active",
        })
    };
    let event = |id: &str| {
        json!({
            "match_id": id, "poll_id": "p", "overall": results(3),
            "results": { "1": results(3), "2": results(0) },
        })
    };
    connection.event("match_poll", &event("another")).await;
    connection.event("match_poll", &event("m")).await;
    let report = next(&mut news).await;
    assert_eq!((&*report.match_id, report.overall.count), ("m", 3));
    assert_eq!(report.overall.status, PollStatus::Active);
    assert_eq!(report.results["1"].results.len(), 32);
    assert_eq!(report.results["2"].count, 0);
}

async fn vote(program: &Program, channel: &str, user: &str) {
    let viewer = program.viewer(channel, user).await;
    viewer
        .post("/v1/e/vote?id=boss", &json!({ "value": 1 }))
        .await;
}

#[tokio::test]
async fn a_match_is_asked_in_two_channels_outlives_kill_9_and_ends_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::start(folder.path());
    let pin = program.pin("1000").await;
    let pairing = connect(&program.url()).pair_with_pin(&pin);
    let game = pairing.await.unwrap().game;
    let duel = game.match_of("duel");
    let error = duel.keepalive().await.unwrap_err();
    assert_eq!(error.number(), Some(404));
    duel.create().await.unwrap();
    duel.add_channels(&["1001", "1002"]).await.unwrap();
    let mut news = duel.subscribe_polls().await.unwrap();
    let poll = Poll::new("boss", "Who is next?", ["Dragon", "Kraken"]);
    duel.create_poll(&poll).await.unwrap();
    vote(&program, "1001", "77").await;
    let first = next(&mut news).await;
    assert_eq!((&*first.match_id, &*first.poll_id), ("duel", "boss"));
    assert_eq!((first.overall.count, first.overall.sum), (1, 1.0));
    assert_eq!(first.results["1001"].results[1], 1);
    assert_eq!(first.results["1002"].count, 0);

    program.kill_9();
    let mut status = game.status();
    let lost = |status: &Status| matches!(status, Status::Reconnecting { .. });
    soon("the loss", status.wait_for(lost)).await.unwrap();
    program.kill_9_and_restart(folder.path());
    duel.keepalive().await.unwrap();
    vote(&program, "1002", "78").await;
    let second = next(&mut news).await;
    assert_eq!(second.overall.count, 2);
    assert_eq!(second.results["1001"].count, 1);
    assert_eq!(second.overall.status, PollStatus::Active);

    duel.end_poll("boss").await.unwrap();
    duel.end_poll("boss").await.unwrap();
    let end = next(&mut news).await;
    assert_eq!(
        (end.overall.status, end.overall.count),
        (PollStatus::Expired, 2)
    );
    // A channel that is no owner may not even listen.
    let pin = program.pin("1001").await;
    let pairing = connect(&program.url()).pair_with_pin(&pin);
    let other = pairing.await.unwrap().game;
    let error = other.match_of("duel").subscribe_polls().await.unwrap_err();
    assert_eq!(error.number(), Some(403));
    // The next thing told is of the next poll: the end came once.
    duel.delete_poll("boss").await.unwrap();
    duel.create_poll(&poll).await.unwrap();
    vote(&program, "1002", "78").await;
    let again = next(&mut news).await;
    assert_eq!(
        (again.overall.status, again.overall.count),
        (PollStatus::Active, 1)
    );
}
