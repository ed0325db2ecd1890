//! How long polls are kept, and that what they leave behind is removed.

use crowdlink_store::Store as _;
use serde_json::json;

use super::{
    DAYS_7_MS, broadcaster, config_path, configure, counted, log, report, server, shy, viewer,
    vote, vote_path, weigh,
};
use crate::harness::{Server, core_beside};

const HOUR_MS: u64 = 60 * 60 * 1_000;
const NO_POLL: &str = "There is no such poll";

async fn is_there(server: &Server, id: &str) -> bool {
    let config = viewer(server, "reader").get(&config_path(id)).await;
    if config.status == 404 {
        config.refused(404, NO_POLL);
        assert_eq!(report(&viewer(server, "reader"), id).await["count"], 0);
        assert_eq!(log(server, id).await.len(), 0);
    }
    config.status == 200
}

/// Moves time to the last ms of so long, sees that the poll is there, and that it then is not.
async fn is_there_for(server: &Server, ms: u64) {
    server.advance_ms(ms - 1);
    assert!(is_there(server, "p").await);
    server.advance_ms(1);
    assert!(!is_there(server, "p").await);
}

#[tokio::test]
async fn a_poll_is_gone_7_days_after_its_last_vote_to_the_ms() {
    for gap_ms in [
        1,
        HOUR_MS / 2,
        HOUR_MS - 1,
        HOUR_MS,
        HOUR_MS + 1,
        DAYS_7_MS - 1,
    ] {
        let server = server().await;
        vote(&viewer(&server, "1"), "p", 1).await.ok();
        server.advance_ms(gap_ms);
        vote(&viewer(&server, "2"), "p", 1).await.ok();
        server.advance_ms(gap_ms);
        // A change of mind is a vote.
        assert_eq!(vote(&viewer(&server, "1"), "p", 2).await.ok()["count"], 2);
        is_there_for(&server, DAYS_7_MS).await;
        // Whoever votes now opens another one.
        let told = vote(&viewer(&server, "3"), "p", 9).await.ok();
        assert_eq!(counted(&told), (1, 9, vec![(9, 1)]), "{gap_ms}");
        assert_eq!(report(&viewer(&server, "1"), "p").await.get("vote"), None);
    }
}

#[tokio::test]
async fn what_is_no_vote_keeps_no_votes() {
    let server = server().await;
    vote(&viewer(&server, "1"), "p", 1).await.ok();
    server.advance_ms(DAYS_7_MS / 2);
    report(&viewer(&server, "1"), "p").await;
    weigh(&broadcaster(&server), "p", "1", 1).await.ok();
    let refused = viewer(&server, "2")
        .post(&vote_path("p"), &json!({ "value": 1, "count": 2 }))
        .await;
    refused.refused(400, "unacceptable vote");
    is_there_for(&server, DAYS_7_MS / 2).await;
}

#[tokio::test]
async fn a_definition_is_kept_as_long_from_its_last_change_or_vote() {
    let server = server().await;
    configure(&broadcaster(&server), "p", json!({ "prompt": "?" }))
        .await
        .ok();
    server.advance_ms(DAYS_7_MS - 1);
    configure(&broadcaster(&server), "p", json!({ "prompt": "!" }))
        .await
        .ok();
    is_there_for(&server, DAYS_7_MS).await;
    configure(&broadcaster(&server), "p", json!({ "prompt": "?" }))
        .await
        .ok();
    server.advance_ms(DAYS_7_MS - 1);
    vote(&viewer(&server, "1"), "p", 1).await.ok();
    is_there_for(&server, DAYS_7_MS).await;
}

#[tokio::test]
async fn a_poll_that_is_to_come_is_kept_until_7_days_after_its_end() {
    let server = server().await;
    let day_s = 24 * 60 * 60;
    let month = json!({ "startsIn": 30 * day_s, "endsIn": 31 * day_s });
    configure(&broadcaster(&server), "p", month).await.ok();
    is_there_for(&server, 31 * 24 * HOUR_MS + DAYS_7_MS).await;
}

#[tokio::test]
async fn a_modifier_is_kept_as_long_as_its_poll() {
    let server = server().await;
    let owner = broadcaster(&server);
    weigh(&owner, "p", "1", 4).await.ok();
    server.advance_ms(DAYS_7_MS - 1);
    assert_eq!(vote(&viewer(&server, "1"), "p", 1).await.ok()["count"], 5);
    is_there_for(&server, DAYS_7_MS).await;
    assert_eq!(vote(&viewer(&server, "1"), "p", 1).await.ok()["count"], 1);
}

