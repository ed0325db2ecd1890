//! Direction A: the PIN is shown in the extension, typed into the game (`spec 1.3` A).

use http::Method;
use serde_json::json;

use crate::harness::{Server, refusal};

#[tokio::test]
async fn a_game_that_sends_the_pin_is_paired_with_the_channel() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    let answer = page.send(Method::POST, "/v1/e/gamelink/pin", "").await.ok();
    assert_eq!(answer["pin"], answer["token"]);
    let mut game = server.game().await;
    let paired = game
        .authenticate(json!({ "pin": answer["pin"], "game_id": "My Game" }))
        .await;
    let data = &paired["data"];
    assert_eq!(
        (&data["twitch_id"], &data["twitch_name"]),
        (&json!("42"), &json!("42"))
    );
    assert!(
        data["jwt"].is_string() && data["refresh"].is_string(),
        "{paired}"
    );
}

#[tokio::test]
async fn a_pin_works_once() {
    let server = Server::start().await;
    let pin = server.page("broadcaster", "42").await.pin().await;
    server
        .game()
        .await
        .authenticate(json!({ "pin": pin }))
        .await;
    let again = server
        .game()
        .await
        .authenticate(json!({ "pin": pin }))
        .await;
    let (title, detail) = refusal(&again, 400);
    assert_eq!(title, "Bad Request");
    assert_eq!(detail, "The provided PIN is invalid or expired");
}
