//! The JSON store (`spec 3.4`).

use crowdlink_protocol::Stage;
use http::Method;
use serde_json::json;

use crate::harness::{EXTENSION, OWNER, Server, claims};

const DAYS_14_MS: u64 = 14 * 24 * 60 * 60 * 1_000;
const NOTHING: &str = "There is no value under this id";

fn path(id: &str) -> String {
    format!("/v1/e/json_store?id={id}")
}

#[tokio::test]
async fn the_broadcaster_writes_and_all_read_in_the_channel() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    assert_eq!(
        page.post("/v1/e/json_store", &json!({ "a": 1.0 }))
            .await
            .ok(),
        json!({})
    );
    for path in [path("default"), path(""), "/v1/e/json_store".to_owned()] {
        let viewer = server.page("viewer", "42").await;
        let read = viewer.get(&path).await;
        assert_eq!(
            (read.header("content-type"), &read.body[..]),
            (Some("application/json"), &br#"{"a":1.0}"#[..])
        );
        for role in ["viewer", "moderator"] {
            let refused = server.page(role, "42").await.post(&path, &json!({})).await;
            refused.forbidden("requires role broadcaster");
        }
        server
            .page("viewer", "43")
            .await
            .get(&path)
            .await
            .refused(404, NOTHING);
    }
    let admin = server.trusted("admin");
    admin
        .post("/v1/e/json_store?id=k&channel_id=42", &json!({ "k": 1 }))
        .await
        .ok();
    assert_eq!(page.get(&path("k")).await.ok(), json!({ "k": 1 }));
    admin
        .post(&path("k"), &json!({}))
        .await
        .refused(400, "channel_id is required");
    let there = page
        .post("/v1/e/json_store?id=k&channel_id=43", &json!({}))
        .await;
    there.forbidden("wrong channel");
}

#[tokio::test]
async fn a_key_that_starts_with_global_is_the_extensions() {
    let server = Server::start().await;
    for id in ["global", "global:score", "globally"] {
        let page = server.page("broadcaster", "42").await;
        let refused = page.post(&path(id), &json!({})).await;
        refused.forbidden("requires role admin, or the extension's owner");
        let viewer = server.page("viewer", "43").await;
        viewer.get(&path(id)).await.refused(404, NOTHING);
        let owner = server.page("broadcaster", OWNER).await;
        owner.post(&path(id), &json!({ "by": "owner" })).await.ok();
        assert_eq!(viewer.get(&path(id)).await.ok(), json!({ "by": "owner" }));
        server
            .trusted("backend")
            .post(&path(id), &json!({ "by": "backend" }))
            .await
            .ok();
        assert_eq!(viewer.get(&path(id)).await.ok(), json!({ "by": "backend" }));
        let production = server.production_page("viewer", "42");
        production.get(&path(id)).await.refused(404, NOTHING);
    }
}

#[tokio::test]
async fn a_key_has_1_to_64_characters_of_a_few_kinds() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    for id in ["aZ0_-:", &"k".repeat(64), "%61"] {
        page.post(&path(id), &json!({ "id": id })).await.ok();
        assert_eq!(page.get(&path(id)).await.ok(), json!({ "id": id }));
    }
    assert_eq!(page.get(&path("a")).await.ok(), json!({ "id": "%61" }));
    for id in [&"k".repeat(65), "a.b", "a/b", "a%20b", "%C3%A4", "%00"] {
        let reason = "id must be 1 to 64 letters, digits, `_`, `-` or `:`";
        page.post(&path(id), &json!({})).await.refused(400, reason);
        page.get(&path(id)).await.refused(400, reason);
    }
    let twice = page.get("/v1/e/json_store?id=a&id=b").await;
    twice.refused(400, "query must name each parameter once");
}

#[tokio::test]
async fn a_value_is_an_object_of_at_most_2_kib_minified() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    let sized = |bytes: usize| format!("{{ \"a\" : \"{}\" }}", "x".repeat(bytes - 8));
    page.send(Method::POST, "/v1/e/json_store", sized(2_048))
        .await
        .ok();
    assert_eq!(page.get("/v1/e/json_store").await.body.len(), 2_048);
    let refused = page
        .send(Method::POST, "/v1/e/json_store", sized(2_049))
        .await;
    refused.refused(400, "the document must not be over 2048 bytes");
    for body in ["[]", "1", "null", "\"x\"", "{"] {
        let refused = page.send(Method::POST, "/v1/e/json_store", body).await;
        assert_eq!(refused.status, 400, "{body}");
    }
    assert_eq!(page.get("/v1/e/json_store").await.body.len(), 2_048);
}

#[tokio::test]
async fn a_value_is_kept_14_days_from_its_last_write_to_the_ms() {
    let server = Server::start().await;
    let mut long = claims("broadcaster", "42");
    long["exp"] = json!(4_000_000_000_i64);
    long["allowed_stage"] = json!("sandbox");
    let page = server.signed(Stage::Sandbox, &long);
    page.post("/v1/e/json_store", &json!({ "a": 1 })).await.ok();
    server.advance_ms(1);
    page.post("/v1/e/json_store", &json!({ "a": 2 })).await.ok();
    server.advance_ms(DAYS_14_MS - 1);
    assert_eq!(page.get("/v1/e/json_store").await.ok(), json!({ "a": 2 }));
    server.advance_ms(1);
    page.get("/v1/e/json_store").await.refused(404, NOTHING);
}

#[tokio::test]
async fn the_token_of_a_paired_game_writes() {
    let server = Server::start().await;
    let (_game, answer) = server.paired_game("42").await;
    let game = server
        .sandbox()
        .with(EXTENSION, answer["jwt"].as_str().unwrap());
    game.post(&path("from-game"), &json!({ "a": 1 })).await.ok();
    let viewer = server.page("viewer", "42").await;
    assert_eq!(viewer.get(&path("from-game")).await.ok(), json!({ "a": 1 }));
}
