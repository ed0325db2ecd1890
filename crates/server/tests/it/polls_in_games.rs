//! Polls on a game's socket: every action, its answer and its refusals (`spec 2.6`).

use serde_json::{Value, json};

use crate::harness::{Audience, Game, OWNER, refusal};

/// The report on a poll.
async fn get(game: &mut Game, id: &str) -> Value {
    let answer = game.call("get", "poll", json!({ "poll_id": id })).await;
    assert_eq!(answer["meta"]["action"], "get");
    assert_eq!(answer["meta"]["target"], "poll");
    answer["data"].clone()
}

#[tokio::test]
async fn a_poll_is_created_read_stopped_and_deleted() {
    let mut audience = Audience::of(&[]).await;
    let poll = json!({
        "poll_id": "favorite-color", "prompt": "Which?", "options": ["Blue", "Red"],
        "user_data": { "round": 3, "list": [1.0, "x", true] },
    });
    assert_eq!(audience.asked("create", poll).await, json!({ "ok": true }));
    for (voter, value) in [(1, 0), (2, 0), (3, 1), (4, 7), (5, -2)] {
        audience.vote(voter, "favorite-color", value).await;
    }
    let expected = json!({
        "topic_id": "favorite-color",
        "poll": {
            "poll_id": "favorite-color", "prompt": "Which?", "options": ["Blue", "Red"],
            "status": "active", "user_data": { "round": 3, "list": [1.0, "x", true] },
        },
        "results": [2, 1], "mean": 1.2, "sum": 6, "count": 5,
    });
    let read = get(&mut audience.host, "favorite-color").await;
    assert_eq!(read.to_string(), expected.to_string());
    let change = json!({ "disabled": true, "endsAt": -1 });
    let change = json!({ "poll_id": "favorite-color", "config": change });
    assert_eq!(
        audience.asked("reconfigure", change).await,
        json!({ "ok": true })
    );
    let mut ended = expected;
    ended["poll"]["status"] = json!("expired");
    let read = get(&mut audience.host, "favorite-color").await;
    assert_eq!(read["poll"]["disabled"], true);
    assert_eq!(read["poll"]["status"], "expired");
    assert_eq!(read["results"], ended["results"]);
    for _ in 0..2 {
        let gone = json!({ "poll_id": "favorite-color" });
        assert_eq!(audience.asked("delete", gone).await, json!({ "ok": true }));
        let data = json!({ "poll_id": "favorite-color" });
        refusal(&audience.host.call("get", "poll", data).await, 404);
    }
}

#[tokio::test]
async fn results_have_an_entry_for_each_option_at_least_one_and_32_without_a_definition() {
    let mut audience = Audience::of(&[]).await;
    for count in [0, 1, 2, 64] {
        let options: Vec<String> = (0..count).map(|n| n.to_string()).collect();
        let poll = json!({ "poll_id": "p", "prompt": "?", "options": options });
        audience.asked("create", poll).await;
        let results = get(&mut audience.host, "p").await["results"].clone();
        assert_eq!(results, json!(vec![0; count.max(1)]));
    }
    audience.vote(1, "undefined", 31).await;
    audience.vote(2, "undefined", 32).await;
    let read = get(&mut audience.host, "undefined").await;
    assert_eq!(read["results"].as_array().unwrap().len(), 32);
    assert_eq!(
        (&read["results"][31], &read["count"]),
        (&json!(1), &json!(2))
    );
    let poll = json!({
        "poll_id": "undefined", "prompt": "", "options": [], "status": "active",
    });
    assert_eq!(read["poll"], poll);
}

