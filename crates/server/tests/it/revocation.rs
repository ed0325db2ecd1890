//! Revocation, over REST: at once on this node, and on others by the store alone (`spec 1.4`).

use std::sync::Arc;

use crowdlink_core::{Core, CoreOptions, Error, LocalBus, SeededRandom, TokenFault, World, tokens};
use crowdlink_protocol::{ClientId, Stage};
use serde_json::json;

use crate::harness::{Answer, EXTENSION, Http, Server, eventually, payload};

async fn info(page: &Http) -> Answer {
    page.get("/v1/e/user_info").await
}

fn revoked(answer: &Answer) {
    let info = answer.refused(401, "Authorization token is invalid");
    assert_eq!(info, "revoked");
}

/// Two tokens of the sandbox.
async fn two_tokens(server: &Server) -> [String; 2] {
    let body = json!({ "app_id": EXTENSION, "channel_id": "42", "user_ids": ["7", "8"] });
    let answer = server.sandbox().post("/v1/e/authtoken", &body).await.ok();
    [0, 1].map(|index| answer["tokens"][index].as_str().unwrap().to_owned())
}

/// Another node on the same store, whose bus reaches nobody.
async fn other_node(server: &Server) -> Arc<Core> {
    let world = World {
        store: server.store.clone(),
        clock: server.clock.clone(),
        random: Arc::new(SeededRandom::from_seed(2)),
        bus: Arc::new(LocalBus::new()),
    };
    Core::open(world, CoreOptions::default()).await.unwrap()
}

#[tokio::test]
async fn one_token_is_revoked_by_its_id_at_once() {
    let server = Server::start().await;
    let [first, second] = two_tokens(&server).await;
    let pages = [&first, &second].map(|jwt| server.sandbox().with(EXTENSION, jwt));
    info(&pages[0]).await.ok();
    let jti = payload(&first)["jti"].as_str().unwrap().to_owned();
    tokens::revoke(&server.app.core, &jti).await.unwrap();
    revoked(&info(&pages[0]).await);
    info(&pages[1]).await.ok();
}

#[tokio::test]
async fn a_family_is_revoked_with_all_its_tokens_at_once() {
    let server = Server::start().await;
    let (mut game, paired) = server.paired_game("42").await;
    let refreshed = server
        .game()
        .await
        .authenticate(json!({ "refresh": paired["refresh"] }))
        .await;
    let jwts = [&paired["jwt"], &refreshed["data"]["jwt"]].map(|jwt| jwt.as_str().unwrap());
    let pages = jwts.map(|jwt| server.sandbox().with(EXTENSION, jwt));
    for page in &pages {
        info(page).await.ok();
    }
    let fam = payload(jwts[0])["fam"].as_str().unwrap().to_owned();
    assert_eq!(payload(jwts[1])["fam"], *fam);
    let id = ClientId::new(EXTENSION).unwrap();
    tokens::revoke_family_by_id(&server.app.core, Stage::Sandbox, &id, &fam)
        .await
        .unwrap();
    for page in &pages {
        revoked(&info(page).await);
    }
    assert_eq!(game.closed().await, Some(1008));
}

#[tokio::test]
async fn a_replayed_refresh_token_ends_access_over_rest_too() {
    let server = Server::start().await;
    let (_game, paired) = server.paired_game("42").await;
    let first = paired["refresh"].clone();
    let page = server
        .sandbox()
        .with(EXTENSION, paired["jwt"].as_str().unwrap());
    let refresh = |token: serde_json::Value| {
        let server = &server;
        async move {
            let mut game = server.game().await;
            game.authenticate(json!({ "refresh": token })).await["data"].clone()
        }
    };
    let second = refresh(first.clone()).await;
    let third = refresh(second["refresh"].clone()).await;
    info(&page).await.ok();
    refresh(first).await;
    revoked(&info(&page).await);
    let newest = server
        .sandbox()
        .with(EXTENSION, third["jwt"].as_str().unwrap());
    revoked(&info(&newest).await);
}

#[tokio::test]
async fn what_another_node_revoked_is_refused_here_a_second_later_also_without_a_bus() {
    let server = Server::start().await;
    let [first, second] = two_tokens(&server).await;
    let pages = [&first, &second].map(|jwt| server.sandbox().with(EXTENSION, jwt));
    info(&pages[0]).await.ok();
    let other = other_node(&server).await;
    let jti = payload(&first)["jti"].as_str().unwrap().to_owned();
    tokens::revoke(&other, &jti).await.unwrap();
    // One turn of the loop that reads the log.
    server.advance_ms(1_000);
    eventually("the revocation is known here", || async {
        info(&pages[0]).await.status == 401
    })
    .await;
    revoked(&info(&pages[0]).await);
    info(&pages[1]).await.ok();
}

#[tokio::test]
async fn a_revocation_is_remembered_by_a_node_that_starts_later() {
    let server = Server::start().await;
    let [first, second] = two_tokens(&server).await;
    let jti = payload(&first)["jti"].as_str().unwrap().to_owned();
    tokens::revoke(&server.app.core, &jti).await.unwrap();
    server.advance_ms(12 * 3_600_000);
    let later = other_node(&server).await;
    let id = ClientId::new(EXTENSION).unwrap();
    let judged = |jwt: String| {
        let (later, id) = (Arc::clone(&later), id.clone());
        async move {
            tokens::authorize_jwt(&later, Stage::Sandbox, &id, &jwt)
                .await
                .map(|_| ())
        }
    };
    let refused = Err(Error::TokenInvalid(TokenFault::Revoked));
    assert_eq!(judged(first).await, refused);
    assert_eq!(judged(second).await, Ok(()));
}

#[tokio::test]
async fn a_revoked_token_stays_refused_until_it_would_have_ended() {
    let server = Server::start().await;
    let [first, _] = two_tokens(&server).await;
    let page = server.sandbox().with(EXTENSION, &first);
    let jti = payload(&first)["jti"].as_str().unwrap().to_owned();
    tokens::revoke(&server.app.core, &jti).await.unwrap();
    for _ in 0..23 {
        server.advance_ms(3_600_000);
        tokio::task::yield_now().await;
        revoked(&info(&page).await);
    }
    server.advance_ms(3_600_000 + 29_999);
    revoked(&info(&page).await);
    server.advance_ms(1);
    assert_eq!(info(&page).await.status, 401);
}
