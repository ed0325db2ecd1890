//! The weight of a voter (`vote_modifier`).

use serde_json::json;

use super::{broadcaster, configure, counted, log, report, server, shy, viewer, vote, weigh};

const PATH: &str = "/v1/e/vote_modifier?id=p";

#[tokio::test]
async fn a_weight_applies_to_votes_before_and_after_it() {
    let server = server().await;
    let owner = broadcaster(&server);
    vote(&viewer(&server, "1"), "p", 5).await.ok();
    assert_eq!(weigh(&owner, "p", "1", 2).await.ok(), json!({}));
    assert_eq!(counted(&report(&owner, "p").await), (3, 15, vec![(5, 3)]));
    let told = vote(&viewer(&server, "1"), "p", 6).await.ok();
    assert_eq!(counted(&told), (3, 18, vec![(6, 3)]));
    weigh(&owner, "p", "2", 4).await.ok();
    assert_eq!(
        report(&owner, "p").await["count"],
        3,
        "no vote, nothing to weigh"
    );
    let told = vote(&viewer(&server, "2"), "p", 1).await.ok();
    assert_eq!(counted(&told), (8, 23, vec![(1, 5), (6, 3)]));
    assert_eq!(
        log(&server, "p").await.len(),
        2,
        "a row a voter, whatever the weight"
    );
}

#[tokio::test]
async fn a_weight_is_one_and_the_sum_and_never_below_nothing() {
    let server = server().await;
    let owner = broadcaster(&server);
    vote(&viewer(&server, "1"), "p", 5).await.ok();
    vote(&viewer(&server, "2"), "p", 9).await.ok();
    for (add, weight) in [(-1, 0), (-2, 0), (2, 0), (1, 1), (3, 4), (-4, 0), (1, 1)] {
        weigh(&owner, "p", "1", add).await.ok();
        let told = report(&owner, "p").await;
        let expected = [(5, weight), (9, 1)].into_iter();
        let expected: Vec<_> = expected.filter(|(_, count)| *count != 0).collect();
        assert_eq!(
            counted(&told),
            (weight + 1, 5 * weight + 9, expected),
            "{add}"
        );
    }
    // A vote of no weight is one all the same.
    weigh(&owner, "p", "1", -1).await.ok();
    let told = vote(&viewer(&server, "1"), "p", 7).await.ok();
    assert_eq!(
        (counted(&told), &told["vote"]),
        ((1, 9, vec![(9, 1)]), &json!(7))
    );
    assert_eq!(log(&server, "p").await.len(), 2);
}

#[tokio::test]
async fn who_shares_no_identity_is_named_by_the_opaque_id() {
    let server = server().await;
    weigh(&broadcaster(&server), "p", "A5", 1).await.ok();
    assert_eq!(vote(&shy(&server, "A5"), "p", 3).await.ok()["count"], 2);
}

#[tokio::test]
async fn a_modifier_counts_also_when_the_poll_takes_no_votes() {
    let server = server().await;
    let owner = broadcaster(&server);
    vote(&viewer(&server, "1"), "p", 5).await.ok();
    configure(&owner, "p", json!({ "disabled": true }))
        .await
        .ok();
    weigh(&owner, "p", "1", 1).await.ok();
    assert_eq!(report(&owner, "p").await["count"], 2);
}

#[tokio::test]
async fn a_weight_stays_below_a_million_either_way() {
    let server = server().await;
    let owner = broadcaster(&server);
    vote(&viewer(&server, "1"), "p", 5).await.ok();
    weigh(&owner, "p", "1", 999_999).await.ok();
    assert_eq!(report(&owner, "p").await["count"], 1_000_000);
    let reason = "add must leave the weight below 1000000";
    for add in [1, i64::MAX] {
        weigh(&owner, "p", "1", add).await.refused(400, reason);
    }
    weigh(&owner, "p", "1", i64::MIN + 1)
        .await
        .refused(400, reason);
    weigh(&owner, "q", "1", i64::MIN).await.refused(400, reason);
    assert_eq!(report(&owner, "p").await["count"], 1_000_000);
    weigh(&owner, "p", "1", -1_999_998).await.ok();
    weigh(&owner, "p", "1", -1).await.refused(400, reason);
    assert_eq!(report(&owner, "p").await["count"], 0);
}

#[tokio::test]
async fn a_modifier_names_a_user_and_a_whole_number() {
    let server = server().await;
    let owner = broadcaster(&server);
    for (body, reason) in [
        (json!({}), "add is required"),
        (json!({ "add": 1 }), "user is required"),
        (json!({ "user": "", "add": 1 }), "user is required"),
        (json!({ "user": "1" }), "add is required"),
        (json!({ "user": 1, "add": 1 }), "user must be a string"),
        (
            json!({ "user": "1", "add": 1.5 }),
            "add must be a whole number",
        ),
        (
            json!({ "user": "1", "add": "1" }),
            "add must be a whole number",
        ),
        (
            json!({ "user": "x".repeat(97), "add": 1 }),
            "user must be at most 96 bytes without control characters",
        ),
        (json!([]), "body must be a JSON object"),
    ] {
        owner.post(PATH, &body).await.refused(400, reason);
    }
    let nothing = owner.get("/v1/e/vote_config?id=p").await;
    nothing.refused(404, "There is no such poll");
    owner
        .post(PATH, &json!({ "user": "x".repeat(96), "add": 1 }))
        .await
        .ok();
}
