//! Refresh tokens: rotation, replay, siblings, revocation, expiry, rest (`spec 1.4`, `spec 6.1`).

use crowdlink_core::pairing::PIN_CHARS;
use crowdlink_protocol::Stage;
use crowdlink_store::{Faults, Store};
use serde_json::{Value, json};

use crate::harness::{EXTENSION, OWNER, SECRET, Server, refusal};

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
const YEAR_MS: u64 = 365 * DAY_MS;

/// Refreshes on a connection of its own; gives the answer.
async fn refresh(server: &Server, token: &Value) -> Value {
    let mut game = server.game().await;
    let answer = game.authenticate(json!({ "refresh": token })).await;
    game.close().await;
    answer
}

async fn refreshed(server: &Server, token: &Value) -> Value {
    let answer = refresh(server, token).await;
    assert_eq!(answer["data"]["twitch_id"], "42", "{answer}");
    answer["data"]["refresh"].clone()
}

async fn is_refused(server: &Server, token: &Value) {
    let (title, detail) = refusal(&refresh(server, token).await, 400);
    assert_eq!(
        (&*title, &*detail),
        ("Bad Request", "Invalid refresh token")
    );
}

async fn first_token(server: &Server) -> Value {
    let (game, paired) = server.paired_game("42").await;
    game.close().await;
    paired["refresh"].clone()
}

#[tokio::test]
async fn a_chain_of_refreshes_works_on() {
    let server = Server::start().await;
    let mut token = first_token(&server).await;
    for _ in 0..20 {
        let next = refreshed(&server, &token).await;
        assert_ne!(next, token);
        token = next;
    }
}

#[tokio::test]
async fn a_lost_answer_costs_nothing() {
    let server = Server::start().await;
    let first = first_token(&server).await;
    let second = refreshed(&server, &first).await;
    // The answer to this one never arrives.
    let mut game = server.game().await;
    game.send("authenticate", "", json!({ "refresh": second }))
        .await;
    drop(game);
    let third = refreshed(&server, &second).await;
    refreshed(&server, &third).await;
}

#[tokio::test]
async fn a_game_that_always_uses_its_first_token_is_never_locked_out() {
    let server = Server::start().await;
    let first = first_token(&server).await;
    for _ in 0..100 {
        refreshed(&server, &first).await;
        server.advance_ms(3 * DAY_MS);
    }
}

#[tokio::test]
async fn using_a_successor_retires_its_parent() {
    let server = Server::start().await;
    let first = first_token(&server).await;
    let second = refreshed(&server, &first).await;
    refreshed(&server, &first).await;
    let third = refreshed(&server, &second).await;
    is_refused(&server, &first).await;
    // That was a replay: the family is gone.
    is_refused(&server, &second).await;
    is_refused(&server, &third).await;
}

#[tokio::test]
async fn using_one_sibling_retires_the_other() {
    let server = Server::start().await;
    let first = first_token(&server).await;
    let (left, right) = (
        refreshed(&server, &first).await,
        refreshed(&server, &first).await,
    );
    let child = refreshed(&server, &left).await;
    is_refused(&server, &right).await;
    is_refused(&server, &child).await;
}

#[tokio::test]
async fn an_ancestor_of_any_age_is_a_replay() {
    let server = Server::start().await;
    let first = first_token(&server).await;
    let mut newest = first.clone();
    for _ in 0..6 {
        newest = refreshed(&server, &newest).await;
    }
    is_refused(&server, &first).await;
    is_refused(&server, &newest).await;
}

#[tokio::test]
async fn a_replay_closes_the_familys_sockets_and_kills_its_access_tokens() {
    let server = Server::start().await;
    let (mut game, paired) = server.paired_game("42").await;
    let (mut bystander, other) = server.paired_game("42").await;
    let mut second = server.game().await;
    let answer = second
        .authenticate(json!({ "refresh": paired["refresh"] }))
        .await;
    let tokens = answer["data"].clone();
    let mut third = server.game().await;
    third
        .authenticate(json!({ "refresh": tokens["refresh"] }))
        .await;
    let mut by_jwt = server.game().await;
    by_jwt.authenticate(json!({ "jwt": paired["jwt"] })).await;

    is_refused(&server, &paired["refresh"]).await;

    for game in [&mut game, &mut second, &mut third, &mut by_jwt] {
        assert_eq!(game.closed().await, Some(1008));
    }
    for jwt in [&paired["jwt"], &tokens["jwt"]] {
        let client = server.sandbox().with(EXTENSION, jwt.as_str().unwrap());
        let info = client
            .get("/v1/e/user_info")
            .await
            .refused(401, "Authorization token is invalid");
        assert_eq!(info, "revoked");
        let answer = server
            .game()
            .await
            .authenticate(json!({ "jwt": jwt }))
            .await;
        assert_eq!(refusal(&answer, 400).1, "Invalid token");
    }
    // Another game of the same channel goes on.
    bystander.heartbeat().await;
    let client = server
        .sandbox()
        .with(EXTENSION, other["jwt"].as_str().unwrap());
    client.get("/v1/e/user_info").await.ok();
    refreshed(&server, &other["refresh"]).await;
}

