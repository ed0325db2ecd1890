//! `vote_config`: what a poll asks and how, field by field.

use serde_json::{Value, json};

use super::{broadcaster, config_path, configure, server, viewer, vote};
use crate::harness::START_MS;

const NO_POLL: &str = "There is no such poll";

/// The definition of poll `p` as a viewer reads it.
async fn read(server: &crate::harness::Server) -> Value {
    viewer(server, "1").get(&config_path("p")).await.ok()
}

#[tokio::test]
async fn an_unknown_poll_has_no_config_and_a_post_creates_it_with_the_defaults() {
    let server = server().await;
    let page = broadcaster(&server);
    page.get(&config_path("p")).await.refused(404, NO_POLL);
    assert_eq!(configure(&page, "p", json!({})).await.ok(), json!({}));
    let expected = json!({
        "id": "p", "prompt": "", "options": [], "userIDVoting": false,
        "distinctOptionsPerUser": 1, "totalVotesPerUser": 1, "votesPerOption": 1,
        "disabled": false, "startsAt": 0, "endsAt": 0, "startsIn": 0, "endsIn": 0,
        "status": "active",
    });
    assert_eq!(read(&server).await, expected);
}

#[tokio::test]
async fn a_post_sets_what_it_names_and_keeps_the_rest() {
    let server = server().await;
    let page = broadcaster(&server);
    let first = json!({
        "prompt": "Which?", "options": ["a", "b"], "userData": { "k": [1, null] },
        "userIDVoting": true, "distinctOptionsPerUser": 2, "totalVotesPerUser": 3,
        "votesPerOption": 4, "disabled": true, "startsAt": 1_600_000_000,
        "endsAt": 1_800_000_000, "unknown": 1,
    });
    configure(&page, "p", first.clone()).await.ok();
    let mut expected = first;
    let fields = expected.as_object_mut().unwrap();
    fields.remove("unknown");
    fields.insert("id".to_owned(), json!("p"));
    fields.insert("startsIn".to_owned(), json!(0));
    fields.insert("endsIn".to_owned(), json!(0));
    fields.insert("status".to_owned(), json!("active"));
    assert_eq!(read(&server).await, expected);
    // Left out and null are the same.
    let second = json!({ "prompt": "Who?", "votesPerOption": 5, "options": null, "endsAt": null });
    configure(&page, "p", second).await.ok();
    expected["prompt"] = json!("Who?");
    expected["votesPerOption"] = json!(5);
    assert_eq!(read(&server).await, expected);
    configure(&page, "p", json!({ "options": [], "endsAt": 0 }))
        .await
        .ok();
    expected["options"] = json!([]);
    expected["endsAt"] = json!(0);
    assert_eq!(read(&server).await, expected);
    page.post(&config_path("p"), &json!({})).await.ok();
    assert_eq!(read(&server).await, expected);
}

#[tokio::test]
async fn moments_from_now_stand_as_unix_seconds() {
    let server = server().await;
    let page = broadcaster(&server);
    configure(
        &page,
        "p",
        json!({ "startsIn": 3, "endsIn": 5, "endsAt": 0 }),
    )
    .await
    .ok();
    let config = read(&server).await;
    let start_s = START_MS / 1_000;
    assert_eq!(config["startsAt"], start_s + 3);
    assert_eq!(config["endsAt"], start_s + 5);
    assert_eq!(config["status"], "pending");
    server.advance_ms(3_000);
    assert_eq!(read(&server).await["status"], "active");
    configure(&page, "p", json!({ "endsAt": -1 })).await.ok();
    let ended = read(&server).await;
    assert_eq!(
        (&ended["endsAt"], &ended["status"]),
        (&json!(start_s + 3), &json!("expired"))
    );
    server.advance_ms(10_000);
    configure(&page, "p", json!({ "endsAt": -1 })).await.ok();
    assert_eq!(read(&server).await, ended, "it ended when it ended");
}