#[tokio::test]
async fn votes_that_are_there_are_told_and_kept_or_dropped() {
    let mut audience = Audience::of(&[]).await;
    audience.vote(1, "p", 1).await;
    audience.vote(2, "p", 1).await;
    let stale = json!({ "ok": true, "stale_votes": 2 });
    // Without an earlier definition, and with one; what the one before had is gone.
    let full = json!({
        "poll_id": "p", "prompt": "old", "options": ["A"], "user_data": 1,
        "config": { "disabled": true, "totalVotesPerUser": 5, "endsIn": 1 },
    });
    assert_eq!(audience.asked("create", full).await, stale);
    assert_eq!(audience.create("p", json!({})).await, stale);
    let read = get(&mut audience.host, "p").await;
    let poll = json!({ "poll_id": "p", "prompt": "?", "options": ["A", "B"], "status": "active" });
    assert_eq!((&read["poll"], &read["count"]), (&poll, &json!(2)));
    let config = audience.voter(1).get("/v1/e/vote_config?id=p").await.ok();
    assert_eq!(
        (&config["totalVotesPerUser"], &config["endsAt"]),
        (&json!(1), &json!(0))
    );
    let fresh = json!({ "poll_id": "p", "prompt": "?", "options": ["A"], "fresh": true });
    assert_eq!(audience.asked("create", fresh).await, json!({ "ok": true }));
    assert_eq!(get(&mut audience.host, "p").await["count"], 0);
    audience.vote(1, "p", 0).await;
    assert_eq!(get(&mut audience.host, "p").await["results"], json!([1]));
}

#[tokio::test]
async fn what_reconfigure_leaves_out_keeps_its_value() {
    let mut audience = Audience::of(&[]).await;
    let all = json!({
        "userIDVoting": true, "distinctOptionsPerUser": 258, "totalVotesPerUser": 1_024,
        "votesPerOption": 1_024, "disabled": true, "startsAt": 1_700_000_100_i64,
        "endsAt": 1_700_000_200_i64, "startsIn": 7, "endsIn": 8,
    });
    audience.create("p", all.clone()).await;
    let path = "/v1/e/vote_config?id=p";
    let mut expected = audience.voter(1).get(path).await.ok();
    for field in ["startsIn", "endsIn"] {
        // The absolute moments count.
        assert_eq!(expected[field], 0);
    }
    for field in all.as_object().unwrap().keys() {
        if !field.ends_with("In") {
            assert_eq!(expected[field], all[field], "{field}");
        }
    }
    let changes = [
        ("userIDVoting", json!(false)),
        ("distinctOptionsPerUser", json!(1)),
        ("totalVotesPerUser", json!(2)),
        ("votesPerOption", json!(3)),
        ("disabled", json!(false)),
        ("startsAt", json!(0)),
        ("endsAt", json!(1_700_000_300_i64)),
    ];
    for (field, value) in changes {
        let change = json!({ "poll_id": "p", "config": { field: value, "endsIn": null } });
        audience.asked("reconfigure", change).await;
        expected[field] = value;
        if field == "startsAt" {
            expected["status"] = json!("active");
        }
        assert_eq!(audience.voter(1).get(path).await.ok(), expected, "{field}");
    }
    let nothing = json!({ "poll_id": "p", "config": {} });
    audience.asked("reconfigure", nothing).await;
    assert_eq!(audience.voter(1).get(path).await.ok(), expected);
}

#[tokio::test]
async fn null_and_the_empty_string_count_as_absent() {
    let mut audience = Audience::of(&[]).await;
    for none in [json!(null), json!("")] {
        let config = json!({
            "userIDVoting": none, "totalVotesPerUser": none, "startsAt": none, "endsIn": none,
        });
        let poll = json!({
            "poll_id": "p", "topic_id": none, "prompt": none, "options": none, "user_data": none,
            "config": config, "fresh": none,
        });
        audience.asked("create", poll).await;
        let poll = json!({ "poll_id": "p", "prompt": "", "options": [], "status": "active" });
        assert_eq!(get(&mut audience.host, "p").await["poll"], poll);
        let poll = json!({ "poll_id": "p", "prompt": "?", "options": [], "config": none });
        audience.asked("create", poll).await;
        let named = json!({ "topic_id": "p", "poll_id": none });
        for action in ["subscribe", "unsubscribe"] {
            assert_eq!(
                audience.asked(action, named.clone()).await,
                json!({ "ok": true })
            );
        }
        // Where something must be there, it is missing.
        for (action, data, field) in [
            ("get", json!({ "poll_id": none }), "poll_id"),
            ("delete", json!({ "poll_id": none }), "poll_id"),
            ("create", json!({ "poll_id": none }), "poll_id"),
            ("subscribe", json!({ "topic_id": none }), "topic_id"),
            ("unsubscribe", json!({ "topic_id": none }), "topic_id"),
            (
                "reconfigure",
                json!({ "poll_id": "p", "config": none }),
                "config",
            ),
        ] {
            let refused = refusal(&audience.host.call(action, "poll", data).await, 400).1;
            assert_eq!(refused, format!("{field} is required"), "{action}");
        }
    }
}

