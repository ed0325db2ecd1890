//! `authenticate` in its three forms, and what a failure leaves behind (`spec 2.3`, `spec 1.3`).

use crowdlink_protocol::Stage;
use serde_json::json;

use crate::harness::{
    EXTENSION, Game, SECRET, Server, claims, eventually, refusal, sign, sign_with_header,
};

const WRONG_PIN: &str = "The provided PIN is invalid or expired";

/// Whether a connection may do what only an authenticated one may.
async fn is_authenticated(game: &mut Game) -> bool {
    let answer = game.call("unsubscribe", "authentication", json!({})).await;
    answer["data"]["ok"] == true
}

#[tokio::test]
async fn a_refresh_token_gives_new_tokens_for_the_same_channel() {
    let server = Server::start().await;
    let (_, first) = server.paired_game("42").await;
    let mut game = server.game().await;
    let answer = game
        .authenticate(json!({ "refresh": first["refresh"], "client_id": EXTENSION }))
        .await;
    let data = &answer["data"];
    assert_eq!(
        (&data["twitch_id"], &data["twitch_name"]),
        (&json!("42"), &json!("42"))
    );
    for token in ["jwt", "refresh"] {
        assert!(
            data[token].is_string() && data[token] != first[token],
            "{token}"
        );
    }
    assert!(is_authenticated(&mut game).await);
}

#[tokio::test]
async fn an_access_token_authenticates_and_brings_no_refresh_token() {
    let server = Server::start().await;
    let (_, first) = server.paired_game("42").await;
    let mut game = server.game().await;
    let answer = game
        .authenticate(json!({ "jwt": first["jwt"], "game_id": "My Game" }))
        .await;
    let data = answer["data"].as_object().unwrap();
    assert_eq!(data["jwt"], first["jwt"]);
    assert_eq!(
        (&data["twitch_id"], &data["twitch_name"]),
        (&json!("42"), &json!("42"))
    );
    assert!(!data.contains_key("refresh"), "{answer}");
    assert!(is_authenticated(&mut game).await);
}

#[tokio::test]
async fn the_access_token_is_a_broadcasters_on_rest() {
    let server = Server::start().await;
    let (_, paired) = server.paired_game("42").await;
    let client = server
        .sandbox()
        .with(EXTENSION, paired["jwt"].as_str().unwrap());
    let info = client.get("/v1/e/user_info").await.ok();
    assert_eq!(
        (
            &info["role"],
            &info["channel_id"],
            &info["user_id"],
            &info["stage"]
        ),
        (
            &json!("broadcaster"),
            &json!("42"),
            &json!("42"),
            &json!("sandbox")
        )
    );
    let seven_days_ms = 7 * 24 * 3_600_000_i64;
    assert_eq!(info["expires_at"], crate::harness::START_MS + seven_days_ms);
}

#[tokio::test]
async fn only_a_broadcasters_token_of_this_world_authenticates() {
    let server = Server::start().await;
    server
        .register(
            "other",
            "1",
            &["b3RoZXIgc2VjcmV0IHRoYXQgaXMgbG9uZyBlbm91Z2g="],
        )
        .await;
    let sandbox = |role: &str| {
        let mut claims = claims(role, "42");
        claims["allowed_stage"] = json!("sandbox");
        claims
    };
    let mut expired = sandbox("broadcaster");
    expired["exp"] = json!(crate::harness::START_MS / 1_000 - 31);
    let mut everywhere = sandbox("broadcaster");
    everywhere["channel_id"] = json!("all");
    let mut game = server.game().await;
    for (what, jwt) in [
        ("viewer", sign(&sandbox("viewer"), SECRET)),
        ("moderator", sign(&sandbox("moderator"), SECRET)),
        ("backend", sign(&sandbox("backend"), SECRET)),
        ("admin", sign(&sandbox("admin"), SECRET)),
        ("another stage", sign(&claims("broadcaster", "42"), SECRET)),
        (
            "another extension's secret",
            sign(
                &sandbox("broadcaster"),
                "b3RoZXIgc2VjcmV0IHRoYXQgaXMgbG9uZyBlbm91Z2g=",
            ),
        ),
        ("expired", sign(&expired, SECRET)),
        ("every channel", sign(&everywhere, SECRET)),
        ("no token", "x".to_owned()),
        ("too long", "x".repeat(5_000)),
    ] {
        let answer = game.authenticate(json!({ "jwt": jwt })).await;
        let (title, detail) = refusal(&answer, 400);
        assert_eq!(
            (&*title, &*detail),
            ("Bad Request", "Invalid token"),
            "{what}"
        );
    }
    assert!(!is_authenticated(&mut game).await);
    let good = sign(&sandbox("broadcaster"), SECRET);
    assert_eq!(
        game.authenticate(json!({ "jwt": good })).await["data"]["twitch_id"],
        "42"
    );
}

