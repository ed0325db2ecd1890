//! `subscribe authentication` and its events (`spec 2.3`).

use crowdlink_store::Faults;
use serde_json::{Value, json};

use crate::harness::{Game, SECRET, START_MS, Server, claims, sign};

const HOUR_MS: u64 = 60 * 60 * 1_000;
/// The resolution of connections' timers.
const TICK_MS: u64 = 250;

/// A server that lets games be silent for as long as a test likes.
async fn patient_server() -> Server {
    Server::start_with(|settings| {
        settings.timeouts.socket_silence_ms_max = u64::MAX / 4;
        settings.timeouts.game_authentication_ms_max = u64::MAX / 4;
    })
    .await
}

async fn subscribe(game: &mut Game) {
    let answer = game.call("subscribe", "authentication", json!({})).await;
    assert_eq!(answer["data"], json!({ "ok": true }));
}

fn assert_event(frame: &Value, timestamp: i64, data: &Value) {
    let meta = json!({
        "request_id": 65_535, "action": "update", "target": "authentication",
        "timestamp": timestamp,
    });
    assert_eq!(*frame, json!({ "meta": meta, "data": data }));
}

/// A broadcaster's token that ends so many seconds after the start.
fn token_for_s(seconds: i64) -> String {
    let mut claims = claims("broadcaster", "42");
    claims["exp"] = json!(START_MS / 1_000 + seconds);
    claims["allowed_stage"] = json!("sandbox");
    sign(&claims, SECRET)
}

#[tokio::test]
async fn a_subscriber_is_told_of_its_revocation_before_it_is_closed() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    let mut before = server.game().await;
    subscribe(&mut before).await;
    before
        .authenticate(json!({ "pin": page.pin().await }))
        .await;
    let (mut after, _) = server.paired_game("42").await;
    subscribe(&mut after).await;
    let (mut silent, _) = server.paired_game("42").await;
    let (mut left, _) = server.paired_game("42").await;
    subscribe(&mut left).await;
    left.call("unsubscribe", "authentication", json!({})).await;
    page.delete("/v1/e/gamelink/token").await.ok();
    for game in [&mut before, &mut after] {
        assert_event(
            &game.frame().await,
            START_MS,
            &json!({ "event": "revoked" }),
        );
        assert_eq!(game.closed().await, Some(1008));
    }
    for game in [&mut silent, &mut left] {
        assert_eq!(game.closed().await, Some(1008));
    }
}

#[tokio::test]
async fn a_subscriber_that_is_not_authenticated_hears_nothing_of_others() {
    let server = Server::start().await;
    let mut stranger = server.game().await;
    subscribe(&mut stranger).await;
    let (mut game, _) = server.paired_game("42").await;
    let page = server.page("broadcaster", "42").await;
    page.delete("/v1/e/gamelink/token").await.ok();
    assert_eq!(game.closed().await, Some(1008));
    stranger.heartbeat().await;
}

#[tokio::test]
async fn a_subscriber_is_told_an_hour_before_its_token_ends_and_closed_at_its_end() {
    let server = patient_server().await;
    let mut game = server.game().await;
    subscribe(&mut game).await;
    let jwt = token_for_s(3 * 3_600);
    assert_eq!(
        game.authenticate(json!({ "jwt": jwt })).await["data"]["twitch_id"],
        "42"
    );
    server.advance_ms(2 * HOUR_MS - TICK_MS);
    game.heartbeat().await;
    server.advance_ms(TICK_MS);
    let expires_at = START_MS + 3 * 3_600_000;
    let event = json!({ "event": "expiring", "expires_at": expires_at });
    assert_event(&game.frame().await, START_MS + 2 * 3_600_000, &event);
    // Clocks may differ by 30 s; until then the token is good.
    server.advance_ms(HOUR_MS + 30_000 - TICK_MS);
    game.heartbeat().await;
    server.advance_ms(TICK_MS);
    assert_eq!(game.closed().await, Some(1008));
}

