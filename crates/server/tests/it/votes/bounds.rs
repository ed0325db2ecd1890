//! How often one may vote, and how many polls there may be (`spec 5`).

use crowdlink_protocol::Stage;
use crowdlink_store::{Commit, Store as _};
use serde_json::json;

use super::{
    DAYS_7_MS, broadcaster, config_path, configure, server, token, viewer, vote, vote_path,
};
use crate::harness::{OWNER, Server};

const POLLS_MAX: usize = 1_000;
const FULL: &str = "poll_id is one more than the 1000 polls there may be";

#[tokio::test]
async fn a_voter_has_60_votes_at_once_and_20_a_second() {
    let server = Server::start().await;
    let page = viewer(&server, "1");
    let too_many = async |id: &str| {
        let refused = vote(&page, id, 1).await;
        refused.refused(429, "Too many requests");
        assert_eq!(refused.header("retry-after"), Some("1"));
    };
    for value in 0..60 {
        vote(&page, "p", value).await.ok();
    }
    too_many("p").await;
    too_many("another").await;
    server.advance_ms(49);
    too_many("p").await;
    server.advance_ms(1);
    vote(&page, "p", 60).await.ok();
    too_many("p").await;
    server.advance_ms(1_000);
    for value in 0..20 {
        vote(&page, "p", value).await.ok();
    }
    too_many("p").await;
    let told = vote(&viewer(&server, "2"), "p", 3).await.ok();
    assert_eq!(
        told["count"], 2,
        "others are not held up, and refused votes do not count"
    );
    assert_eq!(super::report(&page, "p").await["vote"], 19);
}

/// Copies a poll so many times.
async fn copy(server: &Server, model: &str, key: impl Fn(usize) -> String, times: usize) {
    let model = server.store.get(model).await.unwrap().unwrap();
    let commit = (0..times).fold(Commit::new(), |commit, number| {
        commit.put(key(number), model.value.clone(), model.expires_at_ms)
    });
    server.store.commit(commit).await.unwrap();
}

#[tokio::test]
async fn an_extension_has_1000_defined_polls_and_1000_that_votes_opened() {
    let server = server().await;
    let page = viewer(&server, "1");
    let mut claims = token("broadcaster", OWNER);
    claims["user_id"] = json!(OWNER);
    let owner = server.signed(Stage::Sandbox, &claims);
    vote(&page, "global-model", 1).await.ok();
    let at = |id: &str| format!("sandbox/test-extension/poll/extension/{id}");
    let opened = |number| at(&format!("global-opened-{number}"));
    copy(&server, &at("global-model"), opened, POLLS_MAX - 2).await;
    vote(&page, "global-last", 1).await.ok();
    vote(&page, "global-more", 1).await.refused(400, FULL);
    // Those that are there take votes, and the owner may define.
    vote(&page, "global-last", 2).await.ok();
    configure(&owner, "global-more", json!({})).await.ok();
    owner.delete(&vote_path("global-model")).await.ok();
    configure(&owner, "global-model", json!({})).await.ok();
    let defined = |number| at(&format!("global-defined-{number}"));
    copy(&server, &at("global-model"), defined, POLLS_MAX - 3).await;
    configure(&owner, "global-end", json!({})).await.ok();
    configure(&owner, "global-too-many", json!({}))
        .await
        .refused(400, FULL);
    // Nor one that votes opened, which goes on as it was.
    configure(&owner, "global-last", json!({}))
        .await
        .refused(400, FULL);
    configure(&owner, "global-end", json!({ "prompt": "?" }))
        .await
        .ok();
    // One that is defined counts no longer among those that votes opened.
    vote(&page, "global-again", 1).await.ok();
    vote(&page, "global-full", 1).await.refused(400, FULL);
    // A channel has room of its own.
    vote(&page, "p", 1).await.ok();
}

#[tokio::test]
async fn viewers_who_open_a_thousand_polls_keep_no_game_from_creating_one() {
    let server = server().await;
    let page = viewer(&server, "1");
    let at = |id: &str| format!("sandbox/test-extension/poll/channel/42/{id}");
    vote(&page, "model", 1).await.ok();
    copy(
        &server,
        &at("model"),
        |number| at(&format!("p{number}")),
        POLLS_MAX - 2,
    )
    .await;
    vote(&page, "one-more-of-the-channel", 1).await.ok();
    let reads = server.store.reads();
    for _ in 0..20 {
        vote(&page, "p1000", 1).await.refused(400, FULL);
    }
    // They are counted once a second, not for everyone who tries.
    assert!(server.store.reads() - reads < 20 + 10);
    let (mut game, _) = server.paired_game("42").await;
    let create = json!({ "poll_id": "p1000", "prompt": "?", "options": ["a"] });
    assert_eq!(
        game.call("create", "poll", create).await["data"]["ok"],
        true
    );
    vote(&page, "p1000", 1).await.ok();
}

#[tokio::test]
async fn polls_that_are_gone_leave_their_room_in_the_same_ms() {
    let server = server().await;
    let (owner, page) = (broadcaster(&server), viewer(&server, "1"));
    let key = |id: &str| format!("sandbox/test-extension/poll/channel/42/{id}");
    configure(&owner, "model", json!({})).await.ok();
    let others = |number| key(&format!("p{number}"));
    copy(&server, &key("model"), others, POLLS_MAX - 1).await;
    configure(&owner, "new", json!({})).await.refused(400, FULL);
    vote(&page, "opened", 1).await.ok();
    server.advance_ms(DAYS_7_MS - 1);
    configure(&owner, "new", json!({})).await.refused(400, FULL);
    server.advance_ms(1);
    owner
        .get(&config_path("model"))
        .await
        .refused(404, "There is no such poll");
    configure(&owner, "new", json!({})).await.ok();
}
