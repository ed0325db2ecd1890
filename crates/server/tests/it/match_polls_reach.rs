//! Which channels and which votes a match's poll has, and that nothing is missed: channels that
//! join and leave, polls of the same id, lost word, faults, the end of a match (`spec 2.10`).

use crowdlink_core::Message;
use crowdlink_store::Faults;
use futures::StreamExt;
use serde_json::{Value, json};

use crate::harness::{Arena, MATCH, OWNER, overall, refusal};

const MATCH_MS: u64 = 15 * 60 * 1_000;

/// Count and status of each channel in an event.
fn channels(event: &Value) -> Vec<(&str, i64, &str)> {
    let results = event["results"].as_object().unwrap().iter();
    results
        .map(|(channel, result)| {
            let count = result["count"].as_i64().unwrap();
            (&**channel, count, result["status"].as_str().unwrap())
        })
        .collect()
}

#[tokio::test]
async fn a_channel_that_joins_is_asked_too_and_one_that_leaves_counts_no_more() {
    let mut arena = Arena::new().await;
    arena.create("p", json!({ "endsIn": 600 })).await;
    arena.create("over", json!({ "endsAt": -1 })).await;
    arena.vote("42", 1, "p", 0).await;
    assert_eq!(arena.told().await.len(), 2);
    arena.channels("add_channels", &["44", "42"]).await;
    assert_eq!(arena.in_ms(1_000).await, [] as [Value; 0]);
    let (mut game, _) = arena.server.paired_game("44").await;
    let read = game.call("get", "poll", json!({ "poll_id": "p" })).await;
    assert_eq!(read["data"]["poll"]["options"], json!(["A", "B"]));
    // What had ended is not asked any more.
    let read = game.call("get", "poll", json!({ "poll_id": "over" })).await;
    refusal(&read, 404);
    arena.vote("44", 1, "p", 0).await;
    let told = arena.told().await;
    let active = |channel, count| (channel, count, "active");
    assert_eq!(
        channels(&told[0]),
        [active("42", 1), active("43", 0), active("44", 1)]
    );
    arena.channels("remove_channels", &["42", "nobody"]).await;
    let closed = arena.server.viewer("5", "42").await;
    let closed = closed.post("/v1/e/vote?id=p", &json!({ "value": 0 })).await;
    closed.refused(400, "poll is closed");
    arena.vote("43", 1, "p", 0).await;
    let told = arena.in_ms(1_000).await;
    assert_eq!(channels(&told[0]), [active("43", 1), active("44", 1)]);
    assert_eq!(overall(&told), [("active", 2)]);
    // It comes back, with its votes.
    arena.channels("add_channels", &["42"]).await;
    arena.vote("42", 2, "p", 0).await;
    let told = arena.in_ms(1_000).await;
    assert_eq!(overall(&told), [("active", 4)]);
    assert_eq!(overall(&arena.in_ms(600_000).await), [("expired", 4)]);
}

#[tokio::test]
async fn a_channels_own_poll_is_replaced_and_can_be_taken_back() {
    let mut arena = Arena::new().await;
    let (mut game, _) = arena.server.paired_game("42").await;
    let own = json!({ "poll_id": "p", "prompt": "own", "options": [] });
    game.call("create", "poll", own.clone()).await;
    arena.vote("42", 1, "p", 0).await;
    // Viewers who vote before it is asked do not count either.
    arena.vote("43", 1, "p", 0).await;
    arena.create("p", json!({})).await;
    arena.vote("43", 2, "p", 0).await;
    assert_eq!(overall(&arena.told().await), [("active", 1)]);
    let answer = game.call("create", "poll", own).await;
    assert_eq!(answer["data"], json!({ "ok": true }));
    game.call("subscribe", "poll", json!({ "topic_id": "p" }))
        .await;
    arena.server.advance_ms(1_000);
    arena.vote("42", 3, "p", 0).await;
    assert_eq!(game.event("poll").await["count"], 1);
    arena.vote("43", 4, "p", 0).await;
    let told = arena.told().await;
    let active = |channel, count| (channel, count, "active");
    assert_eq!(
        channels(told.last().unwrap()),
        [active("42", 0), active("43", 2)]
    );
    // The match lets go of it.
    let poll = json!({ "id": MATCH, "poll_id": "p" });
    arena.done("delete", "match_poll", poll).await;
    let read = game.call("get", "poll", json!({ "poll_id": "p" })).await;
    assert_eq!(read["data"]["count"], 1);
}

