//! Rank (`spec 3.5`): one answer a voter, the top by score and key.

use crowdlink_core::{Core, rank, tokens};
use crowdlink_protocol::Stage;
use crowdlink_store::Faults;
use futures::future::join_all;
use http::Method;
use serde_json::{Value, json};

use crate::harness::{EXTENSION, Http, OWNER, Server, core_beside, user_token};

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
const PATH: &str = "/v1/e/rank?id=color";

async fn vote(page: &Http, path: &str, key: &str) -> Value {
    page.post(path, &json!({ "key": key })).await.ok()
}

fn ranking(scores: &[(&str, u64)]) -> Value {
    let score = |(key, score): &(&str, u64)| json!({ "key": key, "score": score });
    json!({ "data": scores.iter().map(score).collect::<Vec<_>>() })
}

#[tokio::test]
async fn one_answer_a_voter_counts_and_the_one_before_is_told() {
    let server = Server::start().await;
    let page = server.user("broadcaster", "42", "42");
    assert_eq!(page.get(PATH).await.ok(), ranking(&[]));
    let voter = server.user("viewer", "42", "7");
    assert_eq!(vote(&voter, PATH, "red").await, json!({ "accepted": true }));
    let again = json!({ "accepted": true, "original": "red" });
    assert_eq!(vote(&voter, PATH, "red").await, again);
    assert_eq!(vote(&voter, PATH, "blue").await, again);
    assert_eq!(page.get(PATH).await.ok(), ranking(&[("blue", 1)]));
    vote(&server.user("moderator", "42", "8"), PATH, "blue").await;
    vote(&page, PATH, "red").await;
    // The same user with another opaque id is the same voter.
    let mut claims = crate::harness::claims("viewer", "42");
    claims["allowed_stage"] = json!("sandbox");
    claims["user_id"] = json!("7");
    let voter = server.signed(Stage::Sandbox, &claims);
    let original = json!({ "accepted": true, "original": "blue" });
    assert_eq!(vote(&voter, PATH, "green").await, original);
    let expected = ranking(&[("blue", 1), ("green", 1), ("red", 1)]);
    assert_eq!(page.get(PATH).await.ok(), expected);
}

#[tokio::test]
async fn the_top_100_are_told_by_score_then_key() {
    let server = Server::start().await;
    for n in 0..103 {
        let voter = server.user("viewer", "42", &n.to_string());
        vote(&voter, PATH, &format!("key {n:03}/%")).await;
    }
    for n in 0..9 {
        let voter = server.user("viewer", "42", &format!("more-{n}"));
        vote(&voter, PATH, if n < 3 { "key 102/%" } else { "Ärger" }).await;
    }
    let read = server.user("broadcaster", "42", "42").get(PATH).await.ok();
    let data = read["data"].as_array().unwrap();
    assert_eq!(data.len(), 100);
    assert_eq!(data[0], json!({ "key": "Ärger", "score": 6 }));
    assert_eq!(data[1], json!({ "key": "key 102/%", "score": 4 }));
    for (n, entry) in data[2..].iter().enumerate() {
        assert_eq!(
            *entry,
            json!({ "key": format!("key {n:03}/%"), "score": 1 })
        );
    }
}

#[tokio::test]
async fn a_key_has_1_to_256_bytes() {
    let server = Server::start().await;
    let voter = server.user("viewer", "42", "7");
    let reason = "key must be 1 to 256 bytes without control characters";
    let refusals = [
        (json!({ "key": "x".repeat(257) }), reason),
        (json!({ "key": "ä".repeat(129) }), reason),
        (json!({ "key": "" }), reason),
        (json!({ "key": "a\u{0}" }), reason),
        (json!({}), "key is required"),
        (json!({ "key": 1 }), "key must be a string"),
        (json!([]), "body must be a JSON object"),
    ];
    for (body, reason) in refusals {
        voter.post(PATH, &body).await.refused(400, reason);
    }
    voter
        .send(Method::POST, PATH, "")
        .await
        .refused(400, "key is required");
    let page = server.user("broadcaster", "42", "42");
    assert_eq!(
        page.get(PATH).await.ok(),
        ranking(&[]),
        "nothing was counted"
    );
    let longest = "ä".repeat(128);
    vote(&voter, PATH, &longest).await;
    assert_eq!(page.get(PATH).await.ok(), ranking(&[(&longest, 1)]));
}

#[tokio::test]
async fn broadcasters_read_and_clear_their_own_and_admins_any() {
    let server = Server::start().await;
    for channel in ["42", "43"] {
        vote(&server.user("viewer", channel, "7"), PATH, channel).await;
    }
    for role in ["viewer", "moderator"] {
        let page = server.user(role, "42", "7");
        page.get(PATH).await.forbidden("requires role broadcaster");
        page.delete(PATH)
            .await
            .forbidden("requires role broadcaster");
    }
    let page = server.user("broadcaster", "42", "42");
    let there = format!("{PATH}&channel_id=43");
    page.delete(&there).await.forbidden("wrong channel");
    let admin = server.trusted("admin");
    assert_eq!(admin.get(&there).await.ok(), ranking(&[("43", 1)]));
    admin.get(PATH).await.refused(400, "channel_id is required");
    assert_eq!(page.delete(PATH).await.ok(), json!({}));
    assert_eq!(
        page.delete(PATH).await.ok(),
        json!({}),
        "also where nothing is"
    );
    assert_eq!(page.get(PATH).await.ok(), ranking(&[]));
    assert_eq!(admin.get(&there).await.ok(), ranking(&[("43", 1)]));
    let voter = server.user("viewer", "42", "7");
    assert_eq!(vote(&voter, PATH, "new").await, json!({ "accepted": true }));
    assert_eq!(page.get(PATH).await.ok(), ranking(&[("new", 1)]));
}

