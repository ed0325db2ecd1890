//! Limits of Pusher connections (`spec 4.2`, `spec 5`): each at the bound and one beyond.

use crowdlink_server::listen::EdgeName;
use crowdlink_server::settings::Settings;
use serde_json::json;

use crate::harness::{
    Http, Incoming, Listener, OWNER, PUSHER_PATH, Pusher, SECRET, Server, channel_name, eventually,
};

/// The resolution of connections' timers.
const TICK_MS: u64 = 250;

/// Without the pings of WebSocket itself, which come earlier and which clients answer unasked.
async fn start_patient() -> Server {
    Server::start_with(|settings: &mut Settings| {
        settings.timeouts.socket_silence_ms_max = 3_600_000;
    })
    .await
}

#[tokio::test]
async fn a_silent_page_is_asked_after_120_seconds_and_closed_30_seconds_later() {
    let server = start_patient().await;
    let mut silent = Pusher::of(&server, "42").await;
    let mut alive = Pusher::of(&server, "42").await;
    let ping = json!({ "event": "pusher:ping", "data": "{}" });
    server.advance_ms(120_000 - TICK_MS);
    silent.socket.heartbeat().await;
    server.advance_ms(2 * TICK_MS);
    assert_eq!(silent.socket.frame().await, ping);
    assert_eq!(alive.socket.frame().await, ping);
    alive.send("pusher:pong", json!({})).await;
    alive.socket.heartbeat().await;
    server.advance_ms(30_000 - TICK_MS);
    silent.socket.heartbeat().await;
    server.advance_ms(2 * TICK_MS);
    assert_eq!(silent.socket.closed().await, Some(4_201));
    // Its time began anew.
    server.advance_ms(88_000);
    alive.socket.heartbeat().await;
    server.advance_ms(3_000);
    assert_eq!(alive.socket.frame().await, ping);
}

#[tokio::test]
async fn a_page_that_says_something_is_not_asked() {
    let server = start_patient().await;
    let mut pusher = Pusher::of(&server, "42").await;
    for _ in 0..5 {
        server.advance_ms(100_000);
        pusher.send("pusher:ping", json!({})).await;
        let pong = json!({ "event": "pusher:pong", "data": "{}" });
        assert_eq!(pusher.socket.frame().await, pong);
    }
}

#[tokio::test]
async fn one_channel_too_many_is_refused_and_the_others_stay() {
    let server = Server::start_with(|settings| {
        settings.limits.subscriptions_per_connection_max = 3;
    })
    .await;
    let mut pusher = Pusher::of(&server, "42").await;
    let refused = json!({
        "event": "pusher:error", "data": { "code": null, "message": "too many channels" },
    });
    for (channel, fits) in [("43", true), ("44", false)] {
        pusher.subscribe(&channel_name(channel)).await;
        assert_eq!(pusher.socket.frame().await == refused, !fits);
    }
    let left = json!({ "channel": channel_name("42") });
    pusher.send("pusher:unsubscribe", left).await;
    pusher.subscribe(&channel_name("44")).await;
    let answer = pusher.socket.frame().await;
    assert_eq!(answer["channel"], json!(channel_name("44")), "{answer}");
}

#[tokio::test]
async fn messages_above_the_rate_are_refused_and_after_ten_seconds_the_page_is_closed() {
    let server = Server::start().await;
    let mut pusher = Pusher::connect(&server).await;
    let mut other = Pusher::of(&server, "42").await;
    let pong = json!({ "event": "pusher:pong", "data": "{}" });
    for second in 0..=10 {
        let passing = if second == 0 { 200 } else { 100 };
        for _ in 0..passing {
            pusher.send("pusher:ping", json!({})).await;
            assert_eq!(pusher.socket.frame().await, pong);
        }
        pusher.send("pusher:ping", json!({})).await;
        assert_eq!(pusher.socket.frame().await["data"]["code"], 4_301);
        server.advance_ms(if second == 10 { 1 } else { 1_000 });
    }
    pusher.send("pusher:ping", json!({})).await;
    assert_eq!(pusher.socket.closed().await, Some(4_003));
    other.socket.heartbeat().await;
}

