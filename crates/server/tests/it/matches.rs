//! Matches: who may what, how long, how many, and their broadcasts (`spec 2.10`, `spec 6.2`).

use serde_json::{Value, json};

use crate::harness::{Game, Server, Viewer, refusal};

const MATCH_MS: u64 = 15 * 60 * 1_000;

/// Every call that needs a match `m`.
fn calls() -> Vec<(&'static str, &'static str, Value)> {
    let channels = json!({ "id": "m", "channel_ids": ["42"] });
    let poll = json!({ "poll_id": "p", "prompt": "?", "options": [] });
    vec![
        ("keepalive", "match", json!({ "id": "m" })),
        ("add_channels", "match", channels.clone()),
        ("remove_channels", "match", channels),
        (
            "broadcast",
            "match",
            json!({ "match_id": "m", "topic": "t", "data": 1 }),
        ),
        ("create", "match_poll", json!({ "id": "m", "poll": poll })),
        (
            "reconfigure",
            "match_poll",
            json!({ "id": "m", "poll_id": "p", "config": {} }),
        ),
        ("delete", "match_poll", json!({ "id": "m", "poll_id": "p" })),
        ("subscribe", "match_poll", json!({ "topic_id": "m" })),
    ]
}

async fn create(game: &mut Game, channels: &[&str]) {
    game.done("create", "match", json!({ "id": "m" })).await;
    let channels = json!({ "id": "m", "channel_ids": channels });
    game.done("add_channels", "match", channels).await;
}

#[tokio::test]
async fn a_match_is_unknown_to_all_and_then_its_creators_alone() {
    let server = Server::start().await;
    let (mut owner, _) = server.paired_game("1").await;
    let (mut member, _) = server.paired_game("42").await;
    for (action, target, data) in calls() {
        let answer = owner.call(action, target, data).await;
        assert_eq!(refusal(&answer, 404).1, "There is no such match");
    }
    create(&mut owner, &["42"]).await;
    let mine = ("create", "match", json!({ "id": "m" }));
    for (action, target, data) in calls().into_iter().chain([mine]) {
        let answer = member.call(action, target, data).await;
        assert_eq!(
            refusal(&answer, 403).1,
            "the match belongs to another channel"
        );
    }
    let mut calls = calls();
    for (action, target, data) in calls.drain(..) {
        owner.done(action, target, data).await;
    }
}

#[tokio::test]
async fn a_match_lives_15_minutes_after_its_last_keepalive() {
    let server = Server::start_with(|settings| {
        settings.timeouts.socket_silence_ms_max = u64::MAX / 4;
    })
    .await;
    let (mut owner, _) = server.paired_game("1").await;
    create(&mut owner, &[]).await;
    for (action, renews) in [
        ("keepalive", true),
        ("create", true),
        ("add_channels", false),
    ] {
        server.advance_ms(MATCH_MS - 1);
        let data = json!({ "id": "m", "channel_ids": ["7"] });
        owner.done(action, "match", data).await;
        if !renews {
            server.advance_ms(1);
            let answer = owner.call("keepalive", "match", json!({ "id": "m" })).await;
            refusal(&answer, 404);
        }
    }
    let (mut other, _) = server.paired_game("2").await;
    other.done("create", "match", json!({ "id": "m" })).await;
    let answer = owner.call("create", "match", json!({ "id": "m" })).await;
    refusal(&answer, 403);
}

#[tokio::test]
async fn sixty_four_channels_play_and_one_more_is_refused() {
    let server = Server::start().await;
    let (mut owner, _) = server.paired_game("1").await;
    create(&mut owner, &[]).await;
    let channels = |range: std::ops::Range<usize>| {
        let channels: Vec<_> = range.map(|n| n.to_string()).collect();
        json!({ "id": "m", "channel_ids": channels })
    };
    for (range, fits) in [
        (0..65, false),
        (0..60, true),
        (55..65, false),
        (55..64, true),
    ] {
        let answer = owner.call("add_channels", "match", channels(range)).await;
        assert_eq!(answer.get("errors").is_none(), fits, "{answer}");
        if !fits {
            refusal(&answer, 400);
        }
    }
    let mut last = Viewer::of(&server, Some("63")).await;
    let event = json!({ "match_id": "m", "topic": "t", "data": 1 });
    owner.done("broadcast", "match", event).await;
    assert_eq!(last.event().await, ("t".to_owned(), json!(1)));
    // All of them are in the event.
    owner
        .done("subscribe", "match_poll", json!({ "topic_id": "m" }))
        .await;
    let poll = json!({ "poll_id": "p", "prompt": "?", "options": [], "config": { "endsAt": -1 } });
    owner
        .send("create", "match_poll", json!({ "id": "m", "poll": poll }))
        .await;
    let mut told = owner.frame().await;
    if told["meta"]["action"] != "update" {
        told = owner.frame().await;
    }
    assert_eq!(told["data"]["results"].as_object().unwrap().len(), 64);
    owner.done("remove_channels", "match", channels(0..1)).await;
    owner.done("add_channels", "match", channels(64..65)).await;
}

