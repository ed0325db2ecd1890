//! Which poll an id names, who may do what with it, and that no two of them mix.

use crowdlink_protocol::Stage;
use serde_json::{Value, json};

use super::{
    broadcaster, config_path, configure, counted, page, report, server, token, viewer, vote,
    vote_path, weigh,
};
use crate::harness::{Http, OWNER, SECRET, Server, claims, sign};

const NOT_BROADCASTER: &str = "requires role broadcaster";
const NOT_OWNER: &str = "requires role admin, or the extension's owner";
const BAD_ID: &str = "poll_id must be 1 to 64 characters, no `.`, none of control";

fn in_channel(server: &Server, role: &str, channel: &str, user: &str) -> Http {
    let mut claims = token(role, channel);
    claims["user_id"] = json!(user);
    server.signed(Stage::Sandbox, &claims)
}

#[tokio::test]
async fn the_id_is_default_where_none_is_named() {
    let server = server().await;
    let page = viewer(&server, "1");
    page.post("/v1/e/vote", &json!({ "value": 4 })).await.ok();
    for path in ["/v1/e/vote", "/v1/e/vote?id=", "/v1/e/vote?id=default"] {
        assert_eq!(page.get(path).await.ok()["vote"], 4, "{path}");
    }
    assert_eq!(report(&page, "other").await["count"], 0);
    broadcaster(&server).delete("/v1/e/vote").await.ok();
    assert_eq!(report(&page, "default").await["count"], 0);
}

#[tokio::test]
async fn an_id_has_1_to_64_characters_without_dots_and_control_characters() {
    let server = server().await;
    let owner = broadcaster(&server);
    let encoded = |c: &str, times| c.repeat(times);
    // Of any script, and with what looks like a path.
    for (value, id) in (1..).zip([
        "a",
        &*encoded("%F0%9F%98%80", 64),
        &*encoded("%22", 64),
        "a%2Fb",
        "a%20b",
        "%2561",
        "...".replace('.', "%C2%B7").as_str(),
    ]) {
        let told = vote(&owner, id, value).await.ok();
        assert_eq!(
            (counted(&told).0, &told["vote"]),
            (1, &json!(value)),
            "{id}"
        );
        configure(&owner, "unused", json!({})).await.ok();
        assert_eq!(report(&owner, id).await["vote"], value);
    }
    for id in ["a.b", ".", "%00", "a%0A", "%7F", "%C2%85", &*"x".repeat(65)] {
        vote(&owner, id, 1).await.refused(400, BAD_ID);
        owner.get(&vote_path(id)).await.refused(400, BAD_ID);
        owner.delete(&vote_path(id)).await.refused(400, BAD_ID);
        owner.get(&config_path(id)).await.refused(400, BAD_ID);
        owner
            .post(&config_path(id), &json!({}))
            .await
            .refused(400, BAD_ID);
        weigh(&owner, id, "1", 1).await.refused(400, BAD_ID);
        let logs = format!("/v1/e/vote_logs?channel_id=42&id={id}");
        server
            .trusted("admin")
            .get(&logs)
            .await
            .refused(400, BAD_ID);
    }
}

#[tokio::test]
async fn the_broadcaster_and_the_server_run_a_poll_and_nobody_else_does() {
    let server = server().await;
    for role in ["viewer", "moderator"] {
        let page = page(&server, role, "5");
        vote(&page, "p", 1).await.ok();
        configure(&page, "p", json!({}))
            .await
            .forbidden(NOT_BROADCASTER);
        weigh(&page, "p", "5", 1).await.forbidden(NOT_BROADCASTER);
        page.delete(&vote_path("p"))
            .await
            .forbidden(NOT_BROADCASTER);
        let logs = page.get("/v1/e/vote_logs?id=p").await;
        logs.forbidden("requires role admin or backend");
    }
    let logs = broadcaster(&server).get("/v1/e/vote_logs?id=p").await;
    logs.forbidden("requires role admin or backend");
    let anonymous = server.sandbox().get(&vote_path("p")).await;
    assert_eq!(anonymous.status, 401);
    for (role, value) in [("admin", 2), ("backend", 3)] {
        let trusted = server.trusted(role);
        let at = |path: &str| format!("/v1/e/{path}?id=p&channel_id=42");
        trusted
            .post(&at("vote"), &json!({ "value": value }))
            .await
            .ok();
        trusted
            .post(&at("vote_config"), &json!({ "config": { "prompt": role } }))
            .await
            .ok();
        trusted
            .post(&at("vote_modifier"), &json!({ "user": "5", "add": 1 }))
            .await
            .ok();
        assert_eq!(trusted.get(&at("vote_config")).await.ok()["prompt"], role);
        assert_eq!(trusted.get(&at("vote")).await.ok()["vote"], value);
        trusted.delete(&at("vote")).await.ok();
        for path in ["vote", "vote_config", "vote_logs"] {
            let nowhere = trusted.get(&format!("/v1/e/{path}?id=p")).await;
            nowhere.refused(400, "channel_id is required");
        }
    }
}

