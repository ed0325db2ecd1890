//! Codes and `kill -9`: none goes to two users, none that was acknowledged is lost, and an upload
//! is there whole or not at all (`spec 3.8`, DESIGN 2).

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use http::Method;
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::task::JoinSet;

use crate::codes::mark;
use crate::harness::Http;
use crate::kill::Program;

const CLIENT_ID: &str = "raffle";
const USERS: usize = 24;
const ROUNDS: usize = 6;
const FAST: [&str; 2] = [
    "--rates-rest-requests-per-s-max=100000",
    "--rates-rest-requests-burst-max=100000",
];

async fn page(server: SocketAddr, role: &str, user: &str) -> Http {
    let body = json!({
        "app_id": CLIENT_ID, "channel_id": "42", "user_id": user, "role": role,
    });
    let answer = Http::new(server).post("/v1/e/authtoken", &body).await.ok();
    Http::new(server).with(CLIENT_ID, answer["token"].as_str().unwrap())
}

fn code(n: usize) -> String {
    format!("code-{n:06}")
}

/// Redeems until the server is gone; the codes it was told of.
async fn storm(page: Http, acknowledged: UnboundedSender<()>) -> Vec<String> {
    let mut codes = Vec::new();
    loop {
        let redeem = page.clone();
        let asked = tokio::spawn(async move {
            redeem
                .post("/v1/e/codes/redeem", &json!({ "prize": 0 }))
                .await
        });
        // The client of the harness panics where the connection breaks.
        let Ok(answer) = asked.await else {
            return codes;
        };
        codes.push(answer.ok()["code"].as_str().unwrap().to_owned());
        // Nobody counts any more once the server was killed.
        let _ = acknowledged.send(());
    }
}

async fn held(server: SocketAddr, user: &str) -> Vec<String> {
    let page = page(server, "viewer", user).await;
    let read = page.get("/v1/e/codes/redeemed").await.ok();
    serde_json::from_value(read["redeemed"][0].clone()).unwrap()
}

#[tokio::test]
async fn through_kill_9_each_code_goes_to_one_user_and_what_was_told_is_held() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::start_with(folder.path(), &FAST);
    let admin = page(program.rest, "admin", "server").await;
    let codes: Vec<String> = (0..50_000).map(code).collect();
    let body = json!({ "codes": [codes], "names": ["n"] });
    admin
        .send(Method::PUT, "/v1/e/codes", body.to_string())
        .await
        .ok();
    let users: Vec<String> = (0..USERS).map(|n| format!("user-{n}")).collect();
    let ids: Vec<&str> = users.iter().map(String::as_str).collect();
    mark(&admin, 0, 10_000, &ids).await;
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for round in 0..ROUNDS {
        let (acknowledged, mut counted) = mpsc::unbounded_channel();
        let mut storming = JoinSet::new();
        for user in &users {
            let page = page(program.rest, "viewer", user).await;
            let (user, acknowledged) = (user.clone(), acknowledged.clone());
            storming.spawn(async move { (user, storm(page, acknowledged).await) });
        }
        drop(acknowledged);
        for _ in 0..50 + round * 37 {
            counted.recv().await.expect("a user failed");
        }
        program.kill_9();
        for (user, codes) in storming.join_all().await {
            told.entry(user).or_default().extend(codes);
        }
        program = Program::start_with(folder.path(), &FAST);
        let mut all = BTreeSet::new();
        for user in &users {
            let held = held(program.rest, user).await;
            for code in &told[user] {
                assert!(held.contains(code), "{user} lost {code}");
            }
            for code in held {
                assert!(all.insert(code), "a code went to two");
            }
        }
        assert_eq!(all, (0..all.len()).map(code).collect(), "without a gap");
    }
}

#[tokio::test]
async fn an_upload_cut_short_by_kill_9_is_not_there_and_may_be_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let codes: Vec<String> = (0..150_000).map(code).collect();
    let body = json!({ "codes": [["A"], codes], "names": ["a", "b"] }).to_string();
    let mut cut_short = 0;
    for round in 0..5_u32 {
        let program = Program::start_with(folder.path(), &FAST);
        let admin = page(program.rest, "admin", "server").await;
        let before: Value = admin.get("/v1/e/codes").await.ok()["names"].clone();
        assert!(
            before == json!([]) || before == json!(["a", "b"]),
            "{before}"
        );
        let (upload, body) = (admin.clone(), body.clone());
        let uploading = tokio::spawn(async move {
            upload.send(Method::PUT, "/v1/e/codes", body).await.ok();
        });
        // As far as the server gets while it answers so many other calls.
        for _ in 0..round * 20 {
            admin.get("/v1/e/codes").await.ok();
        }
        program.kill_9();
        cut_short += u32::from(uploading.await.is_err());
    }
    assert!(cut_short > 0);
    let program = Program::start_with(folder.path(), &FAST);
    let admin = page(program.rest, "admin", "server").await;
    admin.send(Method::PUT, "/v1/e/codes", body).await.ok();
    mark(&admin, 1, 2, &["1"]).await;
    let user = page(program.rest, "viewer", "1").await;
    for n in 0..2 {
        let answer = user
            .post("/v1/e/codes/redeem", &json!({ "prize": 1 }))
            .await;
        assert_eq!(answer.ok()["code"], code(n));
    }
}
