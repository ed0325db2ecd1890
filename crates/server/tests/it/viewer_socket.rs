//! The viewer socket (`spec 4.4`): who is let in, what is heard then, and how it ends.

use crowdlink_core::{registry, tokens};
use crowdlink_protocol::{ClientId, Stage};
use crowdlink_server::listen::EdgeName;
use serde_json::{Value, json};

use crate::harness::{
    EXTENSION, Http, Listener, OWNER, SECRET, START_MS, Server, Told, Viewer, claims, payload, sign,
};

/// The resolution of connections' timers.
const TICK_MS: u64 = 250;
const SKEW_MS: u64 = 30_000;

async fn broadcast(page: &Http, target: &str, data: Value) {
    let body = json!({ "target": target, "event": "e", "data": data });
    page.post("/v1/e/broadcast", &body).await.ok();
}

fn told(target: &str, data: Value) -> Told {
    Told {
        target: target.to_owned(),
        event: "e".to_owned(),
        data,
    }
}

/// A production viewer's token that ends in so many ms.
fn ending(channel: &str, ms: i64) -> String {
    let mut claims = claims("viewer", channel);
    claims["exp"] = json!((START_MS + ms) / 1_000);
    sign(&claims, SECRET)
}

#[tokio::test]
async fn both_stages_let_in_who_has_a_token_of_theirs() {
    let server = Server::start().await;
    let sandboxed = server.token("viewer", "42", "77").await;
    let platform = sign(&claims("viewer", "42"), SECRET);
    Viewer::with(&server, Stage::Sandbox, EXTENSION, &sandboxed).await;
    Viewer::with(&server, Stage::Production, EXTENSION, &platform).await;
    for (stage, jwt) in [(Stage::Production, &sandboxed), (Stage::Sandbox, &platform)] {
        let mut viewer = Viewer::connect(&server, stage).await;
        let refused = viewer.authorize(EXTENSION, jwt).await;
        let expected = json!({ "error": {
            "reason": "User was unauthorized to access this resource",
            "info": "Allowed stage mismatch",
            "status": 403,
        }});
        assert_eq!(refused, expected);
        assert_eq!(viewer.socket.closed().await, Some(1008));
    }
    // Games have another port.
    for name in [EdgeName::SandboxGamelink, EdgeName::ProductionGamelink] {
        let refused = Listener::connect_from("127.0.0.1", server.address(name), "/v1/viewer").await;
        assert_eq!(refused.err(), Some(404));
    }
}

#[tokio::test]
async fn everybody_else_is_told_why_not_and_closed_1008() {
    let server = Server::start().await;
    let good = server.token("viewer", "42", "77").await;
    let frame = |header: &str| json!({ "authorization": header }).to_string();
    let past = ending("42", -31_000);
    let malformed = "authorization must be `<client id> <jwt>`, in a JSON object";
    let header = "Authorization header is missing or malformed";
    let token = "Authorization token is invalid";
    for (stage, frame, status, reason) in [
        (Stage::Sandbox, "no JSON".to_owned(), 400, malformed),
        (Stage::Sandbox, "{}".to_owned(), 400, malformed),
        (
            Stage::Sandbox,
            json!({ "authorization": 1 }).to_string(),
            400,
            malformed,
        ),
        (Stage::Sandbox, frame(""), 401, header),
        (Stage::Sandbox, frame(&good), 401, header),
        (
            Stage::Sandbox,
            frame(&format!("nobody {good}")),
            401,
            "Extension is not registered",
        ),
        (
            Stage::Sandbox,
            frame(&format!("{EXTENSION} {good}x")),
            401,
            token,
        ),
        (
            Stage::Production,
            frame(&format!("{EXTENSION} {past}")),
            401,
            token,
        ),
    ] {
        let mut viewer = Viewer::connect(&server, stage).await;
        viewer.socket.send(&frame).await;
        let answer = viewer.socket.frame().await;
        let error = &answer["error"];
        assert_eq!(error["status"], status, "{frame}: {answer}");
        assert_eq!(error["reason"], reason, "{frame}");
        assert_eq!(viewer.socket.closed().await, Some(1008), "{frame}");
    }
}

