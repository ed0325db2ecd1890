//! The five stores of shared state over REST (`spec 3.2`).

use crowdlink_protocol::Stage;
use http::Method;
use serde_json::{Value, json};

use crate::harness::{EXTENSION, Http, OWNER, SECRET, Server, claims, sign};

const DAYS_30_MS: u64 = 30 * 24 * 60 * 60 * 1_000;
const STORES: [&str; 5] = [
    "channel_state",
    "extension_state",
    "viewer_state",
    "extension_viewer_state",
    "extension_hidden_state",
];

fn path(store: &str) -> String {
    format!("/v1/e/{store}")
}

/// GET, POST, PATCH: their status.
async fn statuses(page: &Http, store: &str) -> [u16; 3] {
    let path = path(store);
    let body = json!({ "a": 1 });
    [
        page.get(&path).await.status.as_u16(),
        page.post(&path, &body).await.status.as_u16(),
        page.patch(&path, &json!([{ "op": "add", "path": "/b", "value": 1 }]))
            .await
            .status
            .as_u16(),
    ]
}

#[tokio::test]
async fn each_role_reads_and_writes_what_it_may_and_nothing_else() {
    let server = Server::start().await;
    let owner = server.page("broadcaster", OWNER).await;
    let (yes, read, no) = ([200; 3], [200, 403, 403], [403; 3]);
    // In the order of STORES.
    let table = [
        (
            "viewer",
            server.page("viewer", "42").await,
            [read, read, yes, yes, no],
        ),
        (
            "moderator",
            server.page("moderator", "42").await,
            [read, read, yes, yes, no],
        ),
        (
            "broadcaster",
            server.page("broadcaster", "42").await,
            [yes, read, yes, yes, no],
        ),
        ("owner", owner, [yes, yes, yes, yes, no]),
        ("backend", server.page("backend", "42").await, [yes; 5]),
        ("admin", server.page("admin", "42").await, [yes; 5]),
    ];
    for (role, page, allowed) in table {
        for (store, expected) in STORES.into_iter().zip(allowed) {
            // A map of viewers is what a trusted caller's object would be: an array is not.
            assert_eq!(statuses(&page, store).await, expected, "{role} {store}");
        }
    }
}

#[tokio::test]
async fn a_viewer_with_the_owners_id_is_not_the_owner() {
    let server = Server::start().await;
    let mut viewer = claims("viewer", "42");
    viewer["user_id"] = json!(OWNER);
    viewer["allowed_stage"] = json!("sandbox");
    let page = server.signed(Stage::Sandbox, &viewer);
    page.post("/v1/e/extension_state", &json!({}))
        .await
        .forbidden("requires role admin, or the extension's owner");
}

#[tokio::test]
async fn what_was_never_written_is_an_empty_object() {
    let server = Server::start().await;
    let page = server.page("admin", "42").await;
    for store in STORES {
        assert_eq!(page.get(&path(store)).await.body, "{}", "{store}");
    }
    let all = page.get("/v1/e/all_state").await;
    assert_eq!(
        all.body,
        r#"{"extension":{},"channel":{},"viewer":{},"extension_viewer":{}}"#
    );
}

#[tokio::test]
async fn replace_patch_and_merge_do_as_their_rfcs_say_in_every_store() {
    let server = Server::start().await;
    let page = server.page("admin", "42").await;
    for store in STORES {
        let path = path(store);
        let posted = page.post(&path, &json!({ "a": 1, "list": [1] })).await;
        assert_eq!(posted.ok(), json!({}));
        let ops = json!([
            { "op": "test", "path": "/a", "value": 1.0 },
            { "op": "add", "path": "/list/-", "value": 2 },
            { "op": "copy", "from": "/list", "path": "/copy" },
            { "op": "remove", "path": "/a" },
        ]);
        assert_eq!(page.patch(&path, &ops).await.ok(), json!({}));
        let patched = page.get(&path).await.ok();
        assert_eq!(
            patched,
            json!({ "list": [1, 2], "copy": [1, 2] }),
            "{store}"
        );
        if store != "extension_viewer_state" {
            let merge = json!({ "list": null, "new": { "x": 1, "y": null } });
            page.patch(&path, &merge).await.ok();
            let merged = page.get(&path).await.ok();
            assert_eq!(
                merged,
                json!({ "copy": [1, 2], "new": { "x": 1 } }),
                "{store}"
            );
        }
    }
    let viewer = server.page("viewer", "42").await;
    viewer
        .post(&path(STORES[3]), &json!({ "a": 1, "b": 2 }))
        .await
        .ok();
    viewer
        .patch(&path(STORES[3]), &json!({ "a": null }))
        .await
        .ok();
    assert_eq!(viewer.get(&path(STORES[3])).await.ok(), json!({ "b": 2 }));
}

