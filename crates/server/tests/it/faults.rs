//! Faults of ours: what a game sees of them, and that none locks it out (`spec 1.4`, `spec 2.2`).

use crowdlink_store::Faults;
use serde_json::{Value, json};

use crate::harness::{EXTENSION, Incoming, Server, refusal};

const INTERNAL: &str = "An internal error prevented the server from processing the request";

fn assert_internal(answer: &Value) {
    let (title, detail) = refusal(answer, 500);
    assert_eq!((&*title, &*detail), ("Internal Service Error", INTERNAL));
}

#[tokio::test]
async fn while_the_store_is_down_a_refresh_gets_no_answer_but_1013() {
    let server = Server::start().await;
    let (_, paired) = server.paired_game("42").await;
    server.store.set_down(true);
    for token in [paired["refresh"].clone(), json!("never was one")] {
        let mut game = server.game().await;
        game.send("authenticate", "", json!({ "refresh": token }))
            .await;
        assert_eq!(game.closed().await, Some(1013));
    }
    server.store.set_down(false);
    let answer = server
        .game()
        .await
        .authenticate(json!({ "refresh": paired["refresh"] }))
        .await;
    assert_eq!(answer["data"]["twitch_id"], "42");
}

#[tokio::test]
async fn what_was_pipelined_behind_a_silent_end_is_not_answered_either() {
    let server = Server::start().await;
    let (_, paired) = server.paired_game("42").await;
    server.store.set_down(true);
    let mut game = server.game().await;
    game.send("authenticate", "", json!({ "refresh": paired["refresh"] }))
        .await;
    for _ in 0..10 {
        game.send("subscribe", "authentication", json!({})).await;
    }
    assert_eq!(game.closed().await, Some(1013));
}

#[tokio::test]
async fn while_the_store_is_down_a_pin_is_answered_500_and_stays_good() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    let pin = page.pin().await;
    server.store.set_down(true);
    let mut game = server.game().await;
    // A fault is no wrong guess: neither the connection nor the address is charged for it.
    for _ in 0..10 {
        assert_internal(&game.authenticate(json!({ "pin": pin })).await);
    }
    server.store.set_down(false);
    let answer = game.authenticate(json!({ "pin": pin })).await;
    assert_eq!(answer["data"]["twitch_id"], "42");
}

#[tokio::test]
async fn an_access_token_needs_no_store() {
    let server = Server::start().await;
    let (_, paired) = server.paired_game("42").await;
    server.store.set_down(true);
    let answer = server
        .game()
        .await
        .authenticate(json!({ "jwt": paired["jwt"] }))
        .await;
    assert_eq!(answer["data"]["twitch_id"], "42");
    let answer = server
        .game()
        .await
        .authenticate(json!({ "jwt": "wrong" }))
        .await;
    assert_eq!(refusal(&answer, 400).1, "Invalid token");
}

#[tokio::test]
async fn a_token_of_the_other_direction_that_cannot_be_looked_up_is_500() {
    let server = Server::start().await;
    let asked = server
        .sandbox()
        .post("/v1/e/pin", &json!({ "identifier": EXTENSION }))
        .await
        .ok();
    let page = server.page("broadcaster", "42").await;
    page.post("/v1/e/validate_pin", &json!({ "pin": asked["pin"] }))
        .await
        .ok();
    server.store.set_down(true);
    let mut game = server.game().await;
    assert_internal(&game.authenticate(json!({ "jwt": asked["token"] })).await);
    server.store.set_down(false);
    let answer = game.authenticate(json!({ "jwt": asked["token"] })).await;
    assert_eq!(answer["data"]["twitch_id"], "42");
}

#[tokio::test]
async fn a_refresh_whose_outcome_nobody_knows_leaves_the_token_good() {
    let server = Server::start().await;
    let (_, paired) = server.paired_game("42").await;
    let mut token = paired["refresh"].clone();
    for _ in 0..10 {
        server.store.set_faults(Faults {
            unknown_per_mille: 1_000,
            ..Faults::default()
        });
        let mut game = server.game().await;
        game.send("authenticate", "", json!({ "refresh": token }))
            .await;
        assert_eq!(game.closed().await, Some(1013));
        server.store.set_faults(Faults::default());
        let answer = server
            .game()
            .await
            .authenticate(json!({ "refresh": token }))
            .await;
        assert_eq!(answer["data"]["twitch_id"], "42", "{answer}");
        token = answer["data"]["refresh"].clone();
    }
}

#[tokio::test]
async fn a_game_that_retries_through_a_storm_of_faults_keeps_its_pairing() {
    let server = Server::start().await;
    let (_, paired) = server.paired_game("42").await;
    server.store.set_faults(Faults {
        refuse_per_mille: 200,
        unknown_per_mille: 300,
        delay_per_mille: 500,
        yields_max: 8,
    });
    let mut token = paired["refresh"].clone();
    let mut refreshed = 0;
    for _ in 0..200 {
        let mut game = server.game().await;
        game.send("authenticate", "", json!({ "refresh": token }))
            .await;
        match game.next().await {
            Incoming::Frame(answer) => {
                assert_eq!(answer["data"]["twitch_id"], "42", "{answer}");
                token = answer["data"]["refresh"].clone();
                refreshed += 1;
            }
            Incoming::Closed(code) => assert_eq!(code, Some(1013)),
        }
    }
    assert!((20..180).contains(&refreshed), "{refreshed}");
}

#[tokio::test]
async fn a_refresh_above_the_rate_gets_no_error_that_would_cost_the_token() {
    let server = Server::start().await;
    let (mut game, paired) = server.paired_game("42").await;
    for _ in 0..199 {
        game.call("subscribe", "authentication", json!({})).await;
    }
    refusal(
        &game.authenticate(json!({ "jwt": paired["jwt"] })).await,
        429,
    );
    game.send("authenticate", "", json!({ "refresh": paired["refresh"] }))
        .await;
    assert_eq!(game.closed().await, Some(1013));
}

#[tokio::test]
async fn connections_are_accepted_while_the_store_is_down() {
    let server = Server::start().await;
    server.store.set_down(true);
    let mut game = server.game().await;
    assert_eq!(
        game.call("subscribe", "authentication", json!({})).await["data"]["ok"],
        true
    );
}
