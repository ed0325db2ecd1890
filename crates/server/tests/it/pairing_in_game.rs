//! Direction B: the PIN is shown in the game, typed into the extension (`spec 1.3` B, `spec 6.1`).

use std::collections::HashSet;

use crowdlink_core::pairing::{PIN_ALPHABET, PIN_CHARS};
use crowdlink_protocol::Stage;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Answer, EXTENSION, Http, SECRET, START_MS, Server, payload};

const PIN_INVALID: &str = "The provided PIN is invalid or expired";
const TOKEN_INVALID: &str = "Authorization token is invalid";
const PIN_MS: u64 = 5 * 60_000;

/// A game that has asked for a PIN: the PIN, and the game's own client.
async fn game(server: &Server) -> (String, Http) {
    let body = json!({ "identifier": EXTENSION });
    let made = server.sandbox().post("/v1/e/pin", &body).await.ok();
    let token = made["token"].as_str().unwrap();
    let pin = made["pin"].as_str().unwrap().to_owned();
    (pin, server.sandbox().with(EXTENSION, token))
}

async fn validate(page: &Http, pin: &str) -> Answer {
    page.post("/v1/e/validate_pin", &json!({ "pin": pin }))
        .await
}

async fn check(server: &Server, body: Value) -> Answer {
    let path = "/v1/e/unauthed/validate_pin";
    server.sandbox().post(path, &body).await
}

async fn exists(page: &Http) -> bool {
    let answer = page.get("/v1/e/pin_token_exists").await.ok();
    answer["exists"].as_bool().unwrap()
}

async fn fault(game: &Http) -> String {
    let answer = game.get("/v1/e/user_info").await;
    answer.refused(401, TOKEN_INVALID)
}

/// A game paired with a channel.
async fn paired(server: &Server, channel: &str) -> Http {
    let (pin, game) = game(server).await;
    let page = server.page("broadcaster", channel).await;
    assert_eq!(validate(&page, &pin).await.ok(), json!({}));
    game
}

#[tokio::test]
async fn the_games_token_waits_for_the_broadcaster_and_then_acts_for_the_channel() {
    let server = Server::start().await;
    let (pin, game) = game(&server).await;
    for path in [
        "user_info",
        "pin_token_exists",
        "gamelink/grants",
        "user_ids",
    ] {
        let answer = game.get(&format!("/v1/e/{path}")).await;
        assert_eq!(answer.refused(401, TOKEN_INVALID), "pending", "{path}");
    }
    let page = server.page("broadcaster", "42").await;
    assert!(!exists(&page).await);
    assert_eq!(validate(&page, &pin).await.ok(), json!({}));
    let info = game.get("/v1/e/user_info").await.ok();
    for (name, value) in [
        ("channel_id", "42"),
        ("user_id", "42"),
        ("opaque_user_id", "U42"),
        ("role", "broadcaster"),
    ] {
        assert_eq!(info[name], value, "{name}");
    }
    assert_eq!(info["expires_at"], START_MS + 7 * 24 * 3_600_000);
    assert!(exists(&page).await && exists(&game).await);
    game.pin().await;
}

#[tokio::test]
async fn the_pending_token_is_a_broadcasters_with_a_grant_and_no_channel() {
    let server = Server::start().await;
    for path in ["/v1/e/pin", "/v1/e/unauthed/pin"] {
        let body = json!({ "identifier": EXTENSION });
        let made = server.sandbox().post(path, &body).await.ok();
        let claims = payload(made["token"].as_str().unwrap());
        assert_eq!(claims["role"], "broadcaster");
        assert_eq!(claims["allowed_stage"], "sandbox");
        assert_eq!(claims["app_id"], EXTENSION);
        assert!(claims["grant"].is_string() && claims["jti"].is_string());
        assert_eq!(claims.get("channel_id"), None);
        let made = server.rest(Stage::Production).post(path, &body).await.ok();
        let claims = payload(made["token"].as_str().unwrap());
        assert_eq!(claims.get("allowed_stage"), None);
    }
}

#[tokio::test]
async fn pins_are_six_characters_that_nobody_confuses_and_differ() {
    let server = Server::start().await;
    let mut seen = HashSet::new();
    for _ in 0..30 {
        server.advance_ms(6_000);
        let (pin, _) = game(&server).await;
        assert_eq!(pin.len(), PIN_CHARS);
        assert!(pin.bytes().all(|c| PIN_ALPHABET.contains(&c)), "{pin}");
        assert!(seen.insert(pin));
    }
}