#[tokio::test]
async fn a_failing_op_is_named_from_0_and_nothing_changes() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    page.post("/v1/e/channel_state", &json!({ "a": 1 }))
        .await
        .ok();
    let ops = json!([
        { "op": "add", "path": "/b", "value": 1 },
        { "op": "remove", "path": "/c" },
    ]);
    page.patch("/v1/e/channel_state", &ops)
        .await
        .refused(400, "op 1: path /c does not exist");
    let deep = json!([{ "op": "add", "path": "/x/y", "value": 1 }]);
    page.patch("/v1/e/channel_state", &deep)
        .await
        .refused(400, "op 0: path /x/y has no parent to add to");
    assert_eq!(
        page.get("/v1/e/channel_state").await.ok(),
        json!({ "a": 1 })
    );
}

#[tokio::test]
async fn a_root_that_is_no_object_is_refused_and_nothing_changes() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    page.post("/v1/e/channel_state", &json!({ "a": 1 }))
        .await
        .ok();
    for body in ["[]", "1", "null", "\"x\"", "\"[]\"", "true", "{", "{} {}"] {
        let answer = page.send(Method::POST, "/v1/e/channel_state", body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["status"].clone()),
            (400, json!(400))
        );
    }
    for body in [
        "1",
        "null",
        "\"x\"",
        "[1]",
        "{",
        "[{\"op\":\"replace\",\"path\":\"\",\"value\":[]}]",
    ] {
        let answer = page.send(Method::PATCH, "/v1/e/channel_state", body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["status"].clone()),
            (400, json!(400))
        );
    }
    assert_eq!(
        page.get("/v1/e/channel_state").await.ok(),
        json!({ "a": 1 })
    );
}

#[tokio::test]
async fn a_body_encoded_twice_is_undone_and_none_at_all_is_an_empty_object() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    let twice = json!(r#"{"a":1}"#).to_string();
    page.send(Method::POST, "/v1/e/channel_state", twice)
        .await
        .ok();
    assert_eq!(
        page.get("/v1/e/channel_state").await.ok(),
        json!({ "a": 1 })
    );
    let twice = json!(r#"[{"op":"add","path":"/b","value":2}]"#).to_string();
    page.send(Method::PATCH, "/v1/e/channel_state", twice)
        .await
        .ok();
    assert_eq!(
        page.get("/v1/e/channel_state").await.ok(),
        json!({ "a": 1, "b": 2 })
    );
    page.send(Method::POST, "/v1/e/channel_state", "")
        .await
        .ok();
    assert_eq!(page.get("/v1/e/channel_state").await.ok(), json!({}));
}

#[tokio::test]
async fn channels_viewers_stages_and_extensions_do_not_see_each_others_state() {
    let server = Server::start().await;
    server.register("other", "901", &[SECRET]).await;
    let admin = server.page("admin", "42").await;
    for store in STORES {
        let ops = json!([{ "op": "add", "path": "/mine", "value": store }]);
        admin.patch(&path(store), &ops).await.ok();
    }
    let mut foreign = claims("admin", "42");
    foreign["user_id"] = json!("77");
    let production = server.signed(Stage::Production, &foreign);
    foreign["allowed_stage"] = json!("sandbox");
    let other = server.sandbox().with("other", &sign(&foreign, SECRET));
    for (who, page) in [("production", production), ("other extension", other)] {
        for store in STORES {
            assert_eq!(
                page.get(&path(store)).await.ok(),
                json!({}),
                "{who} {store}"
            );
        }
    }
    // Another channel has the extension's state and the viewer's of all channels.
    let there = server
        .page("admin", "43")
        .await
        .get("/v1/e/all_state")
        .await
        .ok();
    assert_eq!(
        (&there["channel"], &there["viewer"]),
        (&json!({}), &json!({}))
    );
    assert_eq!(there["extension"]["mine"], "extension_state");
    assert_eq!(there["extension_viewer"]["mine"], "extension_viewer_state");
    foreign["user_id"] = json!("78");
    let somebody = server.sandbox().with(EXTENSION, &sign(&foreign, SECRET));
    let theirs = somebody.get("/v1/e/all_state").await.ok();
    assert_eq!(
        (&theirs["viewer"], &theirs["extension_viewer"]),
        (&json!({}), &json!({}))
    );
    assert_eq!(theirs["channel"]["mine"], "channel_state");
}

#[tokio::test]
async fn only_trusted_callers_act_in_a_channel_that_they_name() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    let named = "/v1/e/channel_state?channel_id=43";
    page.get(named).await.forbidden("wrong channel");
    page.post(named, &json!({ "x": 1 }))
        .await
        .forbidden("wrong channel");
    page.get("/v1/e/all_state?channel_id=43")
        .await
        .forbidden("wrong channel");
    let admin = server.trusted("admin");
    admin.post(named, &json!({ "x": 1 })).await.ok();
    assert_eq!(admin.get(named).await.ok(), json!({ "x": 1 }));
    let backend = server.trusted("backend");
    assert_eq!(
        backend.get("/v1/e/all_state?channel_id=43").await.ok()["channel"],
        json!({ "x": 1 })
    );
    for path in [
        "/v1/e/channel_state",
        "/v1/e/viewer_state",
        "/v1/e/channel_state?channel_id=",
    ] {
        admin.get(path).await.refused(400, "channel_id is required");
    }
    let long = format!("/v1/e/channel_state?channel_id={}", "9".repeat(97));
    admin.get(&long).await.refused(
        400,
        "channel_id must be at most 96 bytes without control characters",
    );
    admin
        .get("/v1/e/channel_state?channel_id=4&channel_id=5")
        .await
        .refused(400, "query must name each parameter once");
    let twice = "/v1/e/extension_viewer_state?user_ids=4&user_ids=5";
    admin
        .get(twice)
        .await
        .refused(400, "query must name each parameter once");
}

