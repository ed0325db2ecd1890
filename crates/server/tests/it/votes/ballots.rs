//! Which votes a poll takes, and which it refuses with nothing counted.

use serde_json::json;

use super::{broadcaster, configure, counted, log, report, server, shy, viewer, vote, vote_path};
use crate::harness::{Answer, Http};

const UNACCEPTABLE: &str = "unacceptable vote";
const CLOSED: &str = "poll is closed";

async fn cast(page: &Http, value: i64, count: i64) -> Answer {
    let body = json!({ "value": value, "count": count });
    page.post(&vote_path("p"), &body).await
}

#[tokio::test]
async fn without_a_config_a_voter_has_one_vote() {
    let server = server().await;
    let page = viewer(&server, "1");
    cast(&page, 1, 2).await.refused(400, UNACCEPTABLE);
    let nothing = page.get("/v1/e/vote_config?id=p").await;
    nothing.refused(404, "There is no such poll");
    cast(&page, 1, 1).await.ok();
    cast(&page, 2, 2).await.refused(400, UNACCEPTABLE);
    assert_eq!(counted(&report(&page, "p").await), (1, 1, vec![(1, 1)]));
}

#[tokio::test]
async fn votes_add_up_to_each_limit_and_one_too_many_counts_nothing() {
    let server = server().await;
    let limits =
        json!({ "totalVotesPerUser": 6, "votesPerOption": 3, "distinctOptionsPerUser": 3 });
    configure(&broadcaster(&server), "p", limits).await.ok();
    let page = viewer(&server, "1");
    cast(&page, 1, 4).await.refused(400, UNACCEPTABLE);
    cast(&page, 1, 2).await.ok();
    cast(&page, 1, 2).await.refused(400, UNACCEPTABLE);
    cast(&page, 1, 1).await.ok();
    cast(&page, 1, 1).await.refused(400, UNACCEPTABLE);
    cast(&page, -5, 1).await.ok();
    cast(&page, 700, 1).await.ok();
    cast(&page, 2, 1).await.refused(400, UNACCEPTABLE);
    cast(&page, 700, 2).await.refused(400, UNACCEPTABLE);
    let told = cast(&page, -5, 1).await.ok();
    assert_eq!(
        (counted(&told), &told["vote"]),
        ((6, 693, vec![(1, 3)]), &json!(-5))
    );
    cast(&page, 700, 1).await.refused(400, UNACCEPTABLE);
    assert_eq!(report(&page, "p").await, told);
    // Another voter has votes of their own.
    assert_eq!(cast(&viewer(&server, "2"), 1, 3).await.ok()["count"], 9);
}

#[tokio::test]
async fn the_largest_config_is_of_use_to_its_last_vote() {
    let server = server().await;
    let limits = json!({
        "totalVotesPerUser": 1_024, "votesPerOption": 1_024, "distinctOptionsPerUser": 258,
    });
    configure(&broadcaster(&server), "p", limits).await.ok();
    let page = viewer(&server, "1");
    for value in 0..258 {
        cast(&page, value, 1).await.ok();
    }
    cast(&page, 258, 1).await.refused(400, UNACCEPTABLE);
    for _ in 0..25 {
        cast(&page, 7, 30).await.ok();
    }
    cast(&page, 7, 17).await.refused(400, UNACCEPTABLE);
    assert_eq!(cast(&page, 7, 16).await.ok()["count"], 1_024);
    cast(&page, 7, 1).await.refused(400, UNACCEPTABLE);
    assert_eq!(log(&server, "p").await.len(), 258);
}

#[tokio::test]
async fn limits_that_change_count_for_the_votes_that_follow() {
    let server = server().await;
    let owner = broadcaster(&server);
    let three = json!({ "totalVotesPerUser": 3, "votesPerOption": 3, "distinctOptionsPerUser": 2 });
    configure(&owner, "p", three).await.ok();
    let page = viewer(&server, "1");
    cast(&page, 1, 2).await.ok();
    cast(&page, 2, 1).await.ok();
    configure(&owner, "p", json!({ "totalVotesPerUser": 2 }))
        .await
        .ok();
    assert_eq!(report(&page, "p").await["count"], 3);
    cast(&page, 1, 1).await.refused(400, UNACCEPTABLE);
    configure(&owner, "p", json!({ "totalVotesPerUser": 1 }))
        .await
        .ok();
    let told = cast(&page, 9, 1).await.ok();
    assert_eq!(counted(&told), (1, 9, vec![(9, 1)]));
}

#[tokio::test]
async fn a_poll_for_those_who_share_their_identity_takes_no_other_votes() {
    let server = server().await;
    configure(&broadcaster(&server), "p", json!({ "userIDVoting": true }))
        .await
        .ok();
    vote(&shy(&server, "A1"), "p", 1)
        .await
        .refused(400, UNACCEPTABLE);
    vote(&shy(&server, "U1"), "p", 1)
        .await
        .refused(400, UNACCEPTABLE);
    let told = vote(&viewer(&server, "1"), "p", 2).await.ok();
    assert_eq!(counted(&told), (1, 2, vec![(2, 1)]));
}

#[tokio::test]
async fn a_poll_takes_votes_from_its_start_to_its_end_to_the_ms() {
    let server = server().await;
    let owner = broadcaster(&server);
    configure(&owner, "p", json!({ "startsIn": 3, "endsIn": 5 }))
        .await
        .ok();
    let page = viewer(&server, "1");
    vote(&page, "p", 1).await.refused(400, CLOSED);
    server.advance_ms(2_999);
    vote(&page, "p", 1).await.refused(400, CLOSED);
    server.advance_ms(1);
    vote(&page, "p", 1).await.ok();
    server.advance_ms(1_999);
    vote(&page, "p", 2).await.ok();
    server.advance_ms(1);
    vote(&page, "p", 3).await.refused(400, CLOSED);
    assert_eq!(counted(&report(&page, "p").await), (1, 2, vec![(2, 1)]));
    configure(&owner, "p", json!({ "endsAt": 0 })).await.ok();
    vote(&page, "p", 3).await.ok();
}

#[tokio::test]
async fn a_disabled_poll_takes_no_votes_and_shows_those_it_has() {
    let server = server().await;
    let owner = broadcaster(&server);
    let page = viewer(&server, "1");
    vote(&page, "p", 1).await.ok();
    configure(&owner, "p", json!({ "disabled": true }))
        .await
        .ok();
    vote(&page, "p", 2).await.refused(400, CLOSED);
    vote(&shy(&server, "A2"), "p", 2).await.refused(400, CLOSED);
    assert_eq!(counted(&report(&page, "p").await), (1, 1, vec![(1, 1)]));
    configure(&owner, "p", json!({ "disabled": false }))
        .await
        .ok();
    vote(&page, "p", 2).await.ok();
    assert_eq!(counted(&report(&page, "p").await), (1, 2, vec![(2, 1)]));
}
