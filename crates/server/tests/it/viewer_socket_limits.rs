//! Limits of viewer sockets (`spec 4.4`, `spec 5`): each at the bound and one beyond.

use crowdlink_protocol::Stage;
use crowdlink_server::listen::EdgeName;
use serde_json::{Value, json};

use crate::harness::{EXTENSION, Http, Listener, OWNER, SECRET, Server, Viewer, eventually};

/// The resolution of connections' timers.
const TICK_MS: u64 = 250;

async fn broadcast(page: &Http, data: Value) {
    let body = json!({ "target": "broadcast", "event": "e", "data": data });
    page.post("/v1/e/broadcast", &body).await.ok();
}

#[tokio::test]
async fn who_shows_no_token_is_closed_1008_after_ten_seconds() {
    let server = Server::start().await;
    let mut silent = Viewer::connect(&server, Stage::Sandbox).await;
    let mut viewer = Viewer::of(&server, Some("42")).await;
    silent.socket.heartbeat().await;
    server.advance_ms(10_000 - TICK_MS);
    silent.socket.heartbeat().await;
    server.advance_ms(2 * TICK_MS);
    assert_eq!(silent.socket.frame().await["error"]["status"], 401);
    assert_eq!(silent.socket.closed().await, Some(1008));
    viewer.socket.heartbeat().await;
}

#[tokio::test]
async fn a_frame_above_8_kib_closes_1009_also_with_a_token() {
    let server = Server::start().await;
    for authorized in [false, true] {
        let mut viewer = if authorized {
            Viewer::of(&server, Some("42")).await
        } else {
            Viewer::connect(&server, Stage::Sandbox).await
        };
        viewer.socket.send(&" ".repeat(8_193)).await;
        assert_eq!(viewer.socket.closed().await, Some(1009));
    }
}

#[tokio::test]
async fn a_flooding_viewer_is_refused_then_closed_and_others_lose_nothing() {
    let server = Server::start().await;
    let jwt = server.token("viewer", "42", "77").await;
    let mut viewer = Viewer::with(&server, Stage::Sandbox, EXTENSION, &jwt).await;
    let mut other = Viewer::of(&server, Some("42")).await;
    let page = server.page("broadcaster", "42").await;
    for second in 0..=10 {
        let passing = if second == 0 { 199 } else { 100 };
        for _ in 0..passing {
            assert_eq!(
                viewer.authorize(EXTENSION, &jwt).await,
                json!({ "ok": true })
            );
        }
        let refused = viewer.authorize(EXTENSION, &jwt).await;
        assert_eq!(refused["error"]["status"], 429);
        server.advance_ms(if second == 10 { 1 } else { 1_000 });
    }
    viewer.socket.send("{}").await;
    assert_eq!(viewer.socket.closed().await, Some(1008));
    for n in 0..10 {
        broadcast(&page, json!(n)).await;
        assert_eq!(other.told().await.data, json!(n));
    }
}

#[tokio::test]
async fn a_viewer_that_does_not_read_is_closed_and_the_others_lose_nothing() {
    let server = Server::start_with(|settings| {
        settings.limits.outbound_queue_bytes_max = 65_536;
        settings.timeouts.socket_silence_ms_max = 3_600_000;
    })
    .await;
    let _slow = Viewer::of(&server, Some("42")).await;
    let mut quick = Viewer::of(&server, Some("42")).await;
    let page = server.page("broadcaster", "42").await;
    let listening = tokio::spawn(async move {
        let mut heard = 0;
        loop {
            let told = quick.told().await;
            if told.data == json!("end") {
                return heard;
            }
            assert_eq!(told.data["n"], json!(heard));
            heard += 1;
        }
    });
    let noise = "x".repeat(4_000);
    let mut sent = 0;
    while server.app.live.sessions() == 2 {
        broadcast(&page, json!({ "n": sent, "noise": noise })).await;
        sent += 1;
        assert!(sent < 5_000, "it is never dropped");
        if sent % 50 == 0 {
            server.advance_ms(1_000);
        }
    }
    server.advance_ms(1_000);
    broadcast(&page, json!("end")).await;
    assert_eq!(listening.await.unwrap(), sent);
}