#[tokio::test]
async fn state_is_gone_30_days_after_its_last_write_to_the_ms() {
    let server = Server::start().await;
    let mut long = claims("admin", "42");
    long["exp"] = json!(4_000_000_000_i64);
    long["user_id"] = json!("77");
    long["allowed_stage"] = json!("sandbox");
    let page = server.signed(Stage::Sandbox, &long);
    let ops = json!([{ "op": "add", "path": "/a", "value": 1 }]);
    for store in STORES {
        page.patch(&path(store), &ops).await.ok();
    }
    server.advance_ms(DAYS_30_MS - 1);
    let later = json!([{ "op": "add", "path": "/b", "value": 1 }]);
    page.patch(&path("channel_state"), &later).await.ok();
    for store in STORES {
        assert_eq!(page.get(&path(store)).await.ok()["a"], 1, "{store}");
    }
    server.advance_ms(1);
    for store in &STORES[1..] {
        let answer = page.get(&path(store)).await;
        assert_eq!(
            (answer.header("etag"), answer.ok()),
            (Some("\"v0\""), json!({})),
            "{store}"
        );
    }
    server.advance_ms(DAYS_30_MS - 2);
    assert_eq!(
        page.get("/v1/e/channel_state").await.ok(),
        json!({ "a": 1, "b": 1 })
    );
    server.advance_ms(1);
    assert_eq!(page.get("/v1/e/channel_state").await.ok(), json!({}));
    // What has expired can be written again, from nothing.
    page.patch("/v1/e/channel_state", &later).await.ok();
    assert_eq!(
        page.get("/v1/e/channel_state").await.ok(),
        json!({ "b": 1 })
    );
}

async fn viewers(server: &Server, ids: &[&str]) {
    let map: Value = ids
        .iter()
        .map(|id| ((*id).to_owned(), json!({ "id": id })))
        .collect();
    server
        .trusted("admin")
        .patch("/v1/e/extension_viewer_state", &map)
        .await
        .ok();
}

#[tokio::test]
async fn a_trusted_caller_reads_the_states_of_the_viewers_that_exist() {
    let server = Server::start().await;
    viewers(&server, &["1", "U2", "3"]).await;
    for role in ["admin", "backend"] {
        let page = server.trusted(role);
        let some = page
            .get("/v1/e/extension_viewer_state?user_ids=1,U2,nobody,1")
            .await;
        assert_eq!(
            some.ok(),
            json!({ "1": { "id": "1" }, "U2": { "id": "U2" } })
        );
        let none = page.get("/v1/e/extension_viewer_state?user_ids=").await;
        assert_eq!(none.ok(), json!({}));
        let one = page.get("/v1/e/extension_viewer_state?userID=3").await;
        assert!(one.header("etag").is_some());
        assert_eq!(one.ok(), json!({ "id": "3" }));
        let nobody = page.get("/v1/e/extension_viewer_state?userID=nobody").await;
        assert_eq!(nobody.ok(), json!({}));
    }
    let viewer = server.page("viewer", "42").await;
    for query in ["user_ids=1", "userID=1"] {
        let path = format!("/v1/e/extension_viewer_state?{query}");
        viewer
            .get(&path)
            .await
            .forbidden("requires role admin or backend");
    }
}