#[tokio::test]
async fn a_broadcast_reaches_the_viewers_of_its_channels_alone() {
    let server = Server::start().await;
    let (mut owner, _) = server.paired_game("1").await;
    create(&mut owner, &["42", "43"]).await;
    let mut own = Viewer::of(&server, Some("1")).await;
    let mut viewers = Vec::new();
    for channel in ["42", "43"] {
        viewers.push(Viewer::of(&server, Some(channel)).await);
    }
    let text = |bytes: usize| "x".repeat(bytes - 2);
    let event = |data: Value| json!({ "match_id": "m", "topic": "goal", "data": data });
    let answer = owner
        .call("broadcast", "match", event(json!(text(8_193))))
        .await;
    refusal(&answer, 400);
    for data in [json!({ "by": [1, 2] }), json!(text(8_192))] {
        owner.done("broadcast", "match", event(data.clone())).await;
        for viewer in &mut viewers {
            assert_eq!(viewer.event().await, ("goal".to_owned(), data.clone()));
        }
    }
    let mark = json!({ "topic": "mark", "data": 1 });
    owner.done("broadcast", "", mark).await;
    assert_eq!(own.event().await.0, "mark");
}

#[tokio::test]
async fn what_can_be_no_match_is_refused() {
    let server = Server::start().await;
    let (mut owner, _) = server.paired_game("1").await;
    create(&mut owner, &[]).await;
    let poll = |id: &str, options: usize| {
        let options = vec!["A"; options];
        let poll = json!({ "poll_id": id, "prompt": "?", "options": options });
        json!({ "id": "m", "poll": poll })
    };
    for (action, target, data) in [
        ("create", "match", json!({ "id": "x".repeat(97) })),
        ("create", "match", json!({ "id": "a\nb" })),
        (
            "add_channels",
            "match",
            json!({ "id": "m", "channel_ids": ["all"] }),
        ),
        (
            "add_channels",
            "match",
            json!({ "id": "m", "channel_ids": [""] }),
        ),
        ("create", "match_poll", poll("global-p", 1)),
        ("create", "match_poll", poll("a.b", 1)),
        ("create", "match_poll", poll("p", 65)),
    ] {
        let answer = owner.call(action, target, data).await;
        refusal(&answer, 400);
    }
    owner
        .done("create", "match", json!({ "id": "x".repeat(96) }))
        .await;
    owner.done("create", "match_poll", poll("p", 64)).await;
}

#[tokio::test]
async fn sixty_four_polls_run_in_a_match_and_one_more_is_refused() {
    let server = Server::start_with(|settings| settings.limits.polls_per_channel_max = 66).await;
    let (mut owner, _) = server.paired_game("1").await;
    create(&mut owner, &["42"]).await;
    let poll = |n: usize| {
        let poll = json!({ "poll_id": format!("p{n}"), "prompt": "?", "options": [] });
        json!({ "id": "m", "poll": poll })
    };
    let stop = |n: usize| {
        let id = format!("p{n}");
        json!({ "id": "m", "poll_id": id, "config": { "endsAt": -1 } })
    };
    let reopen = |n: usize| {
        let id = format!("p{n}");
        json!({ "id": "m", "poll_id": id, "config": { "endsAt": 0 } })
    };
    for n in 0..64 {
        owner.done("create", "match_poll", poll(n)).await;
    }
    let answer = owner.call("create", "match_poll", poll(64)).await;
    refusal(&answer, 400);
    // One that is there is created over, one that ended makes room for another.
    owner.done("create", "match_poll", poll(0)).await;
    for n in 0..2 {
        owner.done("reconfigure", "match_poll", stop(n)).await;
        owner.done("create", "match_poll", poll(64 + n)).await;
    }
    let answer = owner.call("reconfigure", "match_poll", reopen(0)).await;
    refusal(&answer, 400);
    // In all there are as many as a channel may have.
    owner.done("reconfigure", "match_poll", stop(2)).await;
    let answer = owner.call("create", "match_poll", poll(66)).await;
    refusal(&answer, 400);
}

#[tokio::test]
async fn stages_do_not_share_matches() {
    let server = Server::start().await;
    let (mut owner, _) = server.paired_game("1").await;
    create(&mut owner, &["42"]).await;
    let page = server.production_page("broadcaster", "2");
    let stage = crowdlink_protocol::Stage::Production;
    let mut game = server.game_of(stage, crate::harness::EXTENSION).await;
    game.authenticate(json!({ "pin": page.pin().await })).await;
    let answer = game.call("keepalive", "match", json!({ "id": "m" })).await;
    refusal(&answer, 404);
    game.done("create", "match", json!({ "id": "m" })).await;
}
