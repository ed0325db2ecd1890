//! `user_ids`: the users who share identity (`spec 3.1`).

use crowdlink_protocol::Stage;
use serde_json::{Value, json};

use crate::harness::{EXTENSION, Http, SECRET, Server, claims, eventually, sign};

const PATH: &str = "/v1/e/user_ids";

/// A viewer of production who shares identity comes by.
async fn visit(server: &Server, user: &str) {
    let mut claims = claims("viewer", "42");
    claims["user_id"] = json!(user);
    let page = server.signed(Stage::Production, &claims);
    page.get("/v1/e/user_info").await.ok();
}

fn backend(server: &Server) -> Http {
    server.signed(Stage::Production, &claims("backend", "all"))
}

fn ids(page: &Value) -> Vec<String> {
    let results = page["results"].as_array().unwrap();
    let id = |entry: &Value| entry["twitch_id"].as_str().unwrap().to_owned();
    results.iter().map(id).collect()
}

#[tokio::test]
async fn a_backend_lists_those_who_share_identity_each_once() {
    let server = Server::start().await;
    let backend = backend(&server);
    let empty = backend.get(PATH).await.ok();
    assert_eq!(empty, json!({ "next": "0", "results": [] }));
    for user in ["7", "8", "7", "odd/id", "日"] {
        visit(&server, user).await;
    }
    let anonymous = server.signed(Stage::Production, &claims("viewer", "42"));
    anonymous.get("/v1/e/user_info").await.ok();
    eventually("all are noted", || async {
        ids(&backend.get(PATH).await.ok()).len() == 4
    })
    .await;
    let page = backend.get(&format!("{PATH}?cursor=0")).await.ok();
    let mut listed = ids(&page);
    listed.sort();
    assert_eq!(listed, ["7", "8", "odd/id", "日"]);
    assert_eq!(page["next"], "0");
}

#[tokio::test]
async fn other_stages_and_extensions_have_their_own_list() {
    let server = Server::start().await;
    server.register("second", "901", &[SECRET]).await;
    visit(&server, "7").await;
    let here = backend(&server);
    eventually("the user is noted", || async {
        ids(&here.get(PATH).await.ok()) == ["7"]
    })
    .await;
    let sandbox = server.page("backend", "all").await;
    assert!(!ids(&sandbox.get(PATH).await.ok()).contains(&"7".to_owned()));
    let jwt = sign(&claims("backend", "all"), SECRET);
    let second = server.rest(Stage::Production).with("second", &jwt);
    assert_eq!(ids(&second.get(PATH).await.ok()), Vec::<String>::new());
}

#[tokio::test]
async fn a_page_holds_a_thousand_and_the_cursor_leads_on() {
    let server = Server::start().await;
    let store = &server.app.core.world().store;
    let users = |from: usize, to: usize| {
        (from..to).fold(crowdlink_store::Commit::new(), |commit, n| {
            commit.put(format!("production/{EXTENSION}/user/{n:05}"), "{}", None)
        })
    };
    store.commit(users(0, 1_000)).await.unwrap();
    let backend = backend(&server);
    let whole = backend.get(PATH).await.ok();
    assert_eq!((ids(&whole).len(), &whole["next"]), (1_000, &json!("0")));

    store.commit(users(1_000, 2_001)).await.unwrap();
    let mut all = Vec::new();
    let mut cursor = "0".to_owned();
    let mut sizes = Vec::new();
    loop {
        let page = backend.get(&format!("{PATH}?cursor={cursor}")).await.ok();
        sizes.push(ids(&page).len());
        all.extend(ids(&page));
        page["next"].as_str().unwrap().clone_into(&mut cursor);
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(sizes, [1_000, 1_000, 1]);
    all.dedup();
    assert_eq!((all.len(), &*all[2_000]), (2_001, "02000"));
}

#[tokio::test]
async fn a_cursor_that_is_none_is_refused_or_ends_the_list() {
    let server = Server::start().await;
    let backend = backend(&server);
    for cursor in ["x".repeat(3_000), "%2F..%2F".into(), "a&cursor=b".into()] {
        let answer = backend.get(&format!("{PATH}?cursor={cursor}")).await;
        assert!(answer.status == 200 || answer.status == 400, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        answer.json();
    }
}
