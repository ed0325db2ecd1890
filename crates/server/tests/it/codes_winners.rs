//! Codes for those who voted right (`spec 3.8`).

use crowdlink_protocol::Stage;
use serde_json::{Value, json};

use crate::codes::put;
use crate::harness::{Answer, Http, START_MS, Server, claims};

const MARK: &str = "/v1/e/codes/mark_from_poll?channel_id=42";

async fn vote(page: &Http, value: i64) {
    let answer = page
        .post("/v1/e/vote?id=quiz", &json!({ "value": value }))
        .await;
    answer.ok();
}

async fn mark(admin: &Http, extra: Value) -> Answer {
    let mut body = json!({
        "poll_id": "quiz", "correct": 1, "prizes": [0], "prize_limits": [2],
    });
    for (name, value) in extra.as_object().unwrap() {
        body[name] = value.clone();
    }
    admin.post(MARK, &body).await
}

async fn eligible(server: &Server, user: &str) -> u64 {
    let page = server.user("viewer", "42", user);
    let read = page.get("/v1/e/codes/eligible").await.ok();
    read["eligible"][0].as_u64().unwrap()
}

/// A server with a set of codes, and a poll in which users voted, a second apart.
async fn server_with(votes: &[(&str, i64)]) -> Server {
    let server = Server::start().await;
    let admin = server.trusted("admin");
    let codes = json!({ "codes": [["A", "B", "C"]], "names": ["n"] });
    put(&admin, &codes).await.ok();
    for (user, value) in votes {
        vote(&server.user("viewer", "42", user), *value).await;
        server.advance_ms(1_000);
    }
    server
}

#[tokio::test]
async fn those_who_voted_right_and_share_identity_are_marked() {
    let server = server_with(&[("1", 1), ("2", 0), ("3", 1), ("4", 1), ("4", 2)]).await;
    let mut anonymous = claims("viewer", "42");
    anonymous["allowed_stage"] = json!("sandbox");
    vote(&server.signed(Stage::Sandbox, &anonymous), 1).await;
    let admin = server.trusted("admin");
    assert_eq!(mark(&admin, json!({})).await.ok(), json!({ "marked": 2 }));
    for (user, codes) in [("1", 2), ("2", 0), ("3", 2), ("4", 0), ("77", 0)] {
        assert_eq!(eligible(&server, user).await, codes, "{user}");
    }
    // Again, it changes nothing.
    assert_eq!(mark(&admin, json!({})).await.ok(), json!({ "marked": 2 }));
    assert_eq!(eligible(&server, "1").await, 2);
    let none = mark(&admin, json!({ "poll_id": "another" })).await.ok();
    assert_eq!(none, json!({ "marked": 0 }));
}

#[tokio::test]
async fn votes_after_the_cutoff_do_not_count() {
    let votes = [("1", 1), ("2", 1), ("3", 1)];
    let cases = [
        (START_MS - 1, 0),
        (START_MS, 1),
        (START_MS + 1_000, 2),
        (START_MS / 1_000 + 1, 2),
        (0, 3),
    ];
    for (cutoff, marked) in cases {
        let server = server_with(&votes).await;
        let admin = server.trusted("admin");
        let answer = mark(&admin, json!({ "cutoff_timestamp": cutoff })).await;
        assert_eq!(answer.ok(), json!({ "marked": marked }), "{cutoff}");
        for (user, limit) in [("1", 1), ("2", 2), ("3", 3)] {
            let expected = if marked >= limit { 2 } else { 0 };
            assert_eq!(eligible(&server, user).await, expected);
        }
    }
}

#[tokio::test]
async fn bad_marks_of_a_poll_are_refused_and_mark_nobody() {
    let server = server_with(&[("1", 1)]).await;
    let admin = server.trusted("admin");
    let refusals = [
        (json!({ "poll_id": null }), "poll_id is required"),
        (
            json!({ "correct": "1" }),
            "correct must be the value voted for",
        ),
        (
            json!({ "prizes": [5] }),
            "prizes must name sets that are there",
        ),
        (
            json!({ "prize_limits": [] }),
            "prize_limits must be one for each of prizes",
        ),
        (
            json!({ "cutoff_timestamp": "now" }),
            "cutoff_timestamp must be a Unix time in ms",
        ),
    ];
    for (extra, reason) in refusals {
        mark(&admin, extra).await.refused(400, reason);
    }
    let page = server.user("broadcaster", "42", "42");
    mark(&page, json!({}))
        .await
        .forbidden("requires role admin or backend");
    assert_eq!(eligible(&server, "1").await, 0);
}

#[tokio::test]
async fn more_winners_than_one_page_of_votes_are_all_marked() {
    let server = server_with(&[]).await;
    for n in 0..1_030 {
        vote(&server.user("viewer", "42", &format!("voter-{n}")), 1).await;
    }
    let admin = server.trusted("admin");
    assert_eq!(
        mark(&admin, json!({})).await.ok(),
        json!({ "marked": 1_030 })
    );
    for user in ["voter-0", "voter-999", "voter-1029"] {
        assert_eq!(eligible(&server, user).await, 2);
    }
}
