//! The program as operators use it, beside a running server (`spec 6.1`).

use std::path::Path;

use http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::program::{Process, done, failed};
use crate::harness::{Answer, Http, eventually, payload, sign};

const INFO: &str = "/v1/e/user_info";

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Claims of a viewer, valid long after anybody reads this.
fn viewer() -> Value {
    json!({
        "exp": 4_000_000_000_u32, "opaque_user_id": "U77", "channel_id": "42", "role": "viewer",
    })
}

/// The word after the first word of the line that starts with it.
fn told(text: &str, name: &str) -> String {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(name));
    let rest = lines.next().unwrap_or_else(|| panic!("no {name}: {text}"));
    rest.split_whitespace().next().unwrap().to_owned()
}

/// Registers an extension; its secret.
fn add(data: &Path, client_id: &str) -> String {
    let words = [
        "extension",
        "add",
        "--client-id",
        client_id,
        "--owner",
        "900",
    ];
    told(&done(data, &words), "secret ")
}

async fn info(http: &Http) -> Answer {
    http.get(INFO).await
}

async fn becomes(what: &str, http: &Http, status: u16) {
    eventually(what, || async { info(http).await.status == status }).await;
}

fn mint(data: &Path, more: &[&str]) -> String {
    let mut words = vec!["token", "mint", "--client-id", "mine", "--stage", "sandbox"];
    words.extend(more);
    done(data, &words).trim().to_owned()
}

#[tokio::test]
async fn a_server_on_an_empty_folder_gets_ready_and_ends_with_0() {
    let data = folder();
    let mut server = Process::start(data.path(), &["serve"]);
    assert_eq!(server.hello, "", "nothing comes before the ready line");
    let names: Vec<_> = server
        .ready
        .split_whitespace()
        .map(|word| word.split('=').next().unwrap())
        .collect();
    let all = [
        "ready",
        "sandbox-rest",
        "sandbox-gamelink",
        "production-rest",
        "production-gamelink",
        "ops",
    ];
    assert_eq!(names, all);
    assert!(server.ready.contains(" production-gamelink=off "));
    assert_eq!(server.http("ops").get("/readyz").await.status, 200);
    assert_eq!(info(&server.http("sandbox-rest")).await.status, 401);
    server.terminate();
    assert_eq!(server.ended().code(), Some(0));
}

#[tokio::test]
async fn a_development_server_shows_first_steps_that_work() {
    let data = folder();
    let server = Process::start(data.path(), &[]);
    let demo = "crowdlink-demo";
    assert_eq!(server.hello, "", "machines read standard output");
    eventually("people are told what to try", async || {
        let told = std::fs::read_to_string(data.path().join("log")).unwrap();
        told.contains("curl") && told.contains(demo)
    })
    .await;
    let rest = server.http("sandbox-rest");
    for id in [demo, "whatever"] {
        let body = json!({ "app_id": id, "channel_id": "12345678", "role": "broadcaster" });
        let made = rest.post("/v1/e/authtoken", &body).await.ok();
        rest.with(id, made["token"].as_str().unwrap()).pin().await;
    }
}

#[tokio::test]
async fn extensions_come_change_and_go_beside_a_running_server() {
    let data = folder();
    let data = data.path();
    let server = Process::start(data, &["serve"]);
    let secret = add(data, "mine");
    let page = |secret: &str| {
        let rest = server.http("production-rest");
        rest.with("mine", &sign(&viewer(), secret))
    };
    let first = page(&secret);
    becomes("the new extension is known", &first, 200).await;
    let twice = failed(
        data,
        &["extension", "add", "--client-id", "mine", "--owner", "1"],
    );
    assert!(twice.contains("registered already"), "{twice}");

    let named = [
        "extension",
        "update",
        "--client-id",
        "mine",
        "--name",
        "My Game",
    ];
    done(data, &named);
    let list = done(data, &["extension", "list"]);
    assert!(list.contains("mine") && list.contains("My Game") && list.contains("900"));
    assert!(!list.contains(&secret), "secrets are not listed");

    let rotate = ["extension", "rotate-secret", "--client-id", "mine"];
    let second = page(&told(&done(data, &rotate), "secret "));
    becomes("the second secret is known", &second, 200).await;
    info(&first).await.ok();
    let words = [&rotate[..], &["--retire-old-after", "0s"]].concat();
    let third = page(&told(&done(data, &words), "secret "));
    becomes("the third secret is known", &third, 200).await;
    for old in [&first, &second] {
        let info = info(old).await;
        assert_eq!(
            info.refused(401, "Authorization token is invalid"),
            "signature"
        );
    }

    let sandbox = server
        .http("sandbox-rest")
        .with("mine", &sign(&viewer(), &secret));
    assert_eq!(info(&sandbox).await.status, 401);
    done(data, &["extension", "remove", "--client-id", "mine"]);
    becomes("the extension is gone", &third, 401).await;
    info(&third)
        .await
        .refused(401, "Extension is not registered");
    let gone = failed(data, &["extension", "remove", "--client-id", "mine"]);
    assert!(gone.contains("No such extension found"), "{gone}");
}

