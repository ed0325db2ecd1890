//! Revocation of tokens takes effect within a second, whoever did it and however word travels
//! (`spec 1.4`).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use crowdlink_core::{Message, tokens};
use crowdlink_protocol::{ClientId, Stage};
use crowdlink_store::Store;
use serde_json::{Value, json};

use crate::harness::{EXTENSION, Http, Server, core_beside, eventually, refusal};

/// The claims of a token, unverified.
fn claims_of(jwt: &Value) -> Value {
    let payload = jwt.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

fn client(server: &Server, jwt: &Value) -> Http {
    server.sandbox().with(EXTENSION, jwt.as_str().unwrap())
}

#[tokio::test]
async fn revoking_one_access_token_ends_what_rests_on_it_and_nothing_else() {
    let server = Server::start().await;
    let (mut first, paired) = server.paired_game("42").await;
    let mut second = server.game().await;
    let refreshed = second
        .authenticate(json!({ "refresh": paired["refresh"] }))
        .await;
    let jwt = &paired["jwt"];
    let jti = claims_of(jwt)["jti"].as_str().unwrap().to_owned();
    tokens::revoke(&server.app.core, &jti).await.unwrap();
    assert_eq!(first.closed().await, Some(1008));
    let answer = client(&server, jwt).get("/v1/e/user_info").await;
    assert_eq!(
        answer.refused(401, "Authorization token is invalid"),
        "revoked"
    );
    second.heartbeat().await;
    client(&server, &refreshed["data"]["jwt"])
        .get("/v1/e/user_info")
        .await
        .ok();
    // The refresh token is another thing.
    let answer = server
        .game()
        .await
        .authenticate(json!({ "refresh": paired["refresh"] }))
        .await;
    assert_eq!(answer["data"]["twitch_id"], "42");
}

#[tokio::test]
async fn a_revocation_by_an_operator_elsewhere_takes_effect_within_a_second() {
    let server = Server::start().await;
    let (mut game, paired) = server.paired_game("42").await;
    let client = client(&server, &paired["jwt"]);
    client.get("/v1/e/user_info").await.ok();
    // Another process writes to the same store, as the command line does.
    let fam = claims_of(&paired["jwt"])["fam"]
        .as_str()
        .unwrap()
        .to_owned();
    let other = core_beside(&server).await;
    let extension = ClientId::new(EXTENSION).unwrap();
    tokens::revoke_family_by_id(&other, Stage::Sandbox, &extension, &fam)
        .await
        .unwrap();
    server.advance_ms(1_000);
    assert_eq!(game.closed().await, Some(1008));
    eventually("the access token is refused", || async {
        client.get("/v1/e/user_info").await.status == 401
    })
    .await;
    let answer = server
        .game()
        .await
        .authenticate(json!({ "refresh": paired["refresh"] }))
        .await;
    assert_eq!(refusal(&answer, 400).1, "Invalid refresh token");
}

#[tokio::test]
async fn sockets_close_also_when_the_bus_loses_word_of_it() {
    let server = Server::start().await;
    let (mut game, paired) = server.paired_game("42").await;
    let (mut bystander, _) = server.paired_game("43").await;
    game.call("subscribe", "authentication", json!({})).await;
    let fam = claims_of(&paired["jwt"])["fam"]
        .as_str()
        .unwrap()
        .to_owned();
    tokens::revoke(&server.app.core, &fam).await.unwrap();
    // More than a subscriber may be behind, before it has had a chance to look.
    for _ in 0..5_000 {
        server.app.core.world().bus.publish(Message {
            topic: "noise".to_owned(),
            payload: Bytes::new(),
        });
    }
    assert_eq!(game.frame().await["data"], json!({ "event": "revoked" }));
    assert_eq!(game.closed().await, Some(1008));
    bystander.heartbeat().await;
}

#[tokio::test]
async fn what_was_revoked_stays_revoked_after_a_restart() {
    let server = Server::start().await;
    let (_, paired) = server.paired_game("42").await;
    let page = server.page("broadcaster", "42").await;
    page.delete("/v1/e/gamelink/token").await.ok();
    // A core that opens on the store later knows nothing but what is written there.
    let restarted = core_beside(&server).await;
    let extension = ClientId::new(EXTENSION).unwrap();
    let jwt = paired["jwt"].as_str().unwrap();
    let refused = tokens::authorize_jwt(&restarted, Stage::Sandbox, &extension, jwt).await;
    assert_eq!(refused.unwrap_err().info(), "revoked");
}

#[tokio::test]
async fn a_revocation_that_the_store_did_not_take_is_told_and_can_be_repeated() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    let page = server.page("broadcaster", "42").await;
    page.get("/v1/e/gamelink/grants").await.ok();
    server.store.set_down(true);
    assert_eq!(page.delete("/v1/e/gamelink/token").await.status, 500);
    server.store.set_down(false);
    game.heartbeat().await;
    page.delete("/v1/e/gamelink/token").await.ok();
    assert_eq!(game.closed().await, Some(1008));
}

#[tokio::test]
async fn nothing_of_a_family_is_left_once_its_last_token_has_ended() {
    let server = Server::start().await;
    let empty: Vec<_> = keys(&server).await;
    let (game, paired) = server.paired_game("42").await;
    game.close().await;
    let mut token = paired["refresh"].clone();
    for _ in 0..5 {
        let mut game = server.game().await;
        token = game.authenticate(json!({ "refresh": token })).await["data"]["refresh"].clone();
        game.close().await;
    }
    assert!(keys(&server).await.len() > empty.len());
    server.advance_ms(365 * 24 * 3_600_000);
    server.store.sweep(1_000).await.unwrap();
    assert_eq!(keys(&server).await, empty);
}

async fn keys(server: &Server) -> Vec<String> {
    let records = server.store.scan("", None, 1_000).await.unwrap();
    records.into_iter().map(|entry| entry.key).collect()
}