#[tokio::test]
async fn the_id_stands_in_the_body_or_in_the_query() {
    let server = server().await;
    let page = broadcaster(&server);
    let body = json!({ "config": { "prompt": "query" } });
    page.post(&config_path("p"), &body).await.ok();
    let body = json!({ "id": "q", "config": { "prompt": "body" } });
    page.post(&config_path("p"), &body).await.ok();
    page.post(
        "/v1/e/vote_config",
        &json!({ "config": { "prompt": "none" } }),
    )
    .await
    .ok();
    for (id, prompt) in [
        ("p", "query"),
        ("q", "body"),
        ("default", "none"),
        ("", "none"),
    ] {
        assert_eq!(page.get(&config_path(id)).await.ok()["prompt"], prompt);
    }
}

#[tokio::test]
async fn each_number_is_taken_at_its_limit_and_refused_beyond() {
    let server = server().await;
    let page = broadcaster(&server);
    configure(&page, "p", json!({ "prompt": "before" }))
        .await
        .ok();
    let votes = "must be a whole number from 1 to 1024";
    let options = "must be a whole number from 1 to 258";
    let ahead = "must be a whole number of seconds from now, at most a hundred years";
    let century_s = 100_i64 * 366 * 24 * 60 * 60;
    let unix_s = 99_999_999_999_i64;
    for (field, from, to, expected) in [
        ("totalVotesPerUser", 1, 1_024, votes),
        ("votesPerOption", 1, 1_024, votes),
        ("distinctOptionsPerUser", 1, 258, options),
        ("startsAt", 0, unix_s, "must be Unix seconds, or 0"),
        (
            "endsAt",
            -1,
            unix_s,
            "must be Unix seconds, 0, or -1 for now",
        ),
        ("startsIn", 0, century_s, ahead),
        ("endsIn", 0, century_s, ahead),
    ] {
        for good in [from, to] {
            configure(&page, "good", json!({ (field): good }))
                .await
                .ok();
        }
        for bad in [
            json!(from - 1),
            json!(to + 1),
            json!(1.5),
            json!("2"),
            json!([]),
        ] {
            let both = json!({ "prompt": "after", (field): bad });
            let refused = configure(&page, "p", both).await;
            refused.refused(400, &format!("{field} {expected}"));
        }
    }
    for field in ["disabled", "userIDVoting"] {
        let refused = configure(&page, "p", json!({ "prompt": "after", (field): 1 })).await;
        refused.refused(400, &format!("{field} must be true or false"));
    }
    assert_eq!(read(&server).await["prompt"], "before");
}

#[tokio::test]
async fn a_definition_is_taken_at_its_limits_and_refused_beyond() {
    let server = server().await;
    let page = broadcaster(&server);
    let text = |bytes: usize| "x".repeat(bytes);
    // 4,096 bytes with its quotation marks.
    let good = json!({
        "prompt": text(512), "options": vec![text(256); 64], "userData": text(4_094),
    });
    configure(&page, "p", good.clone()).await.ok();
    let before = read(&server).await;
    assert_eq!(before["options"], good["options"]);
    for (field, bad, expected) in [
        ("prompt", json!(text(513)), "must be at most 512 bytes"),
        (
            "prompt",
            json!("ä".repeat(257)),
            "must be at most 512 bytes",
        ),
        ("prompt", json!(1), "must be a string"),
        ("options", json!(vec!["a"; 65]), "must be at most 64"),
        (
            "options",
            json!(["a", text(257)]),
            "must be at most 256 bytes",
        ),
        ("options", json!(["a", 1]), "must be a list of strings"),
        ("options", json!("a"), "must be a list of strings"),
        ("userData", json!(text(4_095)), "must be at most 4096 bytes"),
    ] {
        let mut config = json!({ "disabled": true });
        config[field] = bad;
        let refused = configure(&page, "p", config).await;
        refused.refused(400, &format!("{field} {expected}"));
    }
    for config in [json!([]), json!("x"), json!(1)] {
        let refused = configure(&page, "p", config).await;
        refused.refused(400, "config must be an object");
    }
    assert_eq!(read(&server).await, before);
}

#[tokio::test]
async fn a_poll_that_votes_opened_takes_its_definition_and_keeps_its_votes() {
    let server = server().await;
    vote(&viewer(&server, "1"), "p", 3).await.ok();
    configure(&broadcaster(&server), "p", json!({ "prompt": "Late?" }))
        .await
        .ok();
    assert_eq!(read(&server).await["prompt"], "Late?");
    assert_eq!(super::report(&viewer(&server, "1"), "p").await["vote"], 3);
}
