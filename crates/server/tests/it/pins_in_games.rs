//! PINs as a player types them into a game (`spec 1.3`, PIN rules; `spec 2.3`).

use crowdlink_server::listen::EdgeName;
use crowdlink_store::Faults;
use serde_json::{Value, json};

use crate::harness::{EXTENSION, Game, OWNER, SECRET, START_MS, Server, refusal, sign};

const WRONG_PIN: &str = "The provided PIN is invalid or expired";

#[tokio::test]
async fn a_pin_of_the_other_direction_is_refused_like_any_wrong_one_and_stays_good() {
    let server = Server::start().await;
    let asked = server
        .sandbox()
        .post("/v1/e/pin", &json!({ "identifier": EXTENSION }))
        .await
        .ok();
    let mut game = server.game().await;
    let mut wrong = game.authenticate(json!({ "pin": "AAAAAA" })).await;
    let mut other = game.authenticate(json!({ "pin": asked["pin"] })).await;
    assert_eq!(refusal(&wrong, 400).1, WRONG_PIN);
    for answer in [&mut wrong, &mut other] {
        answer["meta"]["request_id"] = json!(0);
    }
    assert_eq!(wrong, other);
    let page = server.page("broadcaster", "42").await;
    page.post("/v1/e/validate_pin", &json!({ "pin": asked["pin"] }))
        .await
        .ok();
    // The token it came with now authenticates a socket too, until direction B is revoked.
    let answer = game.authenticate(json!({ "jwt": asked["token"] })).await;
    assert_eq!(answer["data"]["twitch_id"], "42");
    page.delete("/v1/e/pin").await.ok();
    assert_eq!(game.closed().await, Some(1008));
}

#[tokio::test]
async fn a_pending_token_does_not_authenticate() {
    let server = Server::start().await;
    let asked = server
        .sandbox()
        .post("/v1/e/pin", &json!({ "identifier": EXTENSION }))
        .await
        .ok();
    let answer = server
        .game()
        .await
        .authenticate(json!({ "jwt": asked["token"] }))
        .await;
    assert_eq!(refusal(&answer, 400).1, "Invalid token");
}

#[tokio::test]
async fn white_space_around_a_pin_is_trimmed_and_case_is_never_folded() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    let mut pin = page.pin().await;
    while pin.to_lowercase() == pin {
        pin = page.pin().await;
    }
    let mut game = server.game().await;
    for wrong in [
        pin.to_lowercase(),
        format!("{pin}{pin}"),
        pin[..5].to_owned(),
        format!("{} {}", &pin[..3], &pin[3..]),
    ] {
        assert_eq!(
            refusal(&game.authenticate(json!({ "pin": wrong })).await, 400).1,
            WRONG_PIN
        );
    }
    let answer = game
        .authenticate(json!({ "pin": format!(" \t{pin}\r\n\u{a0}") }))
        .await;
    assert_eq!(answer["data"]["twitch_id"], "42");
}

#[tokio::test]
async fn wrong_used_expired_and_foreign_pins_are_refused_alike() {
    let server = Server::start().await;
    server.register("other", OWNER, &[SECRET]).await;
    let page = server.page("broadcaster", "42").await;
    let foreign_token = sign(
        &json!({
            "exp": START_MS / 1_000 + 3_600, "opaque_user_id": "U42",
            "channel_id": "42", "role": "broadcaster", "allowed_stage": "sandbox",
        }),
        SECRET,
    );
    let other_extension = server.sandbox().with("other", &foreign_token).pin().await;
    let other_stage = server.production_page("broadcaster", "42").pin().await;
    let expired = page.pin().await;
    server.advance_ms(299_999);
    let used = page.pin().await;
    let kept = page.pin().await;
    server
        .game()
        .await
        .authenticate(json!({ "pin": used }))
        .await;
    server.advance_ms(1);
    let mut answers: Vec<Value> = Vec::new();
    for (pin, address) in [
        (other_extension, 1),
        (other_stage, 2),
        (expired, 3),
        (used, 4),
        ("AAAAAA".to_owned(), 5),
    ] {
        let source = format!("127.0.1.{address}");
        let edge = server.address(EdgeName::SandboxGamelink);
        let path = format!("/0.0.1/{EXTENSION}");
        let mut game = Game::connect_from(&source, edge, &path).await.unwrap();
        answers.push(game.authenticate(json!({ "pin": pin })).await);
    }
    assert_eq!(
        refusal(&answers[0], 400),
        ("Bad Request".to_owned(), WRONG_PIN.to_owned())
    );
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );
    // In its own world each of them was good; this one still is.
    let answer = server
        .game()
        .await
        .authenticate(json!({ "pin": kept }))
        .await;
    assert_eq!(answer["data"]["twitch_id"], "42");
}

#[tokio::test]
async fn a_pin_is_good_for_five_minutes_to_the_millisecond() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    let (early, late) = (page.pin().await, page.pin().await);
    server.advance_ms(299_999);
    let answer = server
        .game()
        .await
        .authenticate(json!({ "pin": early }))
        .await;
    assert_eq!(answer["data"]["twitch_id"], "42");
    server.advance_ms(1);
    let answer = server
        .game()
        .await
        .authenticate(json!({ "pin": late }))
        .await;
    assert_eq!(refusal(&answer, 400).1, WRONG_PIN);
}

#[tokio::test]
async fn of_many_games_that_type_one_pin_at_once_one_is_paired() {
    let server = Server::start_with(|settings| {
        settings.rates.pin_failures_per_address_per_min_max = 100;
    })
    .await;
    server.store.set_faults(Faults {
        delay_per_mille: 1_000,
        yields_max: 8,
        ..Faults::default()
    });
    for round in 0..10 {
        let channel = format!("{}", 1_000 + round);
        let page = server.page("broadcaster", &channel).await;
        let pin = page.pin().await;
        let mut games = Vec::new();
        for _ in 0..4 {
            games.push(server.game().await);
        }
        let tries = games
            .iter_mut()
            .map(|game| game.authenticate(json!({ "pin": pin })));
        let answers = futures::future::join_all(tries).await;
        let paired = answers
            .iter()
            .filter(|answer| answer.get("data").is_some())
            .count();
        assert_eq!(paired, 1, "{answers:?}");
        let grants = page.get("/v1/e/gamelink/grants").await.ok();
        assert_eq!(grants["grants"].as_array().unwrap().len(), 1);
    }
}