#[tokio::test]
async fn a_silent_viewer_is_dropped_after_75_seconds_and_one_that_answers_is_not() {
    let server = Server::start().await;
    let _silent = Viewer::of(&server, Some("42")).await;
    let mut alive = Viewer::of(&server, Some("42")).await;
    server.advance_ms(75_000 - TICK_MS);
    alive.socket.heartbeat().await;
    server.advance_ms(2 * TICK_MS);
    eventually("the silent one is dropped", || async {
        server.app.live.sessions() == 1
    })
    .await;
    alive.socket.heartbeat().await;
}

#[tokio::test]
async fn connections_count_for_their_address() {
    let server = Server::start_with(|settings| {
        settings.limits.connections_per_address_max = 2;
    })
    .await;
    let address = server.address(EdgeName::SandboxRest);
    let connect = |source: &'static str| Listener::connect_from(source, address, "/v1/viewer");
    let first = connect("127.0.0.7").await.ok();
    let _second = connect("127.0.0.7").await.ok();
    assert_eq!(connect("127.0.0.7").await.err(), Some(503));
    // Production and games count into the same.
    let production = server.address(EdgeName::ProductionRest);
    let refused = Listener::connect_from("127.0.0.7", production, "/v1/viewer").await;
    assert_eq!(refused.err(), Some(503));
    assert!(connect("127.0.0.8").await.is_ok());
    drop(first);
    eventually("the place is free again", || async {
        connect("127.0.0.7").await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn connections_count_for_their_extension_once_they_have_a_token() {
    let server = Server::start_with(|settings| {
        settings.limits.connections_per_extension_max = 1;
    })
    .await;
    server.register("other", OWNER, &[SECRET]).await;
    let first = Viewer::of(&server, Some("42")).await;
    let jwt = server.token("viewer", "42", "78").await;
    let mut second = Viewer::connect(&server, Stage::Sandbox).await;
    let refused = second.authorize(EXTENSION, &jwt).await;
    assert_eq!(refused["error"]["status"], 429);
    assert_eq!(second.socket.closed().await, Some(1013));
    let mut claims = crate::harness::claims("viewer", "42");
    claims["allowed_stage"] = json!("sandbox");
    let other = crate::harness::sign(&claims, SECRET);
    let mut other = Viewer::with(&server, Stage::Sandbox, "other", &other).await;
    drop(first);
    eventually("the place is free again", || async {
        let mut third = Viewer::connect(&server, Stage::Sandbox).await;
        third.authorize(EXTENSION, &jwt).await == json!({ "ok": true })
    })
    .await;
    other.socket.heartbeat().await;
}

#[tokio::test]
async fn operators_see_how_many_listen_and_how_much_they_are_told() {
    let server = Server::start().await;
    let mut viewer = Viewer::of(&server, Some("42")).await;
    let mut pusher = crate::harness::Pusher::of(&server, "42").await;
    let page = server.page("broadcaster", "42").await;
    broadcast(&page, json!(1)).await;
    viewer.told().await;
    pusher.told().await;
    let figure = |line: &str| server.app.metrics.encode().unwrap().contains(line);
    assert!(figure("crowdlink_viewer_connections{way=\"socket\"} 1\n"));
    assert!(figure("crowdlink_viewer_connections{way=\"pusher\"} 1\n"));
    assert!(figure(
        "crowdlink_viewer_deliveries_total{way=\"socket\"} 1\n"
    ));
    assert!(figure(
        "crowdlink_viewer_deliveries_total{way=\"pusher\"} 1\n"
    ));
    assert!(figure("crowdlink_viewer_events_total 1\n"));
    drop(viewer);
    eventually("one is gone", || async {
        figure("crowdlink_viewer_connections{way=\"socket\"} 0\n")
    })
    .await;
}
