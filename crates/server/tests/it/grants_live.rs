//! The list of paired games while they come and go, and ending them (`spec 6.1`).

use serde_json::{Value, json};

use crate::harness::{Http, START_MS, Server, eventually, refusal};

async fn grants(page: &Http) -> Vec<Value> {
    let answer = page.get("/v1/e/gamelink/grants").await.ok();
    answer["grants"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_grant_tells_whether_its_game_is_connected_and_when_it_was_last_seen() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    assert_eq!(grants(&page).await, Vec::<Value>::new());
    let mut game = server.game().await;
    let answer = game
        .authenticate(json!({ "pin": page.pin().await, "game_id": "My Game" }))
        .await;
    let grant = grants(&page).await.remove(0);
    let id = grant["id"].as_str().unwrap().to_owned();
    assert_eq!(
        grant,
        json!({ "id": id, "game_id": "My Game", "paired_at": START_MS, "last_seen": START_MS, "connected": true })
    );
    // A second connection of the same family.
    let mut second = server.game().await;
    second
        .authenticate(json!({ "jwt": answer["data"]["jwt"] }))
        .await;
    game.close().await;
    second.heartbeat().await;
    assert_eq!(grants(&page).await[0]["connected"], true);
    server.advance_ms(10_000);
    second.close().await;
    eventually("the game is seen to have gone", || async {
        let grant = grants(&page).await.remove(0);
        (&grant["connected"], &grant["last_seen"]) == (&json!(false), &json!(START_MS + 10_000))
    })
    .await;
    server.advance_ms(10_000);
    let refresh = json!({ "refresh": answer["data"]["refresh"] });
    let mut game = server.game().await;
    game.authenticate(refresh).await;
    let grant = grants(&page).await.remove(0);
    assert_eq!(grant["id"], id);
    assert_eq!(grant["paired_at"], START_MS);
    assert_eq!(
        (&grant["connected"], &grant["last_seen"]),
        (&json!(true), &json!(START_MS + 20_000))
    );
}

#[tokio::test]
async fn ending_one_game_leaves_the_others() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    let (mut one, one_tokens) = server.paired_game("42").await;
    server.advance_ms(1);
    let (mut two, two_tokens) = server.paired_game("42").await;
    let list = grants(&page).await;
    assert_eq!(list.len(), 2);
    assert!(list[0]["paired_at"].as_i64() < list[1]["paired_at"].as_i64());
    let id = list[0]["id"].as_str().unwrap();
    page.delete(&format!("/v1/e/gamelink/grants?id={id}"))
        .await
        .ok();
    assert_eq!(one.closed().await, Some(1008));
    two.heartbeat().await;
    assert_eq!(grants(&page).await.len(), 1);
    let answer = server
        .game()
        .await
        .authenticate(json!({ "refresh": one_tokens["refresh"] }))
        .await;
    assert_eq!(refusal(&answer, 400).1, "Invalid refresh token");
    let answer = server
        .game()
        .await
        .authenticate(json!({ "refresh": two_tokens["refresh"] }))
        .await;
    assert_eq!(answer["data"]["twitch_id"], "42");
    assert_eq!(
        page.delete(&format!("/v1/e/gamelink/grants?id={id}"))
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn another_channel_sees_and_ends_nothing_of_it() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    let (own, other) = (
        server.page("broadcaster", "42").await,
        server.page("broadcaster", "43").await,
    );
    let id = grants(&own).await[0]["id"].as_str().unwrap().to_owned();
    assert!(grants(&other).await.is_empty());
    assert_eq!(
        other
            .delete(&format!("/v1/e/gamelink/grants?id={id}"))
            .await
            .status,
        404
    );
    other.delete("/v1/e/gamelink/token").await.ok();
    for role in ["viewer", "admin"] {
        let page = server.page(role, "42").await;
        assert_eq!(
            page.get("/v1/e/gamelink/grants").await.status,
            403,
            "{role}"
        );
        assert_eq!(
            page.delete("/v1/e/gamelink/token").await.status,
            403,
            "{role}"
        );
    }
    game.heartbeat().await;
    assert_eq!(grants(&own).await.len(), 1);
}

#[tokio::test]
async fn ending_all_games_ends_their_pins_too_and_closes_every_socket() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    let mut games = Vec::new();
    for _ in 0..5 {
        games.push(server.paired_game("42").await);
    }
    let (mut bystander, _) = server.paired_game("43").await;
    let waiting = page.pin().await;
    page.delete("/v1/e/gamelink/token").await.ok();
    for (game, tokens) in &mut games {
        assert_eq!(game.closed().await, Some(1008));
        let answer = server
            .game()
            .await
            .authenticate(json!({ "jwt": tokens["jwt"] }))
            .await;
        assert_eq!(refusal(&answer, 400).1, "Invalid token");
    }
    let answer = server
        .game()
        .await
        .authenticate(json!({ "pin": waiting }))
        .await;
    refusal(&answer, 400);
    assert!(grants(&page).await.is_empty());
    bystander.heartbeat().await;
    // What was ended can begin again.
    server.paired_game("42").await;
    assert_eq!(grants(&page).await.len(), 1);
}