#[tokio::test]
async fn who_subscribes_late_is_told_what_comes_then() {
    let mut arena = Arena::new().await;
    let topic = json!({ "topic_id": MATCH });
    arena
        .game
        .done("unsubscribe", "match_poll", topic.clone())
        .await;
    arena.create("p", json!({ "endsIn": 100 })).await;
    arena.vote("42", 1, "p", 0).await;
    assert_eq!(arena.told().await, [] as [Value; 0]);
    arena
        .game
        .done("subscribe", "match_poll", topic.clone())
        .await;
    arena
        .game
        .done("subscribe", "match_poll", topic.clone())
        .await;
    assert_eq!(arena.in_ms(2_000).await, [] as [Value; 0]);
    arena.vote("43", 1, "p", 0).await;
    assert_eq!(overall(&arena.told().await), [("active", 2)]);
    arena
        .game
        .done("unsubscribe", "match_poll", topic.clone())
        .await;
    arena.vote("43", 2, "p", 0).await;
    assert_eq!(arena.in_ms(2_000).await, [] as [Value; 0]);
    arena.game.done("subscribe", "match_poll", topic).await;
    assert_eq!(overall(&arena.in_ms(100_000).await), [("expired", 3)]);
}

#[tokio::test]
async fn a_match_that_ended_is_told_no_more_and_its_id_is_free() {
    let mut arena = Arena::new().await;
    arena.create("p", json!({ "endsIn": 2_000 })).await;
    arena.vote("42", 1, "p", 0).await;
    assert_eq!(arena.told().await.len(), 1);
    arena.server.advance_ms(MATCH_MS - 1);
    arena
        .done("keepalive", "match", json!({ "id": "mark" }))
        .await;
    arena.server.advance_ms(1);
    arena.vote("42", 2, "p", 0).await;
    assert_eq!(arena.told().await, [] as [Value; 0]);
    arena
        .done("keepalive", "match", json!({ "id": "mark" }))
        .await;
    let (mut other, _) = arena.server.paired_game("42").await;
    other.done("create", "match", json!({ "id": MATCH })).await;
    let channels = json!({ "id": MATCH, "channel_ids": ["42"] });
    other.done("add_channels", "match", channels).await;
    other
        .done("subscribe", "match_poll", json!({ "topic_id": MATCH }))
        .await;
    let poll = json!({ "poll_id": "p", "prompt": "?", "options": [] });
    other
        .done("create", "match_poll", json!({ "id": MATCH, "poll": poll }))
        .await;
    arena.vote("42", 3, "p", 0).await;
    // Votes of the match before do not count, and its game does not hear of this one.
    assert_eq!(other.event("match_poll").await["overall"]["count"], 1);
    assert_eq!(arena.in_ms(1_000).await, [] as [Value; 0]);
    other.heartbeat().await;
}

#[tokio::test]
async fn an_end_in_a_storm_is_told_with_each_vote_that_was_answered_with_200() {
    let mut arena = Arena::new().await;
    arena.create("p", json!({ "endsIn": 5 })).await;
    arena.server.advance_ms(4_000);
    arena.server.store.set_faults(Faults {
        delay_per_mille: 1_000,
        yields_max: 255,
        ..Faults::default()
    });
    let server = &arena.server;
    let pages = (0..300).map(|number| {
        let channel = if number % 2 == 0 { "42" } else { "43" };
        server.user("viewer", channel, &number.to_string())
    });
    let pages: Vec<_> = pages.collect();
    let counted = std::sync::atomic::AtomicI64::new(0);
    let order = std::sync::atomic::Ordering::Relaxed;
    let votes = futures::stream::iter(&pages).for_each_concurrent(20, |page| async {
        let answer = page.post("/v1/e/vote?id=p", &json!({ "value": 1 })).await;
        if answer.status == 200 {
            counted.fetch_add(1, order);
        } else {
            answer.refused(400, "poll is closed");
        }
    });
    let ending = async {
        while counted.load(order) < 100 {
            tokio::task::yield_now().await;
        }
        server.store.set_faults(Faults::default());
        server.advance_ms(1_000);
    };
    tokio::join!(votes, ending);
    let counted = counted.into_inner();
    assert!((100..300).contains(&counted), "{counted}");
    let mut told = arena.told().await;
    told.extend(arena.in_ms(1_000).await);
    let ends = overall(&told)
        .into_iter()
        .filter(|(name, _)| *name == "expired");
    assert_eq!(ends.collect::<Vec<_>>(), [("expired", counted)]);
}

