//! Where a game connects to (`spec 2.1`): the paths, and what is refused before the upgrade.

use crowdlink_server::listen::EdgeName;
use serde_json::json;

use crate::harness::{Answer, EXTENSION, Game, Http, Server, refusal};

/// A game that gets as far as a refusal of ours speaks GameLink with the right extension.
async fn speaks_gamelink(game: &mut Game) {
    let answer = game
        .authenticate(json!({ "pin": "AAAAAA", "client_id": EXTENSION }))
        .await;
    let (_, detail) = refusal(&answer, 400);
    assert_eq!(detail, "The provided PIN is invalid or expired");
}

#[tokio::test]
async fn both_forms_of_the_path_lead_to_the_extension() {
    let server = Server::start().await;
    let address = server.address(EdgeName::SandboxGamelink);
    for path in [
        format!("/0.0.1/{EXTENSION}"),
        format!("/1.22.333/{EXTENSION}"),
        format!("/0.0.1/gateway-unity/0.0.4/{EXTENSION}"),
        format!("/0.0.1/a-projection-that-nobody-has-heard-of/9.9.9/{EXTENSION}"),
    ] {
        let mut game = Game::connect(address, &path).await;
        let answer = game
            .authenticate(json!({ "jwt": "x", "client_id": EXTENSION }))
            .await;
        assert_eq!(refusal(&answer, 400).1, "Invalid token", "{path}");
    }
}

#[tokio::test]
async fn a_percent_encoded_client_id_is_the_same_client_id() {
    let server = Server::start().await;
    server.register("an:ext~é", "1", &[]).await;
    let address = server.address(EdgeName::SandboxGamelink);
    let mut game = Game::connect(address, "/0.0.1/an%3Aext%7e%C3%A9").await;
    let answer = game
        .authenticate(json!({ "jwt": "x", "client_id": "an:ext~é" }))
        .await;
    assert_eq!(refusal(&answer, 400).1, "Invalid token");
    let encoded = EXTENSION.replace('-', "%2d");
    let mut game = Game::connect(address, &format!("/0.0.1/{encoded}")).await;
    speaks_gamelink(&mut game).await;
}

#[tokio::test]
async fn any_other_path_is_404_before_the_upgrade() {
    let server = Server::start().await;
    let too_long = format!("/0.0.1/{}", "x".repeat(101));
    for edge in [EdgeName::SandboxGamelink, EdgeName::ProductionRest] {
        for path in [
            "/",
            "/0.0.1",
            "/0.0.1/",
            "/0.0/test-extension",
            "/0.0.1.2/test-extension",
            "/0.0.x/test-extension",
            "/-1.0.0/test-extension",
            "/test-extension",
            "/0.0.1/p/0.0.1",
            "/0.0.1/p/0.0/test-extension",
            "/0.0.1//0.0.1/test-extension",
            "/0.0.1/p/0.0.1/test-extension/",
            "/0.0.1/test-extension/",
            "/0.0.1/%FF",
            "/v1/e/gamelink",
            &too_long,
        ] {
            let refused = Game::try_connect(server.address(edge), path).await;
            assert_eq!(refused.err(), Some(404), "{edge} {path}");
        }
    }
}

#[tokio::test]
async fn an_unknown_extension_is_401_before_the_upgrade() {
    let server = Server::start().await;
    let longest = format!("/0.0.1/{}", "x".repeat(100));
    for path in ["/0.0.1/nobody", "/0.0.1/p/0.0.1/nobody", &longest] {
        for edge in [EdgeName::SandboxGamelink, EdgeName::ProductionGamelink] {
            let refused = Game::try_connect(server.address(edge), path).await;
            assert_eq!(refused.err(), Some(401), "{path}");
        }
    }
}

#[tokio::test]
async fn a_development_server_takes_any_client_id_in_the_sandbox_only() {
    let server = Server::start_dev().await;
    let sandbox = server.address(EdgeName::SandboxGamelink);
    let production = server.address(EdgeName::ProductionGamelink);
    assert!(Game::try_connect(sandbox, "/0.0.1/brand-new").await.is_ok());
    let refused = Game::try_connect(production, "/0.0.1/brand-new").await;
    assert_eq!(refused.err(), Some(401));
}

#[tokio::test]
async fn the_rest_ports_take_the_same_paths() {
    let server = Server::start().await;
    for edge in [EdgeName::SandboxRest, EdgeName::ProductionRest] {
        for path in [
            format!("/0.0.1/{EXTENSION}"),
            format!("/0.0.1/gateway-unity/0.0.4/{EXTENSION}"),
        ] {
            let mut game = Game::connect(server.address(edge), &path).await;
            speaks_gamelink(&mut game).await;
        }
        server.advance_ms(60_000);
    }
}

fn assert_asks_for_an_upgrade(answer: &Answer) {
    assert_eq!(answer.status, 426);
    assert_eq!(answer.header("upgrade"), Some("websocket"));
    assert_eq!(answer.header("sec-websocket-version"), Some("13"));
}

#[tokio::test]
async fn a_plain_get_is_told_to_upgrade() {
    let server = Server::start().await;
    for edge in [EdgeName::SandboxGamelink, EdgeName::SandboxRest] {
        let http = Http::new(server.address(edge));
        let answer = http.get(&format!("/0.0.1/{EXTENSION}")).await;
        assert_asks_for_an_upgrade(&answer);
        let old = http
            .header("connection", "upgrade")
            .header("upgrade", "websocket");
        let old = old.header("sec-websocket-version", "8");
        assert_asks_for_an_upgrade(&old.get(&format!("/0.0.1/{EXTENSION}")).await);
        assert_eq!(http.get("/0.0.1/nobody").await.status, 401);
        assert_eq!(http.get("/nothing").await.status, 404);
    }
}

#[tokio::test]
async fn no_subprotocol_and_no_extension_is_forced_on_a_game_that_offers_some() {
    let server = Server::start().await;
    let http = Http::new(server.address(EdgeName::SandboxGamelink))
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("sec-websocket-protocol", "chat")
        .header("sec-websocket-extensions", "permessage-deflate");
    let answer = http.get(&format!("/0.0.1/{EXTENSION}")).await;
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("sec-websocket-protocol"), None);
    assert_eq!(answer.header("sec-websocket-extensions"), None);
}
