//! The list of paired games, and how a broadcaster ends them (`spec 6.1`), over REST.

use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, EXTENSION, Game, Http, START_MS, Server, eventually, refusal};

const PATH: &str = "/v1/e/gamelink/grants";
const UNKNOWN: &str = "No such game is paired with this channel";

async fn grants(page: &Http) -> Vec<Value> {
    page.get(PATH).await.ok()["grants"]
        .as_array()
        .unwrap()
        .clone()
}

/// A game that names itself, paired with a channel.
async fn named_game(server: &Server, channel: &str, game_id: &str) -> (Game, Value) {
    let pin = server.page("broadcaster", channel).await.pin().await;
    let mut game = server.game().await;
    let data = json!({ "pin": pin, "game_id": game_id });
    let answer = game.authenticate(data).await;
    (game, answer["data"].clone())
}

async fn with_jwt(server: &Server, paired: &Value) -> Answer {
    let http = server
        .sandbox()
        .with(EXTENSION, paired["jwt"].as_str().unwrap());
    http.get("/v1/e/user_info").await
}

fn revoked(answer: &Answer) {
    let info = answer.refused(401, "Authorization token is invalid");
    assert_eq!(info, "revoked");
}

#[tokio::test]
async fn a_channel_without_games_has_an_empty_list() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    assert_eq!(page.get(PATH).await.ok(), json!({ "grants": [] }));
}

#[tokio::test]
async fn the_list_tells_of_each_game_since_when_and_whether_it_is_there() {
    let server = Server::start().await;
    let (first, _) = named_game(&server, "42", "My Game").await;
    server.advance_ms(5_000);
    let (_second, _) = named_game(&server, "42", "").await;
    let page = server.page("broadcaster", "42").await;
    let listed = grants(&page).await;
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0]["game_id"], "My Game");
    assert_eq!(listed[0]["paired_at"], START_MS);
    assert_eq!(listed[1]["paired_at"], START_MS + 5_000);
    assert_eq!(listed[0]["connected"], true);
    assert!(listed.iter().all(|grant| grant["id"].is_string()));
    assert_eq!(listed[0].as_object().unwrap().len(), 5);

    server.advance_ms(2_000);
    drop(first);
    eventually("the game is gone, and was seen until then", || async {
        let listed = grants(&page).await;
        listed[0]["connected"] == false && listed[0]["last_seen"] == START_MS + 7_000
    })
    .await;
    assert_eq!(grants(&page).await[1]["connected"], true);
}

#[tokio::test]
async fn one_game_is_ended_and_the_others_stay() {
    let server = Server::start().await;
    let (_a, first) = named_game(&server, "42", "first").await;
    let (_b, second) = named_game(&server, "42", "second").await;
    let page = server.page("broadcaster", "42").await;
    // Both were paired in the same ms: which comes first is chance.
    let all = grants(&page).await;
    let first_of_all = all.iter().find(|grant| grant["game_id"] == "first");
    let id = first_of_all.unwrap()["id"].as_str().unwrap().to_owned();
    with_jwt(&server, &first).await.ok();
    let encoded = id.replace('-', "%2D");
    let answer = page.delete(&format!("{PATH}?id={encoded}")).await;
    assert_eq!(answer.ok(), json!({}));
    revoked(&with_jwt(&server, &first).await);
    with_jwt(&server, &second).await.ok();
    assert_eq!(grants(&page).await.len(), 1);
    let again = page.delete(&format!("{PATH}?id={id}")).await;
    again.refused(404, UNKNOWN);

    let mut reconnected = server.game().await;
    let answer = reconnected
        .authenticate(json!({ "refresh": first["refresh"] }))
        .await;
    assert_eq!(refusal(&answer, 400).1, "Invalid refresh token");
}

#[tokio::test]
async fn a_game_of_another_channel_is_unknown() {
    let server = Server::start().await;
    let (_game, paired) = named_game(&server, "42", "").await;
    let owner = server.page("broadcaster", "42").await;
    let id = grants(&owner).await[0]["id"].as_str().unwrap().to_owned();
    let other = server.page("broadcaster", "43").await;
    assert!(grants(&other).await.is_empty());
    let theirs = other.delete(&format!("{PATH}?id={id}")).await;
    let unknown = other.delete(&format!("{PATH}?id=nothing")).await;
    theirs.refused(404, UNKNOWN);
    assert_eq!(theirs.body, unknown.body);
    other.delete("/v1/e/gamelink/token").await.ok();
    with_jwt(&server, &paired).await.ok();
}

#[tokio::test]
async fn an_id_that_is_none_is_refused() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    page.delete(PATH).await.refused(400, "id is required");
    let long = "x".repeat(3_000);
    for id in ["", "..%2F..", "%00", "%F0%9F%98%80", &long] {
        let answer = page.delete(&format!("{PATH}?id={id}")).await;
        assert!([400, 404].contains(&answer.status.as_u16()), "{answer:?}");
        assert_eq!(answer.json()["status"], answer.status.as_u16());
    }
    let twice = page.delete(&format!("{PATH}?id=a&id=b")).await;
    assert_eq!(twice.status, 400);
    assert_eq!(twice.json()["status"], 400);
}

#[tokio::test]
async fn all_games_and_all_waiting_pins_of_the_channel_end_together() {
    let server = Server::start().await;
    let (_a, first) = named_game(&server, "42", "").await;
    let (_b, second) = named_game(&server, "42", "").await;
    let (_c, other) = named_game(&server, "43", "").await;
    let page = server.page("broadcaster", "42").await;
    let waiting = page.pin().await;
    let answer = page
        .send(Method::DELETE, "/v1/e/gamelink/token", "{}")
        .await;
    assert_eq!(answer.ok(), json!({}));
    revoked(&with_jwt(&server, &first).await);
    revoked(&with_jwt(&server, &second).await);
    with_jwt(&server, &other).await.ok();
    assert!(grants(&page).await.is_empty());
    let late = server
        .game()
        .await
        .authenticate(json!({ "pin": waiting }))
        .await;
    refusal(&late, 400);
}