#[tokio::test]
async fn a_message_above_8_kib_closes_the_page() {
    let server = Server::start().await;
    let mut pusher = Pusher::connect(&server).await;
    pusher.socket.send(&" ".repeat(8_192)).await;
    assert_eq!(pusher.socket.frame().await["event"], "pusher:error");
    pusher.socket.send(&" ".repeat(8_193)).await;
    assert_eq!(pusher.socket.closed().await, Some(1009));
}

#[tokio::test]
async fn connections_count_for_their_address_and_their_extension() {
    let server = Server::start_with(|settings| {
        settings.limits.connections_per_address_max = 3;
        settings.limits.connections_per_extension_max = 1;
    })
    .await;
    server.register("other", OWNER, &[SECRET]).await;
    let first = Pusher::of(&server, "42").await;
    let mut second = Pusher::connect(&server).await;
    second.subscribe(&channel_name("43")).await;
    assert_eq!(second.socket.closed().await, Some(4_100));
    let mut third = Pusher::connect(&server).await;
    third.subscribe("twitch.pubsub.other.43").await;
    let answer = third.socket.frame().await;
    assert_eq!(answer["event"], "pusher_internal:subscription_succeeded");
    drop(second);
    let address = server.address(EdgeName::SandboxRest);
    let connect = || Listener::connect_from("127.0.0.1", address, PUSHER_PATH);
    let mut held = Vec::new();
    let refused = loop {
        match connect().await {
            Ok(socket) => held.push(socket),
            Err(status) => break status,
        }
    };
    // Beside the first and the third.
    assert!(
        refused == 503 && held.len() <= 1,
        "{refused}, {}",
        held.len()
    );
    drop(first);
    eventually("the place is free again", || async {
        connect().await.is_ok()
    })
    .await;
}

/// Sends events that nobody may miss until `done`.
async fn fill(page: &Http, server: &Server, done: impl Fn() -> bool) -> usize {
    let noise = "x".repeat(4_000);
    let mut sent = 0;
    while !done() {
        let body = json!({
            "target": "broadcast", "event": "e", "data": { "n": sent, "noise": noise },
        });
        page.post("/v1/e/broadcast", &body).await.ok();
        sent += 1;
        assert!(sent < 5_000, "it is never dropped");
        if sent % 50 == 0 {
            server.advance_ms(1_000);
        }
    }
    sent
}

#[tokio::test]
async fn a_page_that_does_not_read_is_dropped_and_the_others_lose_nothing() {
    let server = Server::start_with(|settings| {
        settings.limits.outbound_queue_bytes_max = 65_536;
        settings.timeouts.socket_silence_ms_max = 3_600_000;
    })
    .await;
    let mut slow = Pusher::of(&server, "42").await;
    let mut quick = Pusher::of(&server, "42").await;
    let page = server.page("broadcaster", "42").await;
    let listening = tokio::spawn(async move {
        let mut heard = 0;
        loop {
            let (_, _, message) = quick.told().await;
            if message["data"] == json!("end") {
                return heard;
            }
            assert_eq!(message["data"]["n"], json!(heard));
            heard += 1;
        }
    });
    let live = std::sync::Arc::clone(&server.app.live);
    let sent = fill(&page, &server, || live.sessions() == 1).await;
    let end = json!({ "target": "broadcast", "event": "e", "data": "end" });
    server.advance_ms(1_000);
    page.post("/v1/e/broadcast", &end).await.ok();
    assert_eq!(listening.await.unwrap(), sent);
    // What it got before it was too far behind comes in order too, and then the end.
    let mut n = 0;
    loop {
        match slow.socket.next().await {
            Incoming::Frame(_) => n += 1,
            Incoming::Closed(code) => {
                assert!(code.is_none() || code == Some(4_100), "{code:?}");
                break;
            }
        }
    }
    assert!(n < sent, "{n} of {sent}");
}
