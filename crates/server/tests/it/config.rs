//! Configuration over REST (`spec 3.3`, `spec 6.3`).

use crowdlink_protocol::Stage;
use serde_json::{Map, Value, json};

use crate::harness::{OWNER, Server, claims};

#[tokio::test]
async fn channel_config_is_the_broadcasters_and_extension_config_the_owners() {
    let server = Server::start().await;
    for (role, channel, writes) in [
        ("viewer", "42", [false, false]),
        ("moderator", "42", [false, false]),
        ("broadcaster", "42", [true, false]),
        ("broadcaster", OWNER, [true, true]),
        ("backend", "42", [true, true]),
        ("admin", "42", [true, true]),
    ] {
        let page = server.page(role, channel).await;
        for (store, may) in ["channel", "extension"].into_iter().zip(writes) {
            for path in [
                format!("/v1/e/config/{store}"),
                format!("/v1/e/{store}_config"),
            ] {
                page.get(&path).await.ok();
                let expected = if may { 200 } else { 403 };
                let post = page.post(&path, &json!({ "a": 1 })).await;
                assert_eq!(post.status, expected, "{role} POST {path}");
                let patch = page.patch(&path, &json!({ "b": 1 })).await;
                assert_eq!(patch.status, expected, "{role} PATCH {path}");
            }
        }
    }
}

#[tokio::test]
async fn both_configs_are_read_at_once_and_aliases_are_the_same() {
    let server = Server::start().await;
    let page = server.page("admin", "42").await;
    for path in ["/v1/e/config", "/v1/e/all_config"] {
        assert_eq!(
            page.get(path).await.body,
            r#"{"extension":{},"channel":{}}"#
        );
    }
    page.post("/v1/e/channel_config", &json!({ "c": 1 }))
        .await
        .ok();
    page.patch("/v1/e/config/channel", &json!({ "d": 2 }))
        .await
        .ok();
    page.post("/v1/e/extension_config", &json!({ "e": 3 }))
        .await
        .ok();
    let ops = json!([{ "op": "add", "path": "/f", "value": 4 }]);
    page.patch("/v1/e/config/extension", &ops).await.ok();
    let viewer = server.page("viewer", "42").await;
    for path in ["/v1/e/config", "/v1/e/all_config"] {
        let body = viewer.get(path).await.body;
        assert_eq!(
            body,
            r#"{"extension":{"e":3,"f":4},"channel":{"c":1,"d":2}}"#
        );
    }
    let elsewhere = server
        .page("viewer", "43")
        .await
        .get("/v1/e/config")
        .await
        .body;
    assert_eq!(elsewhere, r#"{"extension":{"e":3,"f":4},"channel":{}}"#);
    page.post("/v1/e/channel_config", &json!([]))
        .await
        .refused(400, "the root of the document must be an object");
}

#[tokio::test]
async fn config_never_expires() {
    let server = Server::start().await;
    let mut claims = claims("admin", "42");
    claims["exp"] = json!(40_000_000_000_i64);
    claims["allowed_stage"] = json!("sandbox");
    let page = server.signed(Stage::Sandbox, &claims);
    page.post("/v1/e/config/channel", &json!({ "c": 1 }))
        .await
        .ok();
    page.post("/v1/e/config/extension", &json!({ "e": 1 }))
        .await
        .ok();
    page.post("/v1/e/channel_state", &json!({ "s": 1 }))
        .await
        .ok();
    server.advance_ms(10 * 365 * 24 * 60 * 60 * 1_000);
    assert_eq!(page.get("/v1/e/channel_state").await.body, "{}");
    assert_eq!(
        page.get("/v1/e/config").await.body,
        r#"{"extension":{"e":1},"channel":{"c":1}}"#
    );
}

#[tokio::test]
async fn a_map_of_channels_is_patched_whole_or_not_at_all() {
    let server = Server::start().await;
    for role in ["admin", "backend"] {
        let page = server.trusted(role);
        let map =
            json!({ "1": { "a": role }, "2": [{ "op": "add", "path": "/b", "value": role }] });
        page.patch("/v1/e/config/channel", &map).await.ok();
        let bad = json!({ "1": { "a": "no" }, "2": [{ "op": "remove", "path": "/none" }] });
        let refused = page.patch("/v1/e/channel_config", &bad).await;
        refused.refused(400, "2: op 0: path /none does not exist");
        let one = page.get("/v1/e/config/channel?channel_id=1").await.ok();
        let two = page.get("/v1/e/config/channel?channel_id=2").await.ok();
        assert_eq!((one, two), (json!({ "a": role }), json!({ "b": role })));
    }
}

#[tokio::test]
async fn a_map_has_channel_ids_only_and_comes_from_one_who_names_no_channel() {
    let server = Server::start().await;
    let admin = server.trusted("admin");
    for body in [json!({ "1": {}, "x": {} }), json!({}), json!([])] {
        let refused = admin.patch("/v1/e/config/channel", &body).await;
        refused.refused(400, "channel_id is required");
    }
    let map = json!({ "1": { "a": 1 } });
    admin
        .patch("/v1/e/config/channel?channel_id=7", &map)
        .await
        .ok();
    let seven = admin.get("/v1/e/config/channel?channel_id=7").await.ok();
    assert_eq!(seven, map);
    let page = server.page("broadcaster", "8").await;
    page.patch("/v1/e/config/channel", &map).await.ok();
    assert_eq!(page.get("/v1/e/config/channel").await.ok(), map);
    let one = admin.get("/v1/e/config/channel?channel_id=1").await.ok();
    assert_eq!(one, json!({}));
}

#[tokio::test]
async fn a_map_names_at_most_1000_channels() {
    let server = Server::start().await;
    let admin = server.trusted("admin");
    let map = |count: usize| -> Value {
        let channels: Map<_, _> = (0..count)
            .map(|n| (n.to_string(), json!({ "n": n })))
            .collect();
        Value::Object(channels)
    };
    let refused = admin.patch("/v1/e/config/channel", &map(1_001)).await;
    refused.refused(400, "the body must name at most 1000");
    let nothing = admin.get("/v1/e/config/channel?channel_id=0").await.ok();
    assert_eq!(nothing, json!({}));
    admin.patch("/v1/e/config/channel", &map(1_000)).await.ok();
    let last = admin.get("/v1/e/config/channel?channel_id=999").await.ok();
    assert_eq!(last, json!({ "n": 999 }));
    let long = json!({ "9".repeat(97): {} });
    let refused = admin.patch("/v1/e/config/channel", &long).await;
    refused.refused(
        400,
        "an id in the body must be at most 96 bytes without control characters",
    );
}

#[tokio::test]
async fn a_map_over_documents_that_are_too_large_together_changes_none() {
    let server = Server::start().await;
    let admin = server.trusted("admin");
    let large = json!({ "text": "x".repeat(260_000) });
    let channels = 130;
    for channel in 0..channels {
        let path = format!("/v1/e/config/channel?channel_id={channel}");
        admin.post(&path, &large).await.ok();
    }
    let map: Map<_, _> = (0..channels)
        .map(|n| (n.to_string(), json!({ "n": n })))
        .collect();
    let refused = admin
        .patch("/v1/e/config/channel", &Value::Object(map))
        .await;
    refused.refused(400, "the documents are too large together; name fewer");
    let first = admin.get("/v1/e/config/channel?channel_id=0").await.ok();
    assert_eq!(first, large);
}