#[tokio::test]
async fn a_connection_that_replays_on_itself_ends_too() {
    let server = Server::start().await;
    let (mut game, paired) = server.paired_game("42").await;
    let second = refreshed(&server, &paired["refresh"]).await;
    refreshed(&server, &second).await;
    game.send("authenticate", "", json!({ "refresh": paired["refresh"] }))
        .await;
    let refused = game.frame().await;
    assert_eq!(refusal(&refused, 400).1, "Invalid refresh token");
    assert_eq!(game.closed().await, Some(1008));
}

#[tokio::test]
async fn a_refresh_token_lives_365_days_to_the_millisecond_from_its_own_issue() {
    let server = Server::start().await;
    let kept = first_token(&server).await;
    let late = first_token(&server).await;
    server.advance_ms(YEAR_MS - 1);
    let newer = refreshed(&server, &kept).await;
    server.advance_ms(1);
    is_refused(&server, &late).await;
    is_refused(&server, &kept).await;
    // Its successor has days of its own.
    server.advance_ms(YEAR_MS - 2);
    refreshed(&server, &newer).await;
    server.advance_ms(1);
    is_refused(&server, &newer).await;
}

#[tokio::test]
async fn an_access_token_lives_seven_days_and_the_tolerated_skew() {
    let server = Server::start().await;
    let (game, paired) = server.paired_game("42").await;
    game.close().await;
    server.advance_ms(7 * DAY_MS + 29_999);
    let answer = server
        .game()
        .await
        .authenticate(json!({ "jwt": paired["jwt"] }))
        .await;
    assert_eq!(answer["data"]["twitch_id"], "42");
    server.advance_ms(1);
    let answer = server
        .game()
        .await
        .authenticate(json!({ "jwt": paired["jwt"] }))
        .await;
    assert_eq!(refusal(&answer, 400).1, "Invalid token");
}

#[tokio::test]
async fn tokens_of_another_stage_extension_or_game_are_invalid_and_unharmed() {
    let server = Server::start().await;
    server.register("other", OWNER, &[SECRET]).await;
    let page = server.page("broadcaster", "42").await;
    let mut game = server.game().await;
    let answer = game
        .authenticate(json!({ "pin": page.pin().await, "game_id": "My Game" }))
        .await;
    let token = &answer["data"]["refresh"];
    for (stage, extension, game_id) in [
        (Stage::Production, EXTENSION, "My Game"),
        (Stage::Sandbox, "other", "My Game"),
        (Stage::Sandbox, EXTENSION, "Another Game"),
    ] {
        let mut game = server.game_of(stage, extension).await;
        let answer = game
            .authenticate(json!({ "refresh": token, "game_id": game_id }))
            .await;
        assert_eq!(refusal(&answer, 400).1, "Invalid refresh token");
    }
    for game_id in [json!("My Game"), json!(null), json!("")] {
        let mut game = server.game().await;
        let answer = game
            .authenticate(json!({ "refresh": token, "game_id": game_id }))
            .await;
        assert_eq!(answer["data"]["twitch_id"], "42");
    }
    game.heartbeat().await;
}

#[tokio::test]
async fn what_was_never_a_refresh_token_is_refused_in_the_same_words() {
    let server = Server::start().await;
    let (_, paired) = server.paired_game("42").await;
    let token = paired["refresh"].as_str().unwrap();
    let mut flipped = token.to_owned();
    let last = if flipped.ends_with('A') { 'B' } else { 'A' };
    flipped.pop();
    flipped.push(last);
    for wrong in [
        "x".to_owned(),
        "x".repeat(4_000),
        paired["jwt"].as_str().unwrap().to_owned(),
        format!("{token} "),
        flipped,
        "\u{0}/../refresh".to_owned(),
    ] {
        is_refused(&server, &json!(wrong)).await;
    }
    refreshed(&server, &paired["refresh"]).await;
}

#[tokio::test]
async fn many_games_that_share_a_token_and_refresh_at_once_all_get_on() {
    let server = Server::start().await;
    let token = first_token(&server).await;
    server.store.set_faults(Faults {
        delay_per_mille: 1_000,
        yields_max: 8,
        ..Faults::default()
    });
    let mut games = Vec::new();
    for _ in 0..8 {
        games.push(server.game().await);
    }
    for _ in 0..10 {
        let all = games
            .iter_mut()
            .map(|game| game.authenticate(json!({ "refresh": token })));
        for answer in futures::future::join_all(all).await {
            assert_eq!(answer["data"]["twitch_id"], "42", "{answer}");
        }
    }
}

#[tokio::test]
async fn no_token_and_no_pin_is_in_the_store_as_text() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    let mut secrets = vec![page.pin().await];
    let asked = server
        .sandbox()
        .post("/v1/e/pin", &json!({ "identifier": EXTENSION }))
        .await
        .ok();
    let (_, paired) = server.paired_game("42").await;
    let successor = refreshed(&server, &paired["refresh"]).await;
    for secret in [
        &asked["pin"],
        &asked["token"],
        &paired["jwt"],
        &paired["refresh"],
        &successor,
    ] {
        secrets.push(secret.as_str().unwrap().to_owned());
    }
    assert_eq!(secrets[0].len(), PIN_CHARS);
    let records = server.store.scan("", None, 1_000).await.unwrap();
    assert!(records.len() > 5);
    for entry in records {
        let text = format!(
            "{} {}",
            entry.key,
            String::from_utf8_lossy(&entry.record.value)
        );
        for secret in &secrets {
            assert!(!text.contains(secret), "{text}");
        }
    }
}