#[tokio::test]
async fn a_token_whose_header_plays_tricks_does_not_authenticate() {
    let server = Server::start().await;
    let mut claims = claims("broadcaster", "42");
    claims["allowed_stage"] = json!("sandbox");
    let mut game = server.game().await;
    for header in [
        json!({ "alg": "none" }),
        json!({ "alg": "RS256" }),
        json!({ "alg": "hs256" }),
        json!({ "alg": "HS256", "kid": "not in the ring" }),
        json!({ "alg": "HS256", "kid": "" }),
        json!({ "typ": "JWT" }),
    ] {
        let jwt = sign_with_header(&header, &claims.to_string(), SECRET);
        let unsigned = format!("{}.", jwt.rsplit_once('.').unwrap().0);
        for jwt in [jwt, unsigned] {
            let answer = game.authenticate(json!({ "jwt": jwt })).await;
            assert_eq!(refusal(&answer, 400).1, "Invalid token", "{header}");
        }
    }
    let jwt = sign_with_header(&json!({ "alg": "HS256" }), &claims.to_string(), SECRET);
    assert_eq!(
        game.authenticate(json!({ "jwt": jwt })).await["data"]["twitch_id"],
        "42"
    );
}

#[tokio::test]
async fn a_family_or_grant_that_a_foreign_token_claims_is_not_believed() {
    let server = Server::start().await;
    let (_game, _) = server.paired_game("43").await;
    let other = server.page("broadcaster", "43").await;
    let grants = other.get("/v1/e/gamelink/grants").await.ok();
    let mut claims = claims("broadcaster", "42");
    claims["allowed_stage"] = json!("sandbox");
    claims["fam"] = grants["grants"][0]["id"].clone();
    claims["grant"] = json!("made up");
    let mut game = server.game().await;
    let answer = game
        .authenticate(json!({ "jwt": sign(&claims, SECRET) }))
        .await;
    assert_eq!(answer["data"]["twitch_id"], "42");
    other.delete("/v1/e/gamelink/token").await.ok();
    game.heartbeat().await;
}

#[tokio::test]
async fn another_client_id_than_the_paths_is_refused_and_costs_nothing() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    let pin = page.pin().await;
    let mut game = server.game().await;
    for _ in 0..6 {
        let answer = game
            .authenticate(json!({ "pin": pin, "client_id": "other" }))
            .await;
        assert!(refusal(&answer, 400).1.starts_with("client_id"));
    }
    let answer = game
        .authenticate(json!({ "pin": pin, "client_id": EXTENSION }))
        .await;
    assert_eq!(answer["data"]["twitch_id"], "42");
}

#[tokio::test]
async fn a_game_id_of_256_bytes_is_kept_and_shown_and_one_more_is_refused() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    let pin = page.pin().await;
    let mut game = server.game().await;
    let longest = format!("é{}", "x".repeat(254));
    let answer = game
        .authenticate(json!({ "pin": pin, "game_id": format!("{longest}x") }))
        .await;
    assert!(refusal(&answer, 400).1.starts_with("game_id"));
    let answer = game
        .authenticate(json!({ "pin": pin, "game_id": longest }))
        .await;
    assert_eq!(answer["data"]["twitch_id"], "42");
    let grants = page.get("/v1/e/gamelink/grants").await.ok();
    assert_eq!(grants["grants"][0]["game_id"], longest);
}

