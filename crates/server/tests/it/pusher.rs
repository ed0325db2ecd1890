//! The Pusher endpoint (`spec 4.2`): what a page of the library sends and gets.

use crowdlink_protocol::Stage;
use crowdlink_server::listen::EdgeName;
use serde_json::{Value, json};

use crate::harness::{
    EXTENSION, Http, Listener, OWNER, PUSHER_PATH, Pusher, SECRET, Server, channel_name,
};

async fn send(page: &Http, target: &str, data: Value) {
    let body = json!({ "target": target, "event": "e", "data": data });
    page.post("/v1/e/broadcast", &body).await.ok();
}

fn error(message: &str) -> Value {
    json!({ "event": "pusher:error", "data": { "code": null, "message": message } })
}

fn message(data: &Value) -> Value {
    json!({ "data": data, "event": format!("sandbox:{EXTENSION}:e") })
}

#[tokio::test]
async fn the_greeting_is_as_the_protocol_wants_it() {
    let server = Server::start().await;
    let address = server.address(EdgeName::SandboxRest);
    let mut ids = Vec::new();
    for _ in 0..2 {
        let mut socket = Listener::connect_from("127.0.0.1", address, PUSHER_PATH)
            .await
            .unwrap();
        let mut greeting = socket.frame().await;
        let data = greeting["data"].take();
        let expected = json!({ "event": "pusher:connection_established", "data": null });
        assert_eq!(greeting, expected);
        let data: Value = serde_json::from_str(data.as_str().unwrap()).unwrap();
        assert_eq!(data["activity_timeout"], 120);
        let id = data["socket_id"].as_str().unwrap().to_owned();
        let (first, second) = id.split_once('.').unwrap();
        assert!(
            first.parse::<u64>().is_ok() && second.parse::<u64>().is_ok(),
            "{id}"
        );
        ids.push(id);
    }
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn any_key_does_and_another_version_of_the_protocol_is_refused_for_good() {
    let server = Server::start().await;
    let address = server.address(EdgeName::SandboxRest);
    for path in ["/app/any-key", "/app/k?protocol=7"] {
        let socket = Listener::connect_from("127.0.0.1", address, path).await;
        let greeting = socket.unwrap().frame().await;
        assert_eq!(greeting["event"], "pusher:connection_established");
    }
    let socket = Listener::connect_from("127.0.0.1", address, "/app/k?protocol=4").await;
    let mut socket = socket.unwrap();
    let told = socket.frame().await;
    assert_eq!(
        (&told["event"], &told["data"]["code"]),
        (&json!("pusher:error"), &json!(4_007))
    );
    assert_eq!(socket.closed().await, Some(4_007));
}

#[tokio::test]
async fn production_has_no_such_endpoint() {
    let server = Server::start().await;
    for name in [
        EdgeName::ProductionRest,
        EdgeName::ProductionGamelink,
        EdgeName::SandboxGamelink,
    ] {
        let refused = Listener::connect_from("127.0.0.1", server.address(name), PUSHER_PATH).await;
        assert_eq!(refused.err(), Some(404), "{name:?}");
    }
    let plain = server.sandbox().get(PUSHER_PATH).await;
    assert_eq!(plain.status, 426);
}

#[tokio::test]
async fn everything_sent_to_a_channel_reaches_every_socket_on_it_whispers_included() {
    let server = Server::start().await;
    server.register("other", OWNER, &[SECRET]).await;
    let mut here = [
        Pusher::of(&server, "42").await,
        Pusher::of(&server, "42").await,
    ];
    let mut strangers = [
        Pusher::of(&server, "43").await,
        Pusher::of(&server, "4").await,
        Pusher::connect(&server).await,
    ];
    for name in ["twitch.pubsub.other.42", "twitch.pubsub.other.all"] {
        strangers[2].subscribe(name).await;
        strangers[2].socket.frame().await;
    }
    let page = server.page("broadcaster", "42").await;
    for (n, target) in ["broadcast", "whisper-U77", "whisper-abc"]
        .iter()
        .enumerate()
    {
        send(&page, target, json!(n)).await;
        for pusher in &mut here {
            let expected = (channel_name("42"), (*target).to_owned(), message(&json!(n)));
            assert_eq!(pusher.told().await, expected);
        }
    }
    // The same channel in production is another.
    send(
        &server.production_page("broadcaster", "42"),
        "broadcast",
        json!(9),
    )
    .await;
    for pusher in here.iter_mut().chain(&mut strangers) {
        pusher.socket.heartbeat().await;
    }
}

#[tokio::test]
async fn what_goes_to_all_comes_on_the_channel_of_all() {
    let server = Server::start().await;
    let mut here = Pusher::of(&server, "42").await;
    let mut there = Pusher::of(&server, "43").await;
    let owner = server.page("broadcaster", OWNER).await;
    let body = json!({ "target": "broadcast", "event": "e", "data": { "n": 1 } });
    owner.post("/v1/e/extension_broadcast", &body).await.ok();
    for pusher in [&mut here, &mut there] {
        let expected = (
            channel_name("all"),
            "broadcast".to_owned(),
            message(&json!({ "n": 1 })),
        );
        assert_eq!(pusher.told().await, expected);
    }
}

#[tokio::test]
async fn a_page_may_listen_under_the_user_id_as_the_sender_writes_it() {
    let server = Server::start().await;
    let viewer = server.page("viewer", "42").await;
    viewer.get("/v1/e/user_info").await.ok();
    let backend = server.trusted("backend");
    crate::harness::eventually("the user is noted", || async {
        backend.get("/v1/e/user_ids").await.ok()["results"] != json!([])
    })
    .await;
    let mut pusher = Pusher::of(&server, "42").await;
    send(
        &server.page("broadcaster", "42").await,
        "whisper-77",
        json!(1),
    )
    .await;
    for target in ["whisper-77", "whisper-U77"] {
        let expected = (channel_name("42"), target.to_owned(), message(&json!(1)));
        assert_eq!(pusher.told().await, expected);
    }
    pusher.socket.heartbeat().await;
}

#[tokio::test]
async fn what_the_server_raises_comes_here_too() {
    let server = Server::start().await;
    let mut pusher = Pusher::of(&server, "42").await;
    let page = server.page("broadcaster", "42").await;
    page.post("/v1/e/channel_state", &json!({ "n": 1 }))
        .await
        .ok();
    let (channel, target, message) = pusher.told().await;
    assert_eq!(
        (channel, target.as_str()),
        (channel_name("42"), "broadcast")
    );
    let event = format!("sandbox:{EXTENSION}:channel_state_update");
    assert_eq!(message, json!({ "data": { "n": 1 }, "event": event }));
    page.post("/v1/e/json_store?id=k", &json!({ "a": 1 }))
        .await
        .ok();
    let (_, _, message) = pusher.told().await;
    let event = format!("sandbox:{EXTENSION}:json_store_update:k");
    let data = json!({ "id": "k", "value": { "a": 1 } });
    assert_eq!(message, json!({ "data": data, "event": event }));
}

#[tokio::test]
async fn other_channels_are_refused_and_the_connection_stays() {
    let server = Server::start().await;
    let mut pusher = Pusher::of(&server, "42").await;
    for name in [
        "",
        "private-x",
        "presence-twitch.pubsub.test-extension.42",
        "twitch.pubsub.nobody.42",
        "twitch.pubsub.test-extension.",
        "twitch.pubsub.test-extension",
    ] {
        pusher.subscribe(name).await;
        assert_eq!(
            pusher.socket.frame().await,
            error("there is no such channel")
        );
    }
    for text in ["no JSON", "{}", r#"{"event":"pusher:subscribe","data":1}"#] {
        pusher.socket.send(text).await;
        let refused = error("not a message of this protocol");
        assert_eq!(pusher.socket.frame().await, refused);
    }
    pusher.send("client-e", json!({})).await;
    assert_eq!(
        pusher.socket.frame().await,
        error("there is no such event here")
    );
    send(
        &server.page("broadcaster", "42").await,
        "broadcast",
        json!(1),
    )
    .await;
    assert_eq!(pusher.told().await.2, message(&json!(1)));
}

#[tokio::test]
async fn who_leaves_a_channel_hears_of_it_no_more_and_may_come_back() {
    let server = Server::start().await;
    let mut pusher = Pusher::of(&server, "42").await;
    let mut other = Pusher::of(&server, "42").await;
    let page = server.page("broadcaster", "42").await;
    let name = channel_name("42");
    pusher
        .send("pusher:unsubscribe", json!({ "channel": name }))
        .await;
    pusher.socket.heartbeat().await;
    send(&page, "broadcast", json!(1)).await;
    assert_eq!(other.told().await.2, message(&json!(1)));
    pusher.socket.heartbeat().await;
    // Twice is no more than once.
    for _ in 0..2 {
        pusher.subscribe(&name).await;
        pusher.socket.frame().await;
    }
    send(&page, "broadcast", json!(2)).await;
    assert_eq!(pusher.told().await.2, message(&json!(2)));
    pusher.socket.heartbeat().await;
}

#[tokio::test]
async fn pings_are_answered() {
    let server = Server::start().await;
    let mut pusher = Pusher::connect(&server).await;
    pusher.send("pusher:ping", json!({})).await;
    assert_eq!(
        pusher.socket.frame().await,
        json!({ "event": "pusher:pong", "data": "{}" })
    );
}

#[tokio::test]
async fn a_restart_closes_with_a_code_that_means_reconnect_at_once() {
    let server = Server::start().await;
    let mut pusher = Pusher::of(&server, "42").await;
    let ended = tokio::spawn(async move { pusher.socket.closed().await });
    let clock = server.clock.clone();
    let time = tokio::spawn(async move {
        loop {
            clock.advance_ms(50);
            tokio::task::yield_now().await;
        }
    });
    server.shut_down().await;
    time.abort();
    assert_eq!(ended.await.unwrap(), Some(4_200));
}

#[tokio::test]
async fn an_extension_that_is_removed_takes_its_pages_with_it() {
    let server = Server::start().await;
    server.register("gone", OWNER, &[SECRET]).await;
    let mut pusher = Pusher::of(&server, "42").await;
    let mut gone = Pusher::connect(&server).await;
    gone.subscribe("twitch.pubsub.gone.42").await;
    gone.socket.frame().await;
    let client_id = crowdlink_protocol::ClientId::new("gone").unwrap();
    crowdlink_core::registry::remove(server.app.core.world(), &client_id)
        .await
        .unwrap();
    server.advance_ms(1_000);
    assert_eq!(gone.socket.closed().await, Some(4_003));
    pusher.socket.heartbeat().await;
    let refused = server
        .rest(Stage::Sandbox)
        .with("gone", "x")
        .get("/v1/e/user_info")
        .await;
    refused.refused(401, "Extension is not registered");
}
