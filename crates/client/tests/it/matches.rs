//! Matches as `spec 2.10` writes them, against a scripted server.

use std::future::Future;

use crowdlink_client::{Error, Game, Poll, PollConfig};
use serde_json::{Value, json};

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
    let config = json!({ "endsAt": -1 });
    let data = json!({ "id": "m", "poll_id": "p", "config": config });
    let call = |game: Game| async move {
        let config = PollConfig::new().ends_at_s(-1);
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
    assert_eq!(report.overall.status, "active");
    assert_eq!(report.results["1"].results.len(), 32);
    assert_eq!(report.results["2"].count, 0);
}