#[tokio::test]
async fn a_failure_leaves_the_rights_of_a_connection_as_they_were() {
    let server = Server::start().await;
    let mut stranger = server.game().await;
    let (mut game, paired) = server.paired_game("42").await;
    for (data, detail) in [
        (json!({ "pin": "AAAAAA" }), WRONG_PIN),
        (json!({ "refresh": "wrong" }), "Invalid refresh token"),
        (json!({ "jwt": "wrong" }), "Invalid token"),
    ] {
        for game in [&mut stranger, &mut game] {
            let (title, told) = refusal(&game.authenticate(data.clone()).await, 400);
            assert_eq!((&*title, &*told), ("Bad Request", detail));
        }
    }
    assert!(!is_authenticated(&mut stranger).await);
    assert!(is_authenticated(&mut game).await);
    // It is still of its family: ending that ends it.
    let page = server.page("broadcaster", "42").await;
    page.delete("/v1/e/gamelink/token").await.ok();
    assert_eq!(game.closed().await, Some(1008));
    let answer = server
        .game()
        .await
        .authenticate(json!({ "refresh": paired["refresh"] }))
        .await;
    assert_eq!(refusal(&answer, 400).1, "Invalid refresh token");
}

#[tokio::test]
async fn an_authenticated_connection_may_become_another_channels() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    let (old, new) = (
        server.page("broadcaster", "42").await,
        server.page("broadcaster", "43").await,
    );
    server.advance_ms(5_000);
    let answer = game.authenticate(json!({ "pin": new.pin().await })).await;
    assert_eq!(answer["data"]["twitch_id"], "43");
    let grant = |page: &crate::harness::Http| {
        let page = page.clone();
        async move { page.get("/v1/e/gamelink/grants").await.ok()["grants"][0].clone() }
    };
    assert_eq!(grant(&old).await["connected"], false);
    assert_eq!(grant(&new).await["connected"], true);
    eventually(
        "the old channel sees until when the game was there",
        || async { grant(&old).await["last_seen"] == crate::harness::START_MS + 5_000 },
    )
    .await;
    // What happens to the old channel's game is no longer this connection's concern.
    old.delete("/v1/e/gamelink/token").await.ok();
    game.heartbeat().await;
    assert!(is_authenticated(&mut game).await);
    new.delete("/v1/e/gamelink/token").await.ok();
    assert_eq!(game.closed().await, Some(1008));
}

#[tokio::test]
async fn pipelined_requests_take_effect_and_are_answered_in_order() {
    let server = Server::start().await;
    let (_, paired) = server.paired_game("42").await;
    let mut game = server.game().await;
    let mut sent = Vec::new();
    sent.push(game.send("unsubscribe", "authentication", json!({})).await);
    sent.push(
        game.send("authenticate", "", json!({ "refresh": paired["refresh"] }))
            .await,
    );
    // Too big for a connection that is not authenticated yet: it counts as one by now.
    sent.push(
        game.send(
            "unsubscribe",
            "authentication",
            json!({ "pad": "x".repeat(100_000) }),
        )
        .await,
    );
    for _ in 0..50 {
        sent.push(game.send("subscribe", "authentication", json!({})).await);
    }
    refusal(&game.frame().await, 403);
    for id in &sent[1..] {
        let answer = game.frame().await;
        assert_eq!(answer["meta"]["request_id"], *id, "{answer}");
        assert!(answer.get("data").is_some(), "{answer}");
    }
}

#[tokio::test]
async fn both_stages_pair_and_neither_takes_the_others_tokens() {
    let server = Server::start().await;
    let mut tokens = Vec::new();
    for stage in [Stage::Sandbox, Stage::Production] {
        let page = match stage {
            Stage::Sandbox => server.page("broadcaster", "42").await,
            Stage::Production => server.production_page("broadcaster", "42"),
        };
        let mut game = server.game_of(stage, EXTENSION).await;
        let answer = game.authenticate(json!({ "pin": page.pin().await })).await;
        tokens.push(answer["data"].clone());
    }
    let (sandbox, production) = (&tokens[0], &tokens[1]);
    for (stage, foreign, own) in [
        (Stage::Sandbox, production, sandbox),
        (Stage::Production, sandbox, production),
    ] {
        let mut game = server.game_of(stage, EXTENSION).await;
        let answer = game.authenticate(json!({ "jwt": foreign["jwt"] })).await;
        assert_eq!(refusal(&answer, 400).1, "Invalid token");
        let answer = game
            .authenticate(json!({ "refresh": foreign["refresh"] }))
            .await;
        assert_eq!(refusal(&answer, 400).1, "Invalid refresh token");
        // Trying it elsewhere did it no harm.
        let answer = game
            .authenticate(json!({ "refresh": own["refresh"] }))
            .await;
        assert_eq!(answer["data"]["twitch_id"], "42");
    }
}