/// Fields of `create` that are refused, and which the refusal names.
fn wrong_fields() -> Vec<(Value, &'static str)> {
    let config = |field: &str, value: Value| json!({ "config": { field: value } });
    let mut wrong = vec![
        (json!({ "poll_id": 1 }), "poll_id"),
        (json!({ "poll_id": "a.b" }), "poll_id"),
        (json!({ "poll_id": "a\u{7}" }), "poll_id"),
        (json!({ "poll_id": "x".repeat(65) }), "poll_id"),
        (json!({ "prompt": 1 }), "prompt"),
        (json!({ "prompt": "x".repeat(513) }), "prompt"),
        (json!({ "options": "A" }), "options"),
        (json!({ "options": ["A", null] }), "options"),
        (json!({ "options": ["x".repeat(257)] }), "options"),
        (json!({ "options": vec!["x"; 65] }), "options"),
        (json!({ "user_data": "x".repeat(4_095) }), "user_data"),
        (json!({ "user_data": nested(65) }), "user_data"),
        (json!({ "config": [] }), "config"),
        (json!({ "fresh": 1 }), "fresh"),
    ];
    for field in ["userIDVoting", "disabled"] {
        wrong.push((config(field, json!(1)), field));
    }
    for (field, values) in [
        ("distinctOptionsPerUser", [json!(0), json!(259)]),
        ("totalVotesPerUser", [json!(0), json!(1_025)]),
        ("votesPerOption", [json!(-1), json!(1.5)]),
        ("startsAt", [json!(-1), json!(1_700_000_000_000_i64)]),
        ("endsAt", [json!(-2), json!("soon")]),
        ("startsIn", [json!(-1), json!(4_000_000_000_i64)]),
        ("endsIn", [json!(-1), json!(1e300)]),
    ] {
        wrong.extend(values.map(|value| (config(field, value), field)));
    }
    wrong
}

fn nested(depth: usize) -> Value {
    (1..depth).fold(json!([]), |inner, _| json!([inner]))
}

#[tokio::test]
async fn a_wrong_field_is_named_and_nothing_has_changed() {
    let mut audience = Audience::of(&["*"]).await;
    audience.create("p", json!({})).await;
    let before = get(&mut audience.host, "p").await;
    audience.told().await;
    audience.server.advance_ms(10_000);
    for (fields, field) in wrong_fields() {
        let mut poll = json!({
            "poll_id": "p", "prompt": "new", "options": ["C"], "fresh": true,
        });
        for (name, value) in fields.as_object().unwrap() {
            poll[name] = value.clone();
        }
        let refused = audience.host.call("create", "poll", poll).await;
        let detail = refusal(&refused, 400).1;
        assert!(
            detail.starts_with(&format!("{field} ")),
            "{field}: {detail}"
        );
        if fields["config"].is_object() {
            let change = json!({ "poll_id": "p", "config": fields["config"] });
            let refused = audience.host.call("reconfigure", "poll", change).await;
            assert_eq!(refusal(&refused, 400).1, detail);
        }
    }
    for (action, field) in [("subscribe", "topic_id"), ("delete", "poll_id")] {
        let refused = audience
            .host
            .call(action, "poll", json!({ field: "a.b" }))
            .await;
        assert!(refusal(&refused, 400).1.starts_with(field));
    }
    let refused = audience.host.call("create", "poll", json!([])).await;
    assert!(refusal(&refused, 400).1.starts_with("data"));
    for action in ["set", "patch", "vote"] {
        let refused = audience.host.call(action, "poll", json!({})).await;
        refusal(&refused, 400);
    }
    assert_eq!(get(&mut audience.host, "p").await, before);
    let told = audience.in_ms(10_000).await;
    assert!(told.game.is_empty() && told.viewers.is_empty(), "{told:?}");
}