#[tokio::test]
async fn what_the_bus_lost_is_found_and_told_once() {
    let mut arena = Arena::new().await;
    for id in ["voted", "ended", "deleted", "quiet"] {
        arena.create(id, json!({})).await;
        arena.vote("42", 1, id, 0).await;
    }
    assert_eq!(arena.told().await.len(), 4);
    arena.in_ms(6_000).await;
    // Another process, whose bus does not reach this one.
    let far = arena.server.start_beside().await;
    let (mut game, _) = far.paired_game(OWNER).await;
    let stop = json!({ "id": MATCH, "poll_id": "ended", "config": { "endsAt": -1 } });
    game.done("reconfigure", "match_poll", stop).await;
    let deleted = json!({ "id": MATCH, "poll_id": "deleted" });
    game.done("delete", "match_poll", deleted).await;
    let poll = json!({ "poll_id": "new", "prompt": "?", "options": [] });
    game.done("create", "match_poll", json!({ "id": MATCH, "poll": poll }))
        .await;
    for (channel, id) in [("42", "voted"), ("43", "voted"), ("43", "new")] {
        let page = far.viewer("5", channel).await;
        let path = format!("/v1/e/vote?id={id}");
        page.post(&path, &json!({ "value": 1 })).await.ok();
    }
    lose_word(&arena);
    let mut told = Vec::new();
    for _ in 0..4 {
        told.extend(arena.in_ms(5_000).await);
    }
    told.sort_by_key(|event| event["poll_id"].to_string());
    let ids: Vec<_> = told.iter().map(|event| &event["poll_id"]).collect();
    assert_eq!(ids, ["ended", "new", "voted"]);
    assert_eq!(
        overall(&told),
        [("expired", 1), ("active", 1), ("active", 3)]
    );
    lose_word(&arena);
    for _ in 0..3 {
        assert_eq!(arena.in_ms(10_000).await, [] as [Value; 0]);
    }
}

/// What every message up to now tells is lost to this server.
fn lose_word(arena: &Arena) {
    for _ in 0..10_000 {
        let (topic, payload) = ("nothing".to_owned(), bytes::Bytes::new());
        let bus = &arena.server.app.core.world().bus;
        bus.publish(Message { topic, payload });
    }
}

#[tokio::test]
async fn an_end_that_could_not_be_read_is_told_when_it_can_be() {
    let mut arena = Arena::new().await;
    arena.create("p", json!({ "endsIn": 5 })).await;
    arena.told().await;
    arena.server.store.set_down(true);
    arena.server.advance_ms(5_000);
    arena.game.heartbeat().await;
    arena.server.store.set_down(false);
    assert_eq!(overall(&arena.in_ms(1_000).await), [("expired", 0)]);
    assert_eq!(overall(&arena.in_ms(1_000).await), []);
}

#[tokio::test]
async fn a_match_and_its_polls_outlive_the_process() {
    let mut arena = Arena::new().await;
    arena.create("p", json!({ "endsIn": 60 })).await;
    arena.vote("42", 1, "p", 0).await;
    let again = arena.server.start_beside().await;
    let mut arena = Arena::on(again).await;
    assert_eq!(arena.told().await, [] as [Value; 0]);
    assert_eq!(overall(&arena.in_ms(60_000).await), [("expired", 1)]);
}