#[tokio::test]
async fn secrets_of_the_platform_are_given_and_the_switch_is_set_by_command() {
    let data = folder();
    let data = data.path();
    let server = Process::start(data, &["serve"]);
    let secrets = [
        "Zmlyc3Qgc2VjcmV0LCBsb25nIGVub3VnaA==",
        "c2Vjb25kIHNlY3JldCwgbG9uZyBlbm91Z2g=",
    ];
    let words = ["extension", "add", "--client-id", "mine", "--owner", "900"];
    let given = ["--secret", secrets[0], "--secret", secrets[1]];
    let printed = done(data, &[&words[..], &given[..]].concat());
    assert!(!printed.contains("secret"), "{printed}");
    let sandbox = secrets.map(|secret| {
        let jwt = sign(&viewer(), secret);
        server.http("sandbox-rest").with("mine", &jwt)
    });
    for page in &sandbox {
        becomes("the secret is known", page, 403).await;
    }
    let switch = ["--sandbox-takes-platform-tokens", "true"];
    let update = ["extension", "update", "--client-id", "mine"];
    done(data, &[&update[..], &switch[..]].concat());
    for page in &sandbox {
        becomes("the switch is on", page, 200).await;
    }
    let short = [
        &words[..2],
        &["--client-id", "b", "--owner", "1", "--secret", "c2hvcnQ="],
    ]
    .concat();
    let refusal = failed(data, &short);
    assert!(
        refusal.contains("--secret") && !refusal.contains("c2hvcnQ="),
        "{refusal}"
    );
}

#[tokio::test]
async fn tokens_are_minted_and_revoked_beside_a_running_server() {
    let data = folder();
    let data = data.path();
    let server = Process::start(data, &["serve"]);
    add(data, "mine");
    let rest = server.http("sandbox-rest");
    let page = |jwt: &str| rest.with("mine", jwt);
    let first = mint(data, &["--role", "broadcaster", "--channel", "42"]);
    let second = mint(data, &["--role", "backend", "--lifetime", "1h"]);
    becomes("the extension is known", &page(&first), 200).await;
    assert_eq!(info(&page(&first)).await.ok()["user_id"], "42");
    assert_eq!(info(&page(&second)).await.ok()["role"], "backend");
    let claims = payload(&second);
    let lives_s = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert_eq!(lives_s, 3_600);

    let revoke = [
        "token",
        "revoke",
        "--client-id",
        "mine",
        "--stage",
        "sandbox",
    ];
    done(data, &[&revoke[..], &["--token", &first]].concat());
    becomes("the token is revoked", &page(&first), 401).await;
    info(&page(&second)).await.ok();
    let jti = claims["jti"].as_str().unwrap();
    done(data, &[&revoke[..], &["--token", jti]].concat());
    becomes("the other is revoked by its id", &page(&second), 401).await;

    let third = mint(
        data,
        &["--role", "viewer", "--channel", "42", "--user", "7"],
    );
    done(data, &["token", "rotate-key"]);
    let fourth = mint(
        data,
        &["--role", "viewer", "--channel", "42", "--user", "8"],
    );
    becomes("the new key is known", &page(&fourth), 200).await;
    info(&page(&third)).await.ok();

    let words = [
        "token",
        "mint",
        "--client-id",
        "mine",
        "--stage",
        "sandbox",
        "--role",
    ];
    let lacking = failed(data, &[&words[..], &["viewer"]].concat());
    assert!(lacking.contains("channel"), "{lacking}");
    let long = [&words[..], &["admin", "--lifetime", "8d"]].concat();
    assert!(failed(data, &long).contains("lifetime"));
    let nobody = [
        "token",
        "mint",
        "--client-id",
        "nobody",
        "--stage",
        "sandbox",
        "--role",
        "admin",
    ];
    assert!(failed(data, &nobody).contains("No such extension found"));
}