#[tokio::test]
async fn a_binary_frame_that_holds_the_text_does_too() {
    let server = Server::start().await;
    let jwt = server.token("viewer", "42", "77").await;
    let mut viewer = Viewer::connect(&server, Stage::Sandbox).await;
    let frame = json!({ "authorization": format!("{EXTENSION} {jwt}") }).to_string();
    viewer.socket.send_binary(frame.as_bytes()).await;
    assert_eq!(viewer.socket.frame().await, json!({ "ok": true }));
}

#[tokio::test]
async fn nothing_is_heard_before_the_token_was_taken() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    let mut viewer = Viewer::connect(&server, Stage::Sandbox).await;
    broadcast(&page, "broadcast", json!(1)).await;
    viewer.socket.heartbeat().await;
    let jwt = server.token("viewer", "42", "77").await;
    assert_eq!(
        viewer.authorize(EXTENSION, &jwt).await,
        json!({ "ok": true })
    );
    viewer.socket.heartbeat().await;
}

#[tokio::test]
async fn production_viewers_hear_what_production_sends() {
    let server = Server::start().await;
    let jwt = sign(&claims("viewer", "42"), SECRET);
    let mut viewer = Viewer::with(&server, Stage::Production, EXTENSION, &jwt).await;
    let page = server.production_page("broadcaster", "42");
    broadcast(&page, "broadcast", json!(1)).await;
    assert_eq!(viewer.told().await, told("broadcast", json!(1)));
    broadcast(&page, "whisper-U77", json!(2)).await;
    assert_eq!(viewer.told().await, told("whisper-U77", json!(2)));
    page.post("/v1/e/channel_state", &json!({ "n": 3 }))
        .await
        .ok();
    assert_eq!(
        viewer.event().await,
        ("channel_state_update".to_owned(), json!({ "n": 3 }))
    );
}

#[tokio::test]
async fn a_channel_named_like_another_ones_whispers_hears_none_of_them() {
    let server = Server::start().await;
    let jwt = server.token("viewer", "42/U77", "78").await;
    let mut stranger = Viewer::with(&server, Stage::Sandbox, EXTENSION, &jwt).await;
    let mut viewer = Viewer::of(&server, Some("42")).await;
    let page = server.page("broadcaster", "42").await;
    broadcast(&page, "whisper-U77", json!(1)).await;
    assert_eq!(viewer.told().await, told("whisper-U77", json!(1)));
    stranger.socket.heartbeat().await;
}

#[tokio::test]
async fn an_expired_token_closes_1008_with_30_seconds_of_skew() {
    let server = Server::start().await;
    let jwt = ending("42", 60_000);
    let mut viewer = Viewer::with(&server, Stage::Production, EXTENSION, &jwt).await;
    server.advance_ms(60_000);
    viewer.socket.heartbeat().await;
    let page = server.production_page("broadcaster", "42");
    broadcast(&page, "broadcast", json!(1)).await;
    assert_eq!(viewer.told().await, told("broadcast", json!(1)));
    server.advance_ms(SKEW_MS - TICK_MS);
    viewer.socket.heartbeat().await;
    server.advance_ms(2 * TICK_MS);
    assert_eq!(viewer.socket.closed().await, Some(1008));
}

#[tokio::test]
async fn a_token_renewed_in_time_keeps_the_viewer_and_loses_nothing() {
    let server = Server::start().await;
    let first = ending("42", 60_000);
    let mut viewer = Viewer::with(&server, Stage::Production, EXTENSION, &first).await;
    let page = server.production_page("broadcaster", "42");
    server.advance_ms(59_000);
    broadcast(&page, "broadcast", json!(1)).await;
    let renewal = format!("{EXTENSION} {}", ending("42", 120_000));
    let renewal = json!({ "authorization": renewal }).to_string();
    viewer.socket.send(&renewal).await;
    broadcast(&page, "broadcast", json!(2)).await;
    let (mut heard, mut answered) = (Vec::new(), false);
    while heard.len() < 2 || !answered {
        let frame = viewer.socket.frame().await;
        if frame == json!({ "ok": true }) {
            answered = true;
        } else {
            let text = frame["message"].as_str().unwrap();
            let message: Value = serde_json::from_str(text).unwrap();
            heard.push(message["data"].clone());
        }
    }
    assert_eq!(heard, [json!(1), json!(2)]);
    server.advance_ms(60_000);
    viewer.socket.heartbeat().await;
    server.advance_ms(1_000 + SKEW_MS + TICK_MS);
    assert_eq!(viewer.socket.closed().await, Some(1008));
}