#[tokio::test]
async fn an_access_token_of_ours_is_announced_after_six_days_and_23_hours() {
    let server = patient_server().await;
    let (mut game, _) = server.paired_game("42").await;
    subscribe(&mut game).await;
    server.advance_ms(167 * HOUR_MS - TICK_MS);
    game.heartbeat().await;
    server.advance_ms(TICK_MS);
    let expires_at = START_MS + 168 * 3_600_000;
    let event = json!({ "event": "expiring", "expires_at": expires_at });
    assert_event(&game.frame().await, expires_at - 3_600_000, &event);
}

#[tokio::test]
async fn who_did_not_subscribe_is_closed_at_the_end_without_a_word() {
    let server = patient_server().await;
    let mut game = server.game().await;
    game.authenticate(json!({ "jwt": token_for_s(2 * 3_600) }))
        .await;
    server.advance_ms(HOUR_MS);
    game.heartbeat().await;
    server.advance_ms(HOUR_MS + 30_000);
    assert_eq!(game.closed().await, Some(1008));
}

#[tokio::test]
async fn a_new_token_in_time_keeps_the_connection_and_is_announced_in_its_turn() {
    let server = patient_server().await;
    let mut game = server.game().await;
    subscribe(&mut game).await;
    game.authenticate(json!({ "jwt": token_for_s(2 * 3_600) }))
        .await;
    server.advance_ms(HOUR_MS);
    assert_eq!(game.frame().await["data"]["event"], "expiring");
    game.authenticate(json!({ "jwt": token_for_s(5 * 3_600) }))
        .await;
    // The end of the old token, and then some.
    server.advance_ms(HOUR_MS + 60_000);
    game.heartbeat().await;
    server.advance_ms(2 * HOUR_MS - 60_000);
    let event = json!({ "event": "expiring", "expires_at": START_MS + 5 * 3_600_000 });
    assert_event(&game.frame().await, START_MS + 4 * 3_600_000, &event);
}

#[tokio::test]
async fn one_extension_that_goes_takes_only_its_own_games_with_it() {
    let server = Server::start().await;
    server.register("doomed", "1", &[SECRET]).await;
    let mut doomed = server
        .game_of(crowdlink_protocol::Stage::Sandbox, "doomed")
        .await;
    let (mut game, _) = server.paired_game("42").await;
    let id = crowdlink_protocol::ClientId::new("doomed").unwrap();
    crowdlink_core::registry::remove(server.app.core.world(), &id)
        .await
        .unwrap();
    server.advance_ms(1_000);
    assert_eq!(doomed.closed().await, Some(1008));
    game.heartbeat().await;
}

#[tokio::test]
async fn who_authenticates_in_the_last_instant_is_neither_closed_nor_told_that_its_token_ends() {
    let server = Server::start_with(|settings| {
        settings.timeouts.socket_silence_ms_max = u64::MAX / 4;
    })
    .await;
    let (_, paired) = server.paired_game("42").await;
    let mut game = server.game().await;
    subscribe(&mut game).await;
    server.advance_ms(10 * 60 * 1_000 - TICK_MS);
    game.heartbeat().await;
    // The store takes its time, so that the ten minutes end while the refresh is under way.
    server.store.set_faults(Faults {
        delay_per_mille: 1_000,
        yields_max: 255,
        ..Faults::default()
    });
    let commits = server.store.commits();
    game.send("authenticate", "", json!({ "refresh": paired["refresh"] }))
        .await;
    while server.store.commits() == commits {
        tokio::task::yield_now().await;
    }
    server.advance_ms(TICK_MS);
    let answer = game.frame().await;
    assert_eq!(answer["data"]["twitch_id"], "42", "{answer}");
    game.heartbeat().await;
    server.advance_ms(TICK_MS);
    game.heartbeat().await;
}