#[tokio::test]
async fn everything_at_its_limit_is_taken() {
    let mut audience = Audience::of(&["*"]).await;
    let id = "ä".repeat(64);
    let poll = json!({
        "poll_id": id, "prompt": "x".repeat(512), "options": vec!["x".repeat(256); 64],
        "user_data": "x".repeat(4_094),
        "config": { "distinctOptionsPerUser": 258, "startsIn": 0, "endsIn": 3_000_000_000_i64 },
    });
    audience.asked("create", poll.clone()).await;
    let event = audience.told().await.game.remove(0);
    assert_eq!(event["poll"]["options"], poll["options"]);
    assert_eq!(event["poll"]["user_data"], poll["user_data"]);
    let poll = json!({
        "poll_id": "deep", "prompt": "?", "options": [], "user_data": nested(64),
    });
    audience.asked("create", poll).await;
    let deep = get(&mut audience.host, "deep").await;
    assert_eq!(deep["poll"]["user_data"], nested(64));
}

#[tokio::test]
async fn what_does_not_exist_is_404_and_reconfigure_makes_nothing() {
    let mut audience = Audience::of(&["*"]).await;
    for (action, data) in [
        ("get", json!({ "poll_id": "p" })),
        (
            "reconfigure",
            json!({ "poll_id": "p", "config": { "disabled": true } }),
        ),
    ] {
        let refused = audience.host.call(action, "poll", data).await;
        assert_eq!(refusal(&refused, 404).0, "Not Found");
    }
    // A weight alone is no vote.
    let admin = audience.server.page("admin", OWNER).await;
    let weight = json!({ "user": "u", "add": 1 });
    admin.post("/v1/e/vote_modifier?id=p", &weight).await.ok();
    let refused = audience
        .host
        .call("get", "poll", json!({ "poll_id": "p" }))
        .await;
    refusal(&refused, 404);
}

#[tokio::test]
async fn polls_of_the_extension_are_made_by_its_owners_game_alone() {
    let mut audience = Audience::of(&[]).await;
    let (mut other, _) = audience.server.paired_game("42").await;
    let poll = json!({ "poll_id": "global-p", "prompt": "?", "options": ["A"] });
    let change = json!({ "poll_id": "global-p", "config": { "endsAt": -1 } });
    let requests = [("create", poll), ("reconfigure", change)];
    let delete = [("delete", json!({ "poll_id": "global-p" }))];
    for (action, data) in requests.iter().chain(&delete) {
        refusal(&other.call(action, "poll", data.clone()).await, 403);
    }
    for (action, data) in requests {
        audience.asked(action, data).await;
    }
    // Everybody reads it; one of a channel is another in each.
    assert_eq!(
        get(&mut other, "global-p").await["poll"]["status"],
        "expired"
    );
    audience.create("p", json!({})).await;
    let refused = other.call("get", "poll", json!({ "poll_id": "p" })).await;
    refusal(&refused, 404);
    other
        .call("delete", "poll", json!({ "poll_id": "p" }))
        .await;
    assert_eq!(get(&mut audience.host, "p").await["count"], 0);
}

#[tokio::test]
async fn the_moments_of_a_poll_count_to_the_millisecond() {
    let mut audience = Audience::of(&[]).await;
    audience
        .create("p", json!({ "startsIn": 3, "endsIn": 5 }))
        .await;
    for (ms, status) in [
        (0, "pending"),
        (2_999, "pending"),
        (1, "active"),
        (1_999, "active"),
        (1, "expired"),
        (100_000, "expired"),
    ] {
        audience.server.advance_ms(ms);
        let read = get(&mut audience.host, "p").await;
        assert_eq!(read["poll"]["status"], status, "after {ms}");
        let page = audience.voter(1);
        let voted = page.post("/v1/e/vote?id=p", &json!({ "value": 0 })).await;
        if status == "active" {
            voted.ok();
        } else {
            voted.refused(400, "poll is closed");
        }
    }
}
