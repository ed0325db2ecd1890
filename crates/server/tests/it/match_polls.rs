//! Events of polls of matches, in their rhythm (`spec 2.10`).

use serde_json::{Value, json};

use crate::golden_frames::{assert_next_is, golden};
use crate::harness::{Arena, MATCH, Server, Viewer, overall};

fn result(counted: &[i64], (stddev, mean): (f64, f64), sum: i64, status: &str) -> Value {
    let mut results = counted.to_vec();
    results.resize(32, 0);
    let count: i64 = counted.iter().sum();
    json!({
        "results": results, "stddev": stddev, "mean": mean, "sum": sum, "count": count,
        "status": status,
    })
}

#[tokio::test]
async fn nothing_is_told_before_the_first_vote_and_the_end_once() {
    let mut arena = Arena::new().await;
    arena.create("p", json!({ "endsIn": 60 })).await;
    assert_eq!(arena.told().await, [] as [Value; 0]);
    assert_eq!(arena.in_ms(5_000).await, [] as [Value; 0]);
    arena.vote("42", 1, "p", 1).await;
    let told = arena.told().await;
    let one = result(&[0, 1], (0.0, 1.0), 1, "active");
    let expected = json!({
        "match_id": MATCH, "poll_id": "p", "overall": one,
        "results": { "42": one, "43": result(&[], (0.0, 0.0), 0, "active") },
    });
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].to_string(), expected.to_string());
    arena.vote("43", 1, "p", 0).await;
    assert_eq!(overall(&arena.in_ms(999).await), []);
    assert_eq!(overall(&arena.in_ms(1).await), [("active", 2)]);
    assert_eq!(overall(&arena.in_ms(53_999).await), []);
    let told = arena.in_ms(1).await;
    let deviation = std::f64::consts::FRAC_1_SQRT_2;
    let expected = json!({
        "match_id": MATCH, "poll_id": "p",
        "overall": result(&[1, 1], (deviation, 0.5), 1, "expired"),
        "results": {
            "42": result(&[0, 1], (0.0, 1.0), 1, "expired"),
            "43": result(&[1], (0.0, 0.0), 0, "expired"),
        },
    });
    assert_eq!(told, [expected]);
    for _ in 0..5 {
        assert_eq!(arena.in_ms(60_000).await, [] as [Value; 0]);
    }
}

#[tokio::test]
async fn a_storm_in_two_channels_is_an_event_a_second_and_the_last_numbers_always() {
    let mut arena = Arena::new().await;
    arena.create("p", json!({})).await;
    let mut votes = 0;
    let mut told = Vec::new();
    for step in 0..30 {
        for channel in ["42", "43"] {
            arena.vote(channel, step, "p", 0).await;
            votes += 1;
        }
        told.extend(arena.told().await);
        arena.server.advance_ms(100);
    }
    // At 0, 1,000 and 2,000 ms.
    assert_eq!(told.len(), 3, "{:?}", overall(&told));
    assert_eq!(overall(&arena.in_ms(1_000).await), [("active", votes)]);
    assert_eq!(overall(&arena.in_ms(10_000).await), []);
    arena.configure("p", json!({ "endsAt": -1 })).await;
    assert_eq!(overall(&arena.told().await), [("expired", votes)]);
}

#[tokio::test]
async fn a_poll_without_votes_tells_its_end_alone() {
    let mut arena = Arena::new().await;
    let config = json!({ "startsIn": 3, "endsIn": 5 });
    arena.create("p", config).await;
    assert_eq!(overall(&arena.in_ms(3_000).await), []);
    assert_eq!(overall(&arena.in_ms(1_999).await), []);
    assert_eq!(overall(&arena.in_ms(1).await), [("expired", 0)]);
    assert_eq!(overall(&arena.in_ms(60_000).await), []);
}

#[tokio::test]
async fn a_poll_ends_once_however_often_it_is_stopped_and_takes_no_more_votes() {
    let mut arena = Arena::new().await;
    arena.create("p", json!({})).await;
    arena.vote("42", 1, "p", 0).await;
    assert_eq!(overall(&arena.told().await), [("active", 1)]);
    arena.server.advance_ms(1_000);
    for ends in [vec![("expired", 1)], vec![], vec![]] {
        arena.configure("p", json!({ "endsAt": -1 })).await;
        assert_eq!(overall(&arena.told().await), ends);
        arena.server.advance_ms(1_000);
    }
    let late = arena.server.viewer("5", "43").await;
    let late = late.post("/v1/e/vote?id=p", &json!({ "value": 0 })).await;
    late.refused(400, "poll is closed");
    // Opened again: told with its next vote, and ended again.
    arena.configure("p", json!({ "endsIn": 5 })).await;
    assert_eq!(overall(&arena.told().await), []);
    arena.vote("43", 1, "p", 0).await;
    assert_eq!(overall(&arena.told().await), [("active", 2)]);
    assert_eq!(overall(&arena.in_ms(5_000).await), [("expired", 2)]);
}

