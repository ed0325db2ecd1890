//! Who hears of which polls, and that nothing is missed: restarts, lost word, faults, a clock
//! that is set (`spec 2.6`).

use crowdlink_core::Message;
use serde_json::json;

use crate::harness::{Audience, Server, Viewer};

#[tokio::test]
async fn every_game_hears_of_what_it_subscribed_to_once() {
    let mut audience = Audience::of(&["*", "p", "p"]).await;
    let (mut other, _) = audience.server.paired_game("900").await;
    let (mut elsewhere, _) = audience.server.paired_game("42").await;
    let subscribe = |id: &str| json!({ "topic_id": id });
    other.call("subscribe", "poll", subscribe("q")).await;
    for id in ["*", "p", "q"] {
        elsewhere.call("subscribe", "poll", subscribe(id)).await;
    }
    for id in ["p", "q", "r"] {
        audience.create(id, json!({})).await;
        let told = audience.told().await;
        assert_eq!(told.counts(), [("active", 0)]);
        assert_eq!(told.game[0]["topic_id"], id);
    }
    assert_eq!(other.frame().await["data"]["topic_id"], "q");
    other.heartbeat().await;
    elsewhere.heartbeat().await;
    // Of one it hears no more, by `*` it still does.
    for (id, told) in [("p", 1), ("*", 0), ("*", 0)] {
        audience
            .game
            .call("unsubscribe", "poll", subscribe(id))
            .await;
        audience.create("p", json!({})).await;
        assert_eq!(audience.told().await.game.len(), told, "{id}");
    }
}

#[tokio::test]
async fn subscribing_tells_nothing_and_what_comes_then_is_told() {
    let mut audience = Audience::of(&[]).await;
    audience.create("p", json!({})).await;
    audience.vote(1, "p", 0).await;
    audience.server.advance_ms(400_000);
    audience.told().await;
    for topic in ["p", "*"] {
        let data = json!({ "topic_id": topic });
        audience.game.call("subscribe", "poll", data).await;
        assert_eq!(audience.in_ms(2_000).await.counts(), [], "{topic}");
    }
    audience.vote(2, "p", 0).await;
    assert_eq!(audience.told().await.counts(), [("active", 2)]);
}

#[tokio::test]
async fn a_poll_of_the_extension_reaches_who_names_it_in_every_channel() {
    let mut audience = Audience::of(&["*"]).await;
    let (mut named, _) = audience.server.paired_game("42").await;
    let mut all = Viewer::of(&audience.server, None).await;
    let data = json!({ "topic_id": "global-p" });
    named.call("subscribe", "poll", data).await;
    audience.create("global-p", json!({})).await;
    let event = named.frame().await;
    assert_eq!(event["data"]["topic_id"], "global-p");
    assert_eq!(all.event().await.0, "poll_update:global-p");
    // `*` is every poll of the channel, and its viewers hear of theirs.
    let told = audience.told().await;
    assert!(told.game.is_empty() && told.viewers.is_empty(), "{told:?}");
    audience.vote(1, "global-p", 1).await;
    audience.in_ms(1_000).await;
    assert_eq!(named.frame().await["data"]["count"], 1);
    assert_eq!(all.event().await.0, "vote_update:global-p");
}

#[tokio::test]
async fn polls_that_wait_begin_and_end_after_a_restart() {
    let mut before = Audience::of(&[]).await;
    let config = json!({ "startsIn": 30, "endsIn": 60 });
    before.create("p", config.clone()).await;
    before.create("global-p", config).await;
    before.vote(1, "open", 1).await;
    let restarted = before.server.start_beside().await;
    before.into_server().await.shut_down().await;
    let mut audience = Audience::on(restarted, &["*", "global-p"]).await;
    assert_eq!(audience.in_ms(29_999).await.counts(), []);
    assert_eq!(audience.in_ms(1).await.counts(), [("active", 0); 2]);
    assert_eq!(audience.in_ms(29_999).await.counts(), []);
    let told = audience.in_ms(1).await;
    assert_eq!(told.counts(), [("expired", 0); 2]);
    audience.vote(2, "open", 1).await;
    assert_eq!(audience.in_ms(1_000).await.counts(), [("active", 2)]);
}

/// What every message up to now tells is lost to this server.
fn lose_word(server: &Server) {
    // Nobody gets to listen meanwhile: more messages than the bus keeps.
    for _ in 0..10_000 {
        let topic = "nothing".to_owned();
        let payload = bytes::Bytes::new();
        server
            .app
            .core
            .world()
            .bus
            .publish(Message { topic, payload });
    }
}