#[tokio::test]
async fn at_most_1000_viewers_are_named_by_one_call() {
    let server = Server::start().await;
    let ids: Vec<String> = (0..1_001).map(|n| n.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    viewers(&server, &ids[..1_000]).await;
    let admin = server.trusted("admin");
    let ask = |ids: &[&str]| format!("/v1/e/extension_viewer_state?user_ids={}", ids.join(","));
    let found = admin.get(&ask(&ids[..1_000])).await.ok();
    assert_eq!(found.as_object().unwrap().len(), 1_000);
    admin
        .get(&ask(&ids))
        .await
        .refused(400, "user_ids must name at most 1000");
    let map: Value = ids
        .iter()
        .map(|id| ((*id).to_owned(), json!({ "x": 1 })))
        .collect();
    let refused = admin.patch("/v1/e/extension_viewer_state", &map).await;
    refused.refused(400, "the body must name at most 1000");
    let long = format!("/v1/e/extension_viewer_state?userID={}", "9".repeat(97));
    admin.get(&long).await.refused(
        400,
        "user_ids must be at most 96 bytes without control characters",
    );
    let long = json!({ "9".repeat(97): {} });
    let refused = admin.patch("/v1/e/extension_viewer_state", &long).await;
    refused.refused(
        400,
        "an id in the body must be at most 96 bytes without control characters",
    );
}

#[tokio::test]
async fn a_map_of_viewers_is_patched_whole_or_not_at_all() {
    let server = Server::start().await;
    viewers(&server, &["1", "2"]).await;
    let admin = server.trusted("admin");
    let path = "/v1/e/extension_viewer_state";
    let map = json!({
        "1": [{ "op": "add", "path": "/new", "value": 1 }],
        "2": [{ "op": "remove", "path": "/none" }],
    });
    admin
        .patch(path, &map)
        .await
        .refused(400, "2: op 0: path /none does not exist");
    admin
        .patch(path, &json!({ "1": { "new": 1 }, "2": 7 }))
        .await
        .refused(
            400,
            "2: a patch must be an array of operations, or an object to merge",
        );
    let both = "/v1/e/extension_viewer_state?user_ids=1,2";
    assert_eq!(
        admin.get(both).await.ok(),
        json!({ "1": { "id": "1" }, "2": { "id": "2" } })
    );
    let map = json!({
        "1": [{ "op": "add", "path": "/new", "value": 1 }],
        "2": { "id": null, "merged": true },
    });
    admin.patch(path, &map).await.ok();
    let expected = json!({ "1": { "id": "1", "new": 1 }, "2": { "merged": true } });
    assert_eq!(admin.get(both).await.ok(), expected);
    admin.patch(path, &json!({})).await.ok();
    // The viewer finds what was written for them.
    let mut viewer = claims("viewer", "42");
    viewer["user_id"] = json!("2");
    viewer["allowed_stage"] = json!("sandbox");
    let page = server.signed(Stage::Sandbox, &viewer);
    assert_eq!(page.get(path).await.ok(), json!({ "merged": true }));
}

#[tokio::test]
async fn while_the_clock_stands_a_second_reader_costs_no_store_access() {
    let server = Server::start().await;
    let broadcaster = server.page("broadcaster", "42").await;
    broadcaster
        .post("/v1/e/channel_state", &json!({ "a": 1 }))
        .await
        .ok();
    server
        .page("viewer", "42")
        .await
        .get("/v1/e/channel_state")
        .await
        .ok();
    let second = server.page("moderator", "42").await;
    let before = server.store.reads();
    assert_eq!(
        second.get("/v1/e/channel_state").await.ok(),
        json!({ "a": 1 })
    );
    assert_eq!(server.store.reads(), before);
    // What memory holds serves a while, also without a store; then it is not believed any more.
    server.store.set_down(true);
    second.get("/v1/e/channel_state").await.ok();
    server.advance_ms(1_001);
    assert_eq!(second.get("/v1/e/channel_state").await.status, 500);
}