#[tokio::test]
async fn a_deleted_poll_is_created_again_at_once_and_begins_from_nothing() {
    let mut arena = Arena::new().await;
    for _ in 0..3 {
        arena.create("p", json!({})).await;
        assert_eq!(overall(&arena.told().await), []);
        arena.vote("42", 1, "p", 1).await;
        assert_eq!(overall(&arena.told().await), [("active", 1)]);
        let poll = json!({ "id": MATCH, "poll_id": "p" });
        arena.done("delete", "match_poll", poll).await;
    }
    assert_eq!(overall(&arena.in_ms(60_000).await), []);
    // Without a look between the two.
    arena.create("p", json!({})).await;
    arena.vote("42", 1, "p", 1).await;
    assert_eq!(overall(&arena.told().await), [("active", 1)]);
    // Also where there is none.
    let none = json!({ "id": MATCH, "poll_id": "none" });
    arena.done("delete", "match_poll", none).await;
    let none = json!({ "id": MATCH, "poll_id": "none", "config": {} });
    let answer = arena.host.call("reconfigure", "match_poll", none).await;
    crate::harness::refusal(&answer, 404);
}

#[tokio::test]
async fn created_over_it_keeps_its_votes_unless_it_is_to_be_fresh() {
    let mut arena = Arena::new().await;
    arena.create("p", json!({})).await;
    arena.vote("42", 1, "p", 1).await;
    assert_eq!(overall(&arena.told().await), [("active", 1)]);
    arena.create("p", json!({})).await;
    assert_eq!(overall(&arena.told().await), []);
    arena.vote("43", 1, "p", 1).await;
    assert_eq!(overall(&arena.in_ms(1_000).await), [("active", 2)]);
    let poll = json!({ "poll_id": "p", "prompt": "?", "options": [], "fresh": true });
    let fresh = json!({ "id": MATCH, "poll": poll });
    arena.done("create", "match_poll", fresh).await;
    assert_eq!(overall(&arena.told().await), []);
    arena.vote("43", 1, "p", 1).await;
    assert_eq!(overall(&arena.in_ms(1_000).await), [("active", 1)]);
}

#[tokio::test]
async fn games_of_the_channels_hear_nothing_and_viewers_as_ever() {
    let mut arena = Arena::new().await;
    let (mut game, _) = arena.server.paired_game("42").await;
    for topic in ["*", "p"] {
        let data = json!({ "topic_id": topic });
        let answer = game.call("subscribe", "poll", data).await;
        assert_eq!(answer["data"], json!({ "ok": true }));
    }
    let mut viewer = Viewer::of(&arena.server, Some("42")).await;
    arena.create("p", json!({ "endsIn": 10 })).await;
    let (name, report) = viewer.event().await;
    assert_eq!(
        (&*name, &report["poll"]["status"]),
        ("poll_update:p", &json!("active"))
    );
    arena.vote("42", 1, "p", 1).await;
    arena.in_ms(500).await;
    let (name, data) = viewer.event().await;
    assert_eq!(
        (&*name, &data["stats"]["count"]),
        ("vote_update:p", &json!(1))
    );
    // The ordinary report is there for those who ask.
    let read = game.call("get", "poll", json!({ "poll_id": "p" })).await;
    assert_eq!(read["data"]["count"], 1);
    arena.in_ms(10_000).await;
    let (name, report) = viewer.event().await;
    assert_eq!(
        (&*name, &report["poll"]["status"]),
        ("poll_update:p", &json!("expired"))
    );
    game.heartbeat().await;
}

#[tokio::test]
async fn a_match_goes_as_the_frames_tell() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    let (mut listener, _) = server.paired_game("42").await;
    let (mut foreign, _) = server.paired_game("44").await;
    game.send_text(&golden("match_keepalive.request")).await;
    assert_next_is(&mut game, "match_unknown.error").await;
    for name in ["match_create", "match_keepalive", "match_add_channels"] {
        game.send_text(&golden(&format!("{name}.request"))).await;
        assert_next_is(&mut game, &format!("{name}.answer")).await;
    }
    foreign.send_text(&golden("match_keepalive.request")).await;
    assert_next_is(&mut foreign, "match_foreign.error").await;
    let subscribe = golden("match_poll_subscribe.request");
    listener.send_text(&subscribe).await;
    assert_next_is(&mut listener, "match_poll_subscribe.answer").await;
    let create = golden("match_poll_create.request");
    game.send_text(&create).await;
    assert_next_is(&mut game, "match_poll_create.answer").await;
    for (voter, value) in [(1, 0), (2, 0), (3, 0), (4, 1)] {
        let page = server.viewer(&voter.to_string(), "42").await;
        let vote = json!({ "value": value });
        page.post("/v1/e/vote?id=favorite-color", &vote).await.ok();
    }
    // The first vote was told at once.
    assert_eq!(listener.event("match_poll").await["overall"]["count"], 1);
    server.advance_ms(1_000);
    assert_next_is(&mut listener, "match_poll_active.event").await;
    server.advance_ms(1_000);
    let stop = golden("match_poll_reconfigure.request");
    game.send_text(&stop).await;
    assert_next_is(&mut game, "match_poll_reconfigure.answer").await;
    assert_next_is(&mut listener, "match_poll_expired.event").await;
    let unsubscribe = golden("match_poll_unsubscribe.request");
    listener.send_text(&unsubscribe).await;
    assert_next_is(&mut listener, "match_poll_unsubscribe.answer").await;
    for name in [
        "match_poll_delete",
        "match_broadcast",
        "match_remove_channels",
    ] {
        game.send_text(&golden(&format!("{name}.request"))).await;
        assert_next_is(&mut game, &format!("{name}.answer")).await;
    }
    listener.heartbeat().await;
}