#[tokio::test]
async fn what_the_bus_lost_is_found_and_told_once() {
    let mut audience = Audience::of(&["*"]).await;
    for id in ["voted", "ended", "deleted", "quiet"] {
        audience.create(id, json!({})).await;
    }
    audience.told().await;
    audience.in_ms(6_000).await;
    // Another process, whose bus does not reach this one.
    let far = audience.server.start_beside().await;
    let (mut game, _) = far.paired_game("900").await;
    let stop = json!({ "poll_id": "ended", "config": { "endsAt": -1 } });
    game.call("reconfigure", "poll", stop).await;
    game.call("delete", "poll", json!({ "poll_id": "deleted" }))
        .await;
    for (id, config) in [("new", json!({})), ("soon", json!({ "startsIn": 60 }))] {
        let poll = json!({ "poll_id": id, "prompt": "?", "options": [], "config": config });
        game.call("create", "poll", poll).await;
    }
    let page = far.page("viewer", "900").await;
    for id in ["voted", "opened"] {
        let path = format!("/v1/e/vote?id={id}");
        page.post(&path, &json!({ "value": 1 })).await.ok();
    }
    lose_word(&audience.server);
    let mut told = audience.in_ms(5_000).await;
    // Looking polls up takes a while that no mark waits for.
    for _ in 0..3 {
        told.game.extend(audience.in_ms(5_000).await.game);
    }
    told.game.sort_by_key(|event| event["topic_id"].to_string());
    let topics: Vec<_> = told.game.iter().map(|event| &event["topic_id"]).collect();
    assert_eq!(topics, ["ended", "new", "opened", "voted"]);
    assert_eq!(
        told.counts(),
        [("expired", 0), ("active", 0), ("active", 1), ("active", 1)]
    );
    lose_word(&audience.server);
    for _ in 0..3 {
        let told = audience.in_ms(10_000).await;
        assert!(told.game.is_empty() && told.viewers.is_empty(), "{told:?}");
    }
    let told = audience.in_ms(10_000).await;
    assert_eq!(told.game[0]["topic_id"], "soon");
}

#[tokio::test]
async fn an_end_that_could_not_be_read_is_told_when_it_can_be() {
    let mut audience = Audience::of(&["p"]).await;
    audience.create("p", json!({ "endsIn": 5 })).await;
    audience.told().await;
    audience.server.store.set_down(true);
    audience.server.advance_ms(5_000);
    audience.game.heartbeat().await;
    audience.server.store.set_down(false);
    assert_eq!(audience.in_ms(1_000).await.counts(), [("expired", 0)]);
    assert_eq!(audience.in_ms(1_000).await.counts(), []);
}

#[tokio::test]
async fn a_clock_that_is_set_forward_is_noticed_within_10_s() {
    let mut audience = Audience::of(&["p"]).await;
    audience.create("p", json!({ "endsIn": 3_000 })).await;
    audience.told().await;
    let wall_ms = audience.server.clock_ms();
    audience.server.clock.set_wall_ms(wall_ms + 3_000_000);
    assert_eq!(audience.in_ms(10_000).await.counts(), [("expired", 0)]);
    audience.server.clock.set_wall_ms(wall_ms);
    assert_eq!(audience.in_ms(10_000).await.counts(), []);
}

#[tokio::test]
async fn a_thousand_subscriptions_are_served_and_one_more_is_refused() {
    let mut audience = Audience::of(&[]).await;
    for n in 1..1_000 {
        if n % 100 == 0 {
            // The rate of requests is not what is tested here.
            audience.server.advance_ms(1_000);
        }
        let data = json!({ "topic_id": format!("p{n}") });
        let answer = audience.game.call("subscribe", "poll", data).await;
        assert_eq!(answer["data"], json!({ "ok": true }), "{n}");
    }
    audience.server.advance_ms(10_000);
    let one_more = json!({ "topic_id": "one-more" });
    let refused = audience.game.call("subscribe", "poll", one_more).await;
    crate::harness::refusal(&refused, 400);
    for id in ["p1", "p999", "one-more"] {
        audience.create(id, json!({})).await;
        let told = usize::from(id != "one-more");
        assert_eq!(audience.told().await.game.len(), told, "{id}");
    }
}