#[tokio::test]
async fn a_vote_on_another_node_is_a_vote() {
    let server = server().await;
    vote(&viewer(&server, "1"), "p", 1).await.ok();
    let other = core_beside(&server).await;
    server.advance_ms(DAYS_7_MS - 1);
    let claims = server.app.core.extensions();
    assert_eq!(claims.len(), other.extensions().len());
    vote(&shy(&server, "A2"), "p", 1).await.ok();
    server.advance_ms(DAYS_7_MS - 1);
    assert_eq!(report(&viewer(&server, "1"), "p").await["count"], 2);
}

/// How many rows of each kind there are, of all runs, and how many runs are watched.
async fn rows(server: &Server) -> [usize; 5] {
    let mut rows = [0; 5];
    let kinds = ["ballot", "vote-log", "tally", "poll-definition"];
    for (count, kind) in rows.iter_mut().zip(kinds) {
        let prefix = format!("sandbox/test-extension/{kind}/");
        *count = server
            .store
            .scan(&prefix, None, 10_000)
            .await
            .unwrap()
            .len();
    }
    rows[4] = server
        .store
        .scan("runs/", None, 10_000)
        .await
        .unwrap()
        .len();
    rows
}

async fn has_rows(server: &Server, expected: [usize; 5]) {
    server
        .in_time(&format!("{expected:?}"), async || {
            rows(server).await == expected
        })
        .await;
}

#[tokio::test]
async fn rows_of_deleted_polls_are_removed_and_those_of_others_stay() {
    let server = server().await;
    let owner = broadcaster(&server);
    for id in ["gone", "kept", "global"] {
        for user in 0..20 {
            vote(&viewer(&server, &user.to_string()), id, user)
                .await
                .ok();
        }
    }
    configure(&owner, "kept", json!({ "prompt": "?" }))
        .await
        .ok();
    configure(&owner, "gone", json!({ "prompt": "?" }))
        .await
        .ok();
    let (report_before, log_before) = (report(&owner, "kept").await, log(&server, "kept").await);
    assert_eq!(rows(&server).await, [60, 60, 3, 2, 3]);
    owner.delete(&vote_path("gone")).await.ok();
    assert_eq!(report(&owner, "gone").await["count"], 0, "at once");
    // The watch that a run has from its beginning waits for the end of its poll.
    has_rows(&server, [40, 40, 2, 1, 3]).await;
    assert_eq!(report(&owner, "kept").await, report_before);
    assert_eq!(log(&server, "kept").await, log_before);
    assert_eq!(owner.get(&config_path("kept")).await.ok()["prompt"], "?");
    // The same of a poll that is created over afresh.
    let (mut game, _) = server.paired_game("42").await;
    let fresh = json!({ "poll_id": "kept", "prompt": "", "options": [], "fresh": true });
    game.call("create", "poll", fresh).await;
    vote(&viewer(&server, "1"), "kept", 1).await.ok();
    has_rows(&server, [21, 21, 2, 1, 4]).await;
    assert_eq!(report(&owner, "kept").await["count"], 1);
}

#[tokio::test]
async fn rows_of_polls_that_have_ended_their_time_are_removed() {
    let server = server().await;
    for user in 0..20 {
        vote(&viewer(&server, &user.to_string()), "old", user)
            .await
            .ok();
    }
    server.advance_ms(DAYS_7_MS - 1);
    vote(&viewer(&server, "1"), "new", 1).await.ok();
    server.advance_ms(1);
    assert!(!is_there(&server, "old").await);
    // Opened again: what the first run left goes when it is due, and that of the second stays.
    vote(&viewer(&server, "1"), "old", 5).await.ok();
    assert_eq!(rows(&server).await, [22, 22, 3, 0, 3]);
    server.advance_ms(HOUR_MS);
    has_rows(&server, [2, 2, 2, 0, 2]).await;
    assert_eq!(counted(&report(&viewer(&server, "1"), "old").await).1, 5);
    assert_eq!(counted(&report(&viewer(&server, "1"), "new").await).1, 1);
    server.advance_ms(DAYS_7_MS + HOUR_MS);
    has_rows(&server, [0; 5]).await;
    let heads = "sandbox/test-extension/poll/";
    assert_eq!(server.store.scan(heads, None, 10).await.unwrap().len(), 0);
}