#[tokio::test]
async fn an_id_that_starts_with_global_is_cleared_by_the_owner_alone() {
    let server = Server::start().await;
    let path = "/v1/e/rank?id=globals";
    vote(&server.user("viewer", "42", "7"), path, "a").await;
    vote(&server.user("viewer", "43", "8"), path, "a").await;
    let original = json!({ "accepted": true, "original": "a" });
    let moved = server.user("viewer", "44", "7");
    assert_eq!(
        vote(&moved, path, "b").await,
        original,
        "one voter in all channels"
    );
    let expected = ranking(&[("a", 1), ("b", 1)]);
    let page = server.user("broadcaster", "42", "42");
    assert_eq!(page.get(path).await.ok(), expected);
    let refused = page.delete(path).await;
    refused.forbidden("requires role admin, or the extension's owner");
    let viewer = server.user("viewer", "42", "7");
    viewer
        .get(path)
        .await
        .forbidden("requires role broadcaster");
    assert_eq!(server.trusted("backend").get(path).await.ok(), expected);
    let owner = server.user("broadcaster", OWNER, OWNER);
    owner.delete(path).await.ok();
    assert_eq!(page.get(path).await.ok(), ranking(&[]));
}

#[tokio::test]
async fn a_ranking_is_gone_24_h_after_its_last_answer() {
    let server = Server::start().await;
    let held = server.store.held();
    let page = server.user("broadcaster", "42", "42");
    vote(&server.user("viewer", "42", "7"), PATH, "a").await;
    server.advance_ms(DAY_MS - 1);
    vote(&server.user("viewer", "42", "8"), PATH, "a").await;
    server.advance_ms(DAY_MS - 1);
    assert_eq!(page.get(PATH).await.ok(), ranking(&[("a", 2)]));
    server.advance_ms(1);
    assert_eq!(page.get(PATH).await.ok(), ranking(&[]));
    let voter = server.user("viewer", "42", "7");
    assert_eq!(vote(&voter, PATH, "b").await, json!({ "accepted": true }));
    page.delete(PATH).await.ok();
    server.advance_ms(2 * DAY_MS);
    server
        .in_time("the rows are removed", || async {
            server.store.held() <= held
        })
        .await;
}

async fn vote_in(core: &Core, user: usize, key: &str) {
    let header = format!(
        "{EXTENSION} {}",
        user_token("viewer", "42", &user.to_string())
    );
    let caller = tokens::authorize(core, Stage::Sandbox, Some(&header)).await;
    let caller = caller.unwrap();
    let answered = rank::answer(core, &caller, None, "color", key).await;
    answered.unwrap();
}

#[tokio::test]
async fn voters_of_two_nodes_are_all_counted() {
    let server = Server::start().await;
    let (one, other) = (&server.app.core, &*core_beside(&server).await);
    server.store.set_faults(Faults {
        delay_per_mille: 700,
        yields_max: 12,
        ..Faults::default()
    });
    // Each of 40 voters names one key after the other, on both nodes in turn.
    let voter = |user: usize| async move {
        for n in 0..10 {
            let core = if (user + n).is_multiple_of(2) {
                one
            } else {
                other
            };
            vote_in(core, user, &format!("k{}", (user + n) % 4)).await;
        }
    };
    join_all((0..40).map(voter)).await;
    server.store.set_faults(Faults::default());
    let read = server.user("broadcaster", "42", "42").get(PATH).await.ok();
    assert_eq!(
        read,
        ranking(&[("k0", 10), ("k1", 10), ("k2", 10), ("k3", 10)])
    );
}

#[tokio::test]
async fn voters_at_once_are_counted_in_a_few_commits() {
    let server = Server::start().await;
    server.store.set_faults(Faults {
        delay_per_mille: 1_000,
        yields_max: 20,
        ..Faults::default()
    });
    for round in 0..2 {
        let before = server.store.commits();
        join_all((0..200).map(|n| {
            let voter = server.user("viewer", "42", &n.to_string());
            // Half of them change their minds.
            let key = if n < 100 {
                format!("k{}", n % 2 + round)
            } else {
                "k".into()
            };
            async move { vote(&voter, PATH, &key).await }
        }))
        .await;
        let commits = server.store.commits() - before;
        assert!(commits <= 50, "{commits} commits");
    }
    let read = server.user("broadcaster", "42", "42").get(PATH).await.ok();
    assert_eq!(read, ranking(&[("k", 100), ("k1", 50), ("k2", 50)]));
}

#[tokio::test]
async fn clearing_while_voters_vote_leaves_what_came_after_it() {
    let server = Server::start().await;
    server.store.set_faults(Faults {
        delay_per_mille: 1_000,
        yields_max: 20,
        ..Faults::default()
    });
    let page = server.user("broadcaster", "42", "42");
    let votes = join_all((0..60).map(|n| {
        let voter = server.user("viewer", "42", &n.to_string());
        async move { vote(&voter, PATH, "during").await }
    }));
    let clear = join_all((0..5).map(|_| page.delete(PATH)));
    let (_, cleared) = tokio::join!(votes, clear);
    for answer in cleared {
        answer.ok();
    }
    page.delete(PATH).await.ok();
    vote(&server.user("viewer", "42", "1"), PATH, "after").await;
    assert_eq!(page.get(PATH).await.ok(), ranking(&[("after", 1)]));
}
