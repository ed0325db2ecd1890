//! Entity tags of state and configuration (`spec 3.2`, `spec 6.3`).

use http::Method;
use serde_json::json;

use crate::harness::{Answer, Http, Server};

const DOCUMENTS: [&str; 7] = [
    "/v1/e/channel_state",
    "/v1/e/extension_state",
    "/v1/e/viewer_state",
    "/v1/e/extension_viewer_state",
    "/v1/e/extension_hidden_state",
    "/v1/e/config/channel",
    "/v1/e/config/extension",
];

fn tag(answer: &Answer) -> String {
    answer.header("etag").unwrap().to_owned()
}

async fn tag_of(page: &Http, path: &str) -> String {
    tag(&page.get(path).await)
}

#[tokio::test]
async fn every_get_has_a_tag_that_changes_with_the_document() {
    let server = Server::start().await;
    let page = server.page("admin", "42").await;
    for path in DOCUMENTS {
        let never = tag_of(&page, path).await;
        assert_eq!(never, tag_of(&page, path).await);
        page.post(path, &json!({ "a": 1 })).await.ok();
        let written = tag_of(&page, path).await;
        assert_ne!(never, written, "{path}");
        page.patch(path, &json!([{ "op": "add", "path": "/b", "value": 1 }]))
            .await
            .ok();
        assert_ne!(tag_of(&page, path).await, written, "{path}");
        let head = page.send(Method::HEAD, path, "").await;
        assert_eq!(
            (head.status.as_u16(), tag(&head)),
            (200, tag_of(&page, path).await)
        );
        // A refused change is none.
        let before = tag_of(&page, path).await;
        page.patch(path, &json!([{ "op": "remove", "path": "/c" }]))
            .await
            .refused(400, "op 0: path /c does not exist");
        assert_eq!(tag_of(&page, path).await, before);
    }
}

#[tokio::test]
async fn one_who_has_it_already_is_told_so() {
    let server = Server::start().await;
    let page = server.page("admin", "42").await;
    for path in DOCUMENTS
        .into_iter()
        .chain(["/v1/e/all_state", "/v1/e/config"])
    {
        if path.contains("state") || path.contains("config/") {
            let _ = page
                .patch(path, &json!([{ "op": "add", "path": "/a", "value": 1 }]))
                .await;
        }
        let tag = tag_of(&page, path).await;
        for known in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
            let answer = page.header("if-none-match", &known).get(path).await;
            assert_eq!(
                (answer.status.as_u16(), answer.body.len()),
                (304, 0),
                "{path} {known}"
            );
            assert_eq!(answer.header("etag"), Some(&*tag));
        }
        for other in ["\"x\"", "\"v999999\"", ""] {
            page.header("if-none-match", other).get(path).await.ok();
        }
        let malformed = page.header("if-none-match", "v1").get(path).await;
        malformed.refused(400, "if-none-match must be a list of entity tags, or *");
    }
}

#[tokio::test]
async fn the_tag_of_several_documents_changes_with_each_of_them() {
    let server = Server::start().await;
    let page = server.page("admin", "42").await;
    let mut tags = vec![tag_of(&page, "/v1/e/all_state").await];
    for path in &DOCUMENTS[..4] {
        page.post(path, &json!({ "a": 1 })).await.ok();
        tags.push(tag_of(&page, "/v1/e/all_state").await);
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 5);
    let before = tag_of(&page, "/v1/e/config").await;
    page.post("/v1/e/config/channel", &json!({ "a": 1 }))
        .await
        .ok();
    assert_ne!(tag_of(&page, "/v1/e/config").await, before);
}

#[tokio::test]
async fn a_change_of_what_has_changed_meanwhile_is_refused() {
    let server = Server::start().await;
    let page = server.page("admin", "42").await;
    let ops = json!([{ "op": "add", "path": "/patched", "value": 1 }]);
    for path in DOCUMENTS {
        let never = tag_of(&page, path).await;
        let wants = |tag: &str| page.header("if-match", tag);
        wants("*")
            .post(path, &json!({}))
            .await
            .refused(412, "It has changed since it was read");
        wants(&never).post(path, &json!({ "a": 1 })).await.ok();
        let first = tag_of(&page, path).await;
        wants("*").patch(path, &ops).await.ok();
        let second = tag_of(&page, path).await;
        for stale in [
            never,
            first.clone(),
            format!("W/{second}"),
            "\"x\"".into(),
            String::new(),
        ] {
            wants(&stale)
                .patch(path, &ops)
                .await
                .refused(412, "It has changed since it was read");
            wants(&stale)
                .post(path, &json!({}))
                .await
                .refused(412, "It has changed since it was read");
        }
        wants(&format!("{first}, {second}"))
            .post(path, &json!({ "b": 2 }))
            .await
            .ok();
        let malformed = wants("v1").post(path, &json!({})).await;
        malformed.refused(400, "if-match must be a list of entity tags, or *");
        assert_eq!(page.get(path).await.ok(), json!({ "b": 2 }), "{path}");
    }
}

#[tokio::test]
async fn of_many_who_saw_the_same_version_one_writes() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    page.post("/v1/e/channel_state", &json!({ "n": 0 }))
        .await
        .ok();
    let tag = tag_of(&page, "/v1/e/channel_state").await;
    let write = |n: usize| {
        let page = page.header("if-match", &tag);
        async move {
            page.post("/v1/e/channel_state", &json!({ "n": n }))
                .await
                .status
                .as_u16()
        }
    };
    let mut statuses = futures::future::join_all((1..=50).map(write)).await;
    statuses.sort_unstable();
    assert_eq!((statuses[0], statuses[1], statuses[49]), (200, 412, 412));
}
