//! Events about shared documents to viewers (`spec 4.1`, `spec 4.3`).

use serde_json::{Value, json};

use crate::harness::{Http, OWNER, Server, Viewer, eventually};

/// Path of a document, name of its event, whether it goes to all.
const DOCUMENTS: [(&str, &str, bool); 4] = [
    ("/v1/e/channel_state", "channel_state_update", false),
    ("/v1/e/extension_state", "extension_state_update", true),
    ("/v1/e/config/channel", "channel_config_update", false),
    ("/v1/e/config/extension", "extension_config_update", true),
];

async fn put(page: &Http, path: &str, n: u64) {
    page.post(path, &json!({ "n": n })).await.ok();
}

/// A write to the JSON store is told at once, behind what was told before: nothing else comes.
async fn nothing_but_a_mark(page: &Http, viewer: &mut Viewer, all: bool, n: u64) {
    let id = if all { "global-mark" } else { "mark" };
    put(page, &format!("/v1/e/json_store?id={id}"), n).await;
    let expected = json!({ "id": id, "value": { "n": n } });
    assert_eq!(
        viewer.event().await,
        (format!("json_store_update:{id}"), expected)
    );
}

#[tokio::test]
async fn viewers_hear_of_each_document_at_most_every_500_ms_and_of_the_last_change_always() {
    for (path, name, all) in DOCUMENTS {
        let server = Server::start().await;
        let page = server.page("admin", "42").await;
        let mut viewer = Viewer::of(&server, (!all).then_some("42")).await;
        put(&page, path, 1).await;
        assert_eq!(viewer.event().await, (name.to_owned(), json!({ "n": 1 })));
        for n in 2..5 {
            put(&page, path, n).await;
        }
        nothing_but_a_mark(&page, &mut viewer, all, 1).await;
        server.advance_ms(499);
        nothing_but_a_mark(&page, &mut viewer, all, 2).await;
        server.advance_ms(1);
        assert_eq!(viewer.event().await, (name.to_owned(), json!({ "n": 4 })));
        // No change, no event.
        server.advance_ms(500);
        nothing_but_a_mark(&page, &mut viewer, all, 3).await;
        put(&page, path, 5).await;
        assert_eq!(viewer.event().await, (name.to_owned(), json!({ "n": 5 })));
    }
}

#[tokio::test]
async fn what_games_write_is_told_and_what_is_private_is_not() {
    let server = Server::start().await;
    let mut viewer = Viewer::of(&server, Some("42")).await;
    let mut all = Viewer::of(&server, None).await;
    let (mut game, _) = server.paired_game("42").await;
    let page = server.page("admin", "42").await;
    for path in [
        "viewer_state",
        "extension_viewer_state",
        "extension_hidden_state",
    ] {
        put(&page, &format!("/v1/e/{path}"), 1).await;
    }
    put(
        &server.page("broadcaster", "43").await,
        "/v1/e/channel_state",
        43,
    )
    .await;
    game.call("set", "channel", json!({ "state": { "by": "game" } }))
        .await;
    let told = viewer.event().await;
    assert_eq!(
        told,
        ("channel_state_update".to_owned(), json!({ "by": "game" }))
    );
    nothing_but_a_mark(&page, &mut all, true, 1).await;
}

#[tokio::test]
async fn viewers_hear_of_each_write_to_the_json_store() {
    let server = Server::start().await;
    let mut viewer = Viewer::of(&server, Some("42")).await;
    let mut all = Viewer::of(&server, None).await;
    let page = server.page("broadcaster", "42").await;
    let owner = server.page("broadcaster", OWNER).await;
    for n in [1, 1, 2] {
        nothing_but_a_mark(&page, &mut viewer, false, n).await;
        nothing_but_a_mark(&owner, &mut all, true, n).await;
    }
    page.post("/v1/e/json_store?id=mark", &json!([])).await;
    put(
        &server.page("broadcaster", "43").await,
        "/v1/e/json_store?id=mark",
        43,
    )
    .await;
    nothing_but_a_mark(&page, &mut viewer, false, 9).await;
}

#[tokio::test]
async fn a_map_of_channels_is_told_in_each_of_them() {
    let server = Server::start().await;
    let mut one = Viewer::of(&server, Some("1")).await;
    let mut two = Viewer::of(&server, Some("2")).await;
    let map = json!({ "1": { "a": 1 }, "2": { "b": 2 } });
    server
        .trusted("admin")
        .patch("/v1/e/config/channel", &map)
        .await
        .ok();
    let name = "channel_config_update".to_owned();
    assert_eq!(one.event().await, (name.clone(), json!({ "a": 1 })));
    assert_eq!(two.event().await, (name, json!({ "b": 2 })));
}

#[tokio::test]
async fn what_could_not_be_read_is_told_once_the_store_is_back() {
    let server = Server::start().await;
    let page = server.page("admin", "42").await;
    let mut viewer = Viewer::of(&server, Some("42")).await;
    put(&page, "/v1/e/channel_state", 1).await;
    viewer.event().await;
    put(&page, "/v1/e/channel_state", 2).await;
    let reads = server.store.reads();
    server.store.set_down(true);
    // Memory is not believed any more when the pause is over.
    server.advance_ms(1_500);
    eventually("the document was asked for", || async {
        server.store.reads() > reads
    })
    .await;
    server.store.set_down(false);
    let mut told = None;
    let hears = async { told = Some(viewer.event().await) };
    let time = async {
        loop {
            server.advance_ms(50);
            tokio::task::yield_now().await;
        }
    };
    tokio::select! { () = hears => {}, () = time => {} }
    let expected: (String, Value) = ("channel_state_update".to_owned(), json!({ "n": 2 }));
    assert_eq!(told, Some(expected));
}