#[tokio::test]
async fn everything_a_channel_granted_is_revoked_by_command() {
    let data = folder();
    let data = data.path();
    let server = Process::start(data, &["serve"]);
    add(data, "mine");
    let rest = server.http("sandbox-rest");
    let page = rest.with(
        "mine",
        &mint(data, &["--role", "broadcaster", "--channel", "42"]),
    );
    becomes("the extension is known", &page, 200).await;
    let made = rest
        .post("/v1/e/pin", &json!({ "identifier": "mine" }))
        .await
        .ok();
    let pin = json!({ "pin": made["pin"] });
    page.post("/v1/e/validate_pin", &pin).await.ok();
    let game = rest.with("mine", made["token"].as_str().unwrap());
    info(&game).await.ok();
    let words = [
        "token",
        "revoke",
        "--client-id",
        "mine",
        "--stage",
        "sandbox",
        "--channel",
        "42",
    ];
    done(data, &words);
    becomes("the game's token is revoked", &game, 401).await;
    info(&page).await.ok();
}

#[tokio::test]
async fn a_backup_taken_from_a_running_server_brings_everything_back() {
    let data = folder();
    let copies = folder();
    let data = data.path();
    let mut server = Process::start(data, &["serve"]);
    let secret = add(data, "mine");
    let jwt = mint(data, &["--role", "broadcaster", "--channel", "42"]);
    let rest = server.http("sandbox-rest");
    becomes("the extension is known", &rest.with("mine", &jwt), 200).await;
    let file = copies.path().join("copy.db");
    let file = file.to_str().unwrap();
    done(data, &["backup", file]);
    assert!(
        failed(data, &["backup", file]).contains(file),
        "a copy is never overwritten"
    );
    add(data, "later");
    let running = failed(data, &["restore", file, "--replace"]);
    assert!(!running.is_empty());
    server.terminate();
    assert_eq!(server.ended().code(), Some(0));

    failed(data, &["restore", file]);
    assert!(done(data, &["extension", "list"]).contains("later"));
    done(data, &["restore", file, "--replace"]);
    let list = done(data, &["extension", "list"]);
    assert!(list.contains("mine") && !list.contains("later"), "{list}");

    let server = Process::start(data, &["serve"]);
    info(&server.http("sandbox-rest").with("mine", &jwt))
        .await
        .ok();
    let platform = sign(&viewer(), &secret);
    info(&server.http("production-rest").with("mine", &platform))
        .await
        .ok();
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let data = folder();
    let data = data.path();
    let server = Process::start(data, &["serve"]);
    add(data, "mine");
    let rest = server.http("sandbox-rest");
    let jwt = mint(data, &["--role", "broadcaster", "--channel", "42"]);
    becomes("the extension is known", &rest.with("mine", &jwt), 200).await;
    let made = rest
        .post("/v1/e/pin", &json!({ "identifier": "mine" }))
        .await
        .ok();
    drop(server);
    let server = Process::start(data, &["serve"]);
    let rest = server.http("sandbox-rest");
    let pin = json!({ "pin": made["pin"] });
    rest.with("mine", &jwt)
        .post("/v1/e/validate_pin", &pin)
        .await
        .ok();
    info(&rest.with("mine", made["token"].as_str().unwrap()))
        .await
        .ok();
}

#[tokio::test]
async fn no_secret_token_or_pin_is_ever_logged() {
    let data = folder();
    let data = data.path();
    let mut server = Process::start(data, &["serve", "--log-level", "trace"]);
    let secret = add(data, "mine");
    let jwt = mint(data, &["--role", "broadcaster", "--channel", "42"]);
    let rest = server.http("sandbox-rest");
    let page = rest.with("mine", &jwt);
    becomes("the extension is known", &page, 200).await;
    let made = rest
        .post("/v1/e/pin", &json!({ "identifier": "mine" }))
        .await
        .ok();
    let pin = json!({ "pin": made["pin"] });
    page.post("/v1/e/validate_pin", &pin).await.ok();
    page.post("/v1/e/validate_pin", &pin).await;
    let other = page.pin().await;
    page.get(&format!("{INFO}?token={jwt}&pin={other}")).await;
    page.send(Method::POST, "/v1/e/token", jwt.clone()).await;
    server.terminate();
    assert_eq!(server.ended().code(), Some(0));
    let log = std::fs::read_to_string(data.join("log")).unwrap();
    assert!(log.contains("/v1/e/validate_pin"), "it does log: {log}");
    let signature = |jwt: &str| jwt.rsplit('.').next().unwrap().to_owned();
    let token = made["token"].as_str().unwrap();
    for hidden in [
        secret,
        signature(&jwt),
        signature(token),
        made["pin"].as_str().unwrap().to_owned(),
        other,
    ] {
        assert!(!log.contains(&hidden), "{hidden} was logged");
    }
}