#[tokio::test]
async fn a_renewal_that_is_refused_closes_1008() {
    let server = Server::start().await;
    let mut viewer = Viewer::of(&server, Some("42")).await;
    let refused = viewer.authorize(EXTENSION, "a.b.c").await;
    assert_eq!(refused["error"]["status"], 401);
    assert_eq!(viewer.socket.closed().await, Some(1008));
}

#[tokio::test]
async fn a_renewal_for_another_channel_or_viewer_moves_the_connection() {
    let server = Server::start().await;
    let mut viewer = Viewer::of(&server, Some("42")).await;
    let (old, new) = (
        server.page("broadcaster", "42").await,
        server.page("broadcaster", "43").await,
    );
    let jwt = server.token("viewer", "43", "78").await;
    assert_eq!(
        viewer.authorize(EXTENSION, &jwt).await,
        json!({ "ok": true })
    );
    broadcast(&old, "broadcast", json!(1)).await;
    broadcast(&old, "whisper-U77", json!(2)).await;
    broadcast(&new, "whisper-U77", json!(3)).await;
    broadcast(&new, "whisper-U78", json!(4)).await;
    broadcast(&new, "broadcast", json!(5)).await;
    assert_eq!(viewer.told().await, told("whisper-U78", json!(4)));
    assert_eq!(viewer.told().await, told("broadcast", json!(5)));
    viewer.socket.heartbeat().await;
}

#[tokio::test]
async fn revocation_closes_those_that_rest_on_it_and_no_others() {
    let server = Server::start().await;
    let jwt = server.token("viewer", "42", "77").await;
    let mut viewer = Viewer::with(&server, Stage::Sandbox, EXTENSION, &jwt).await;
    let mut other = Viewer::of(&server, Some("42")).await;
    let jti = payload(&jwt)["jti"].as_str().unwrap().to_owned();
    tokens::revoke(&server.app.core, &jti).await.unwrap();
    assert_eq!(viewer.socket.closed().await, Some(1008));
    other.socket.heartbeat().await;
    let mut again = Viewer::connect(&server, Stage::Sandbox).await;
    let refused = again.authorize(EXTENSION, &jwt).await;
    assert_eq!(refused["error"]["info"], "revoked");
}

#[tokio::test]
async fn a_broadcaster_with_the_token_of_a_game_hears_too_and_falls_with_it() {
    let server = Server::start().await;
    let (mut game, paired) = server.paired_game("42").await;
    let jwt = paired["jwt"].as_str().unwrap();
    let mut viewer = Viewer::with(&server, Stage::Sandbox, EXTENSION, jwt).await;
    let data = json!({ "topic": "e", "data": 1 });
    game.call("broadcast", "", data).await;
    assert_eq!(viewer.told().await, told("broadcast", json!(1)));
    let page = server.page("broadcaster", "42").await;
    page.delete("/v1/e/gamelink/token").await.ok();
    assert_eq!(viewer.socket.closed().await, Some(1008));
    assert_eq!(game.closed().await, Some(1008));
}

#[tokio::test]
async fn an_extension_that_is_removed_takes_its_viewers_with_it() {
    let server = Server::start().await;
    server.register("gone", OWNER, &[SECRET]).await;
    let jwt = sign(&claims("viewer", "42"), SECRET);
    let mut gone = Viewer::with(&server, Stage::Production, "gone", &jwt).await;
    let mut stays = Viewer::with(&server, Stage::Production, EXTENSION, &jwt).await;
    let client_id = ClientId::new("gone").unwrap();
    registry::remove(server.app.core.world(), &client_id)
        .await
        .unwrap();
    server.advance_ms(1_000);
    assert_eq!(gone.socket.closed().await, Some(1008));
    stays.socket.heartbeat().await;
}

#[tokio::test]
async fn a_store_that_is_down_keeps_no_viewer_out() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    let jwt = server.token("viewer", "42", "77").await;
    server.store.set_down(true);
    let mut viewer = Viewer::with(&server, Stage::Sandbox, EXTENSION, &jwt).await;
    broadcast(&page, "broadcast", json!(1)).await;
    assert_eq!(viewer.told().await, told("broadcast", json!(1)));
}