#[tokio::test]
async fn deleting_what_is_not_there_is_no_error_and_creates_nothing() {
    let server = server().await;
    let owner = broadcaster(&server);
    for _ in 0..2 {
        assert_eq!(owner.delete(&vote_path("p")).await.ok(), json!({}));
    }
    owner
        .get(&config_path("p"))
        .await
        .refused(404, "There is no such poll");
}

#[tokio::test]
async fn a_global_poll_is_the_extensions_and_its_owner_runs_it() {
    let server = server().await;
    for id in ["global", "global-x", "globally"] {
        for (channel, user) in [("42", "1"), ("43", "2")] {
            vote(&in_channel(&server, "viewer", channel, user), id, 1)
                .await
                .ok();
        }
        let page = broadcaster(&server);
        assert_eq!(report(&page, id).await["count"], 2);
        configure(&page, id, json!({})).await.forbidden(NOT_OWNER);
        weigh(&page, id, "1", 1).await.forbidden(NOT_OWNER);
        page.delete(&vote_path(id)).await.forbidden(NOT_OWNER);
        let owner = in_channel(&server, "broadcaster", OWNER, OWNER);
        configure(&owner, id, json!({ "prompt": "All?" }))
            .await
            .ok();
        weigh(&owner, id, "1", 1).await.ok();
        assert_eq!(page.get(&config_path(id)).await.ok()["prompt"], "All?");
        // A trusted role needs to name no channel.
        let backend = server.trusted("backend");
        assert_eq!(report(&backend, id).await["count"], 3);
        backend.delete(&vote_path(id)).await.ok();
        assert_eq!(report(&page, id).await["count"], 0);
    }
    // The owner who looks in as a viewer is one.
    let looking = in_channel(&server, "viewer", "42", OWNER);
    looking
        .delete(&vote_path("global"))
        .await
        .forbidden(NOT_OWNER);
}

#[tokio::test]
async fn other_channels_stages_and_extensions_never_mix() {
    let server = server().await;
    server.register("other-extension", OWNER, &[SECRET]).await;
    let mut platform = claims("viewer", "42");
    platform["user_id"] = json!("1");
    let there = server
        .sandbox()
        .with("other-extension", &sign(&with_stage(&platform), SECRET));
    let pages = [
        viewer(&server, "1"),
        in_channel(&server, "viewer", "43", "1"),
        server.signed(Stage::Production, &platform),
        there,
    ];
    for (value, page) in (1..).zip(&pages) {
        for id in ["p", "global-by-stage"] {
            vote(page, id, value).await;
        }
        assert_eq!(counted(&report(page, "p").await).1, value);
    }
    broadcaster(&server).delete(&vote_path("p")).await.ok();
    for (value, page) in (1..).zip(&pages) {
        let sum = counted(&report(page, "p").await).1;
        assert_eq!(sum, if value == 1 { 0 } else { value });
    }
    // The global one is shared by the channels, not by stages or extensions.
    for (page, sum) in pages.iter().zip([2, 2, 3, 4]) {
        assert_eq!(counted(&report(page, "global-by-stage").await).1, sum);
    }
    let elsewhere = viewer(&server, "1")
        .get("/v1/e/vote?id=p&channel_id=43")
        .await;
    elsewhere.forbidden("wrong channel");
}

fn with_stage(claims: &Value) -> Value {
    let mut claims = claims.clone();
    claims["allowed_stage"] = json!("sandbox");
    claims
}
