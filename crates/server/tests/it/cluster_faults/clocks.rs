//! A node whose clock is 30 s ahead: the skew that is tolerated (`spec 1.2`). The program has one
//! clock, the system's; these are servers in this process.

use serde_json::json;

use crate::harness::{Http, Server, refusal};

const AHEAD_MS: u64 = 30_000;

/// A server, and a node of its cluster whose clock is ahead.
async fn servers() -> (Server, Server) {
    let behind = Server::start().await;
    let ahead = behind.start_node_ahead(AHEAD_MS).await;
    (behind, ahead)
}

async fn vote(page: &Http, user_votes: i64) -> u16 {
    let vote = json!({ "value": user_votes });
    page.post("/v1/e/vote?id=p", &vote).await.status.as_u16()
}

#[tokio::test]
async fn tokens_and_pins_of_either_node_are_good_on_the_other() {
    let (behind, ahead) = servers().await;
    for (one, other) in [(&behind, &ahead), (&ahead, &behind)] {
        let token = one.token("viewer", "42", "77").await;
        let page = other.sandbox().with(crate::harness::EXTENSION, &token);
        page.get("/v1/e/user_info").await.ok();

        let pin = one.page("broadcaster", "42").await.pin().await;
        let paired = other.game().await.authenticate(json!({ "pin": pin })).await;
        let mut token = paired["data"]["refresh"].clone();
        // Each refresh on the node that did not make the token.
        for server in [one, other, one] {
            let mut game = server.game().await;
            let answer = game.authenticate(json!({ "refresh": token })).await;
            assert_eq!(answer["data"]["twitch_id"], "42", "{answer}");
            token = answer["data"]["refresh"].clone();
        }
        let again = one.game().await.authenticate(json!({ "pin": pin })).await;
        refusal(&again, 400);
    }
}

#[tokio::test]
async fn a_poll_ends_by_the_clock_of_the_node_that_is_asked_and_the_count_is_one() {
    let (behind, ahead) = servers().await;
    let broadcaster = behind.page("broadcaster", "42").await;
    let config = json!({ "config": { "options": ["a", "b"], "endsIn": 60 } });
    broadcaster
        .post("/v1/e/vote_config?id=p", &config)
        .await
        .ok();
    let here = behind.viewer("1", "42").await;
    let there = ahead.viewer("2", "42").await;
    assert_eq!(vote(&here, 0).await, 200);
    assert_eq!(vote(&there, 1).await, 200);

    // For one it ended now, for the other it will in 30 s: that is what may differ.
    for server in [&behind, &ahead] {
        server.advance_ms(60_000 - AHEAD_MS);
    }
    assert_eq!(vote(&there, 0).await, 400);
    assert_eq!(vote(&here, 1).await, 200);
    for server in [&behind, &ahead] {
        server.advance_ms(AHEAD_MS);
    }
    assert_eq!(vote(&here, 0).await, 400);
    for page in [&here, &there] {
        let report = page.get("/v1/e/vote?id=p").await.ok();
        assert_eq!((&report["count"], &report["sum"]), (&json!(2), &json!(2)));
    }
}