#[tokio::test]
async fn only_a_registered_extension_gets_pins() {
    let server = Server::start().await;
    let open = server.sandbox();
    for path in ["/v1/e/pin", "/v1/e/unauthed/pin"] {
        for id in ["nobody", "a b", &"x".repeat(101)] {
            let answer = open.post(path, &json!({ "identifier": id })).await;
            answer.refused(400, "No such extension found");
        }
        for body in [
            json!({}),
            json!({ "identifier": "" }),
            json!({ "identifier": null }),
        ] {
            let answer = open.post(path, &body).await;
            answer.refused(400, "identifier is required");
        }
        let answer = open.post(path, &json!({ "identifier": 7 })).await;
        answer.refused(400, "identifier must be a string");
        let answer = open.post(path, &json!([EXTENSION])).await;
        answer.refused(400, "body must be a JSON object");
    }
}

#[tokio::test]
async fn a_pin_lives_exactly_five_minutes() {
    let server = Server::start().await;
    let (first, kept) = game(&server).await;
    let (second, lost) = game(&server).await;
    let page = server.page("broadcaster", "42").await;
    server.advance_ms(PIN_MS - 1);
    validate(&page, &first).await.ok();
    assert_eq!(fault(&lost).await, "pending");
    server.advance_ms(1);
    validate(&page, &second).await.refused(400, PIN_INVALID);
    // A pending token is dead for ever with its PIN.
    assert_eq!(fault(&lost).await, "expired");
    kept.get("/v1/e/user_info").await.ok();
    server.advance_ms(24 * 3_600_000);
    assert_eq!(fault(&lost).await, "expired");
}

#[tokio::test]
async fn a_paired_token_lives_seven_days() {
    let server = Server::start().await;
    let (pin, game) = game(&server).await;
    server.advance_ms(PIN_MS - 1);
    let page = server.page("broadcaster", "42").await;
    validate(&page, &pin).await.ok();
    server.advance_ms(7 * 24 * 3_600_000 + 30_000 - PIN_MS);
    game.get("/v1/e/user_info").await.ok();
    server.advance_ms(1);
    assert_eq!(fault(&game).await, "expired");
    assert!(!exists(&server.page("broadcaster", "42").await).await);
}

#[tokio::test]
async fn wrong_used_expired_and_foreign_pins_read_the_same() {
    let server = Server::start().await;
    server.register("second", "901", &[SECRET]).await;
    let page = server.page("broadcaster", "42").await;
    let (expired, _) = game(&server).await;
    server.advance_ms(PIN_MS);
    let (used, _) = game(&server).await;
    validate(&page, &used).await.ok();
    let body = json!({ "identifier": "second" });
    let foreign = server.sandbox().post("/v1/e/pin", &body).await.ok();
    let other_way = page.pin().await;
    let pins = [
        "AAAAAA",
        &used,
        &expired,
        foreign["pin"].as_str().unwrap(),
        &other_way,
        &"A".repeat(10_000),
    ];
    let mut answers = HashSet::new();
    for pin in pins {
        let answer = validate(&page, pin).await;
        answer.refused(400, PIN_INVALID);
        let mut headers: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
        headers.sort();
        answers.insert((answer.body, headers));
        server.advance_ms(12_000);
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    let mut checked = HashSet::new();
    for pin in pins {
        let answer = check(&server, json!({ "identifier": EXTENSION, "pin": pin })).await;
        assert_eq!(answer.status, 401);
        checked.insert(answer.body);
        server.advance_ms(12_000);
    }
    assert_eq!(checked.len(), 1, "{checked:?}");
}

#[tokio::test]
async fn white_space_around_a_pin_is_trimmed_and_case_is_not_folded() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    let (pin, _) = game(&server).await;
    if pin.to_lowercase() != pin {
        validate(&page, &pin.to_lowercase())
            .await
            .refused(400, PIN_INVALID);
    }
    let inside = format!("{} {}", &pin[..3], &pin[3..]);
    validate(&page, &inside).await.refused(400, PIN_INVALID);
    validate(&page, &format!(" \t{pin}\r\n")).await.ok();
}

#[tokio::test]
async fn a_pin_in_a_wrong_shape_is_refused_by_its_name() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    for body in [json!({}), json!({ "pin": "" }), json!({ "pin": null })] {
        let answer = page.post("/v1/e/validate_pin", &body).await;
        answer.refused(400, "pin is required");
    }
    for body in [json!({ "pin": 234_678 }), json!({ "pin": ["AAAAAA"] })] {
        let answer = page.post("/v1/e/validate_pin", &body).await;
        answer.refused(400, "pin must be a string");
    }
    // None of these was a guess.
    for _ in 0..5 {
        validate(&page, "AAAAAA").await.refused(400, PIN_INVALID);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_broadcasters_who_type_one_pin_exactly_one_gets_the_game() {
    let server = Server::start_with(|settings| {
        settings.rates.pin_failures_per_address_per_min_max = 1_000;
        settings.rates.pin_failures_per_extension_per_min_max = 1_000;
    })
    .await;
    let mut pages = Vec::new();
    for channel in 1..=20 {
        pages.push(server.page("broadcaster", &channel.to_string()).await);
    }
    for _ in 0..5 {
        let (pin, game) = game(&server).await;
        let answers = join_all(pages.iter().map(|page| validate(page, &pin))).await;
        let winners: Vec<_> = answers
            .iter()
            .zip(1..)
            .filter(|(answer, _)| answer.status == 200)
            .map(|(_, channel)| channel.to_string())
            .collect();
        assert_eq!(winners.len(), 1);
        let info = game.get("/v1/e/user_info").await.ok();
        assert_eq!(info["channel_id"], *winners[0]);
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            answer.refused(400, PIN_INVALID);
        }
        let winner: usize = winners[0].parse().unwrap();
        pages[winner - 1].delete("/v1/e/pin").await.ok();
        for page in &pages {
            assert!(!exists(page).await);
        }
    }
}

#[tokio::test]
async fn anybody_may_ask_whether_a_pin_or_a_token_is_good() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    let body = json!({ "identifier": EXTENSION });
    let made = server.sandbox().post("/v1/e/pin", &body).await.ok();
    let with_pin = json!({ "identifier": EXTENSION, "pin": made["pin"] });
    let with_jwt = json!({ "identifier": EXTENSION, "jwt": made["token"] });
    assert_eq!(check(&server, with_pin.clone()).await.ok(), json!({}));
    assert_eq!(check(&server, with_pin.clone()).await.status, 200);
    assert_eq!(check(&server, with_jwt.clone()).await.status, 401);
    validate(&page, made["pin"].as_str().unwrap()).await.ok();
    assert_eq!(check(&server, with_pin).await.status, 401);
    assert_eq!(check(&server, with_jwt.clone()).await.ok(), json!({}));
    page.delete("/v1/e/pin").await.ok();
    assert_eq!(check(&server, with_jwt).await.status, 401);

    let unknown = json!({ "identifier": "nobody", "pin": "AAAAAA" });
    assert_eq!(check(&server, unknown).await.status, 401);
    for body in [json!({}), json!({ "pin": "AAAAAA" })] {
        let answer = check(&server, body).await;
        answer.refused(400, "identifier is required");
    }
    let answer = check(&server, json!({ "identifier": EXTENSION })).await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn a_game_may_poll_with_its_token_as_long_as_it_waits() {
    let server = Server::start().await;
    let body = json!({ "identifier": EXTENSION });
    let made = server.sandbox().post("/v1/e/pin", &body).await.ok();
    let with_jwt = json!({ "identifier": EXTENSION, "jwt": made["token"] });
    let polls = (0..40).map(|_| check(&server, with_jwt.clone()));
    for answer in join_all(polls).await {
        assert_eq!(answer.status, 401, "{:?}", answer.body);
    }
    // And also while somebody at the same address guesses.
    let guess = json!({ "identifier": EXTENSION, "pin": "AAAAAA" });
    for _ in 0..6 {
        check(&server, guess.clone()).await;
    }
    assert_eq!(check(&server, guess).await.status, 429);
    assert_eq!(check(&server, with_jwt).await.status, 401);
}

#[tokio::test]
async fn a_broadcaster_ends_every_game_of_its_channel_at_once() {
    let server = Server::start().await;
    let games = [paired(&server, "42").await, paired(&server, "42").await];
    let other = paired(&server, "43").await;
    let (waiting, pending) = game(&server).await;
    let page = server.page("broadcaster", "42").await;
    // Used tokens are remembered as good; that must not help them.
    for game in &games {
        game.get("/v1/e/user_info").await.ok();
    }
    assert_eq!(page.delete("/v1/e/pin").await.ok(), json!({}));
    for game in &games {
        assert_eq!(fault(game).await, "revoked");
        let answer = game.delete("/v1/e/pin").await;
        answer.refused(401, TOKEN_INVALID);
    }
    assert!(!exists(&page).await);
    other.get("/v1/e/user_info").await.ok();
    assert_eq!(fault(&pending).await, "pending");
    validate(&page, &waiting).await.ok();
    pending.get("/v1/e/user_info").await.ok();
    page.delete("/v1/e/pin").await.ok();
    assert_eq!(page.delete("/v1/e/pin").await.ok(), json!({}));
}

#[tokio::test]
async fn the_two_directions_are_ended_apart() {
    let server = Server::start().await;
    let (_socket, in_extension) = server.paired_game("42").await;
    let by_extension = server
        .sandbox()
        .with(EXTENSION, in_extension["jwt"].as_str().unwrap());
    let by_game = paired(&server, "42").await;
    let page = server.page("broadcaster", "42").await;
    page.delete("/v1/e/pin").await.ok();
    assert_eq!(fault(&by_game).await, "revoked");
    by_extension.get("/v1/e/user_info").await.ok();

    let by_game = paired(&server, "42").await;
    page.delete("/v1/e/gamelink/token").await.ok();
    assert_eq!(fault(&by_extension).await, "revoked");
    by_game.get("/v1/e/user_info").await.ok();
}
