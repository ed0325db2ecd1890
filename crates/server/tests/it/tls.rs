//! TLS as games, pages and viewers meet it (docs/tls.md).

use std::sync::Arc;

use crowdlink_protocol::Stage;
use crowdlink_server::listen::EdgeName;
use crowdlink_server::settings::{Settings, Sources};
use rustls::version::{TLS12, TLS13};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Authority, EXTENSION, Game, Http, Server, Viewer, eventually, secured};

/// The channel of the tests.
const CHANNEL: &str = "42";

async fn broadcast(page: &Http, data: Value) {
    let body = json!({ "target": "broadcast", "event": "e", "data": data });
    page.post("/v1/e/broadcast", &body).await.ok();
}

/// Everything that a plain connection carries is said once over TLS.
#[tokio::test]
async fn a_game_and_its_viewers_meet_over_tls() {
    let authority = Authority::new();
    let server = Server::start_secure(&authority, |_| {}).await;
    let (mut game, paired) = server.paired_game(CHANNEL).await;
    assert_eq!(paired["twitch_id"], CHANNEL);
    let mut viewer = Viewer::of(&server, Some(CHANNEL)).await;
    let data = json!({ "topic": "e", "data": { "n": 1 } });
    game.done("broadcast", "", data).await;
    assert_eq!(viewer.event().await, ("e".to_owned(), json!({ "n": 1 })));
    let production = server.address(EdgeName::ProductionGamelink);
    let stream = TcpStream::connect(production).await.unwrap();
    let stream = secured(stream, &authority.trust()).await.unwrap();
    let mut other = Game::over(Box::new(stream), production, "/0.0.1/test-extension")
        .await
        .unwrap();
    other.heartbeat().await;
    game.close().await;
}

#[tokio::test]
async fn messages_larger_than_what_tls_takes_at_once_come_whole_both_ways() {
    let server = Server::start_secure(&Authority::new(), |_| {}).await;
    let (mut game, _) = server.paired_game(CHANNEL).await;
    let state = json!({ "text": "x".repeat(200_000) });
    let set = json!({ "state": state });
    let answer = game.call("set", "channel", set).await;
    assert_eq!(answer["data"]["state"], state);
    let read = json!({ "state_id": "channel" });
    let answer = game.call("get", "state", read.clone()).await;
    assert_eq!(answer["data"]["state"], state);
    let page = server.page("viewer", CHANNEL).await;
    assert_eq!(page.get("/v1/e/channel_state").await.ok(), state);
    // Many answers at once, none of which is read before all are asked for.
    for _ in 0..64 {
        game.send("get", "state", read.clone()).await;
    }
    for _ in 0..64 {
        assert_eq!(game.frame().await["data"]["state"], state);
    }
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken_and_no_other_protocol_than_http_1_1() {
    let authority = Authority::new();
    let server = Server::start_secure(&authority, |_| {}).await;
    let address = server.address(EdgeName::SandboxRest);
    for version in [&TLS12, &TLS13] {
        let mut client = authority.client(&[version]);
        client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let stream = TcpStream::connect(address).await.unwrap();
        let stream = secured(stream, &Arc::new(client.clone())).await.unwrap();
        let session = stream.get_ref().1;
        assert_eq!(session.protocol_version(), Some(version.version));
        assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
        client.alpn_protocols = vec![b"h2".to_vec()];
        let stream = TcpStream::connect(address).await.unwrap();
        secured(stream, &Arc::new(client)).await.unwrap_err();
    }
}

#[tokio::test]
async fn who_comes_back_is_spared_half_of_the_handshake() {
    let authority = Authority::new();
    let server = Server::start_secure(&authority, |_| {}).await;
    let address = server.address(EdgeName::SandboxRest);
    for version in [&TLS12, &TLS13] {
        let client = Arc::new(authority.client(&[version]));
        let mut kinds = Vec::new();
        for _ in 0..2 {
            let stream = TcpStream::connect(address).await.unwrap();
            let mut stream = secured(stream, &client).await.unwrap();
            kinds.push(stream.get_ref().1.handshake_kind().unwrap());
            let request = b"GET /v1/e/user_info HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
            stream.write_all(request).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        }
        let kinds: Vec<_> = kinds.iter().map(|kind| format!("{kind:?}")).collect();
        assert_eq!(kinds, ["Full", "Resumed"]);
    }
}

#[tokio::test]
async fn the_ops_port_stays_plain_unless_it_is_named() {
    let authority = Authority::new();
    let server = Server::start_secure(&authority, |_| {}).await;
    let plain = Http::new(server.address(EdgeName::Ops));
    assert_eq!(plain.get("/healthz").await.status, 200);
    let sources = Sources {
        environment: vec![("CROWDLINK_TLS_LISTENERS".into(), "ops".into())],
        ..Sources::default()
    };
    let only_ops = Settings::load(&sources).unwrap().tls.listeners;
    let server = Server::start_secure(&authority, |settings| {
        settings.tls.listeners = only_ops;
    })
    .await;
    let ops = Http::new(server.address(EdgeName::Ops)).trusting(Some(authority.trust()));
    assert_eq!(ops.get("/healthz").await.status, 200);
    let rest = server.rest(Stage::Sandbox).trusting(None);
    assert_eq!(rest.get("/v1/e/user_info").await.status, 401);
}

#[tokio::test]
async fn plain_http_on_a_tls_port_is_closed_cleanly() {
    let server = Server::start_secure(&Authority::new(), |_| {}).await;
    let address = server.address(EdgeName::SandboxRest);
    let mut stream = TcpStream::connect(address).await.unwrap();
    let body = "x".repeat(20_000);
    let request = format!("POST /v1/e/vote HTTP/1.1\r\nhost: x\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A reset would be an error here.
    stream.read_to_end(&mut answer).await.unwrap();
    // An alert of TLS, and nothing else.
    assert_eq!((answer.first(), answer.len()), (Some(&21), 7), "{answer:?}");
    drop(stream);
    counted(&server, "failed", 1).await;
}

#[tokio::test]
async fn a_client_that_leaves_without_a_word_is_gone() {
    let authority = Authority::new();
    let server = Server::start_secure(&authority, |_| {}).await;
    let address = server.address(EdgeName::SandboxRest);
    let sessions = || server.app.live.sessions();
    for says_goodbye in [false, true] {
        let stream = TcpStream::connect(address).await.unwrap();
        let mut stream = secured(stream, &authority.trust()).await.unwrap();
        let request = "GET /v1/viewer HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\n\
                       connection: upgrade\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        eventually("it is upgraded", || async { sessions() == 1 }).await;
        if says_goodbye {
            stream.get_mut().1.send_close_notify();
            stream.flush().await.unwrap();
            eventually("the goodbye is the end", || async { sessions() == 0 }).await;
        } else {
            drop(stream);
            eventually("the end of the socket is", || async { sessions() == 0 }).await;
        }
    }
}

#[tokio::test]
async fn frames_that_come_with_the_upgrade_are_not_lost() {
    let authority = Authority::new();
    let server = Server::start_secure(&authority, |_| {}).await;
    let address = server.address(EdgeName::SandboxGamelink);
    let stream = TcpStream::connect(address).await.unwrap();
    let mut stream = secured(stream, &authority.trust()).await.unwrap();
    let mut bytes = b"GET /0.0.1/test-extension HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\n\
                      connection: upgrade\r\nsec-websocket-version: 13\r\n\
                      sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        .to_vec();
    // Pings of 100 bytes under a mask of zeros: more than the reader of the head takes.
    for _ in 0..400 {
        bytes.extend([0x89, 0x80 | 0x64, 0, 0, 0, 0]);
        bytes.extend([b'x'; 100]);
    }
    stream.write_all(&bytes).await.unwrap();
    let mut answers = Vec::new();
    let pongs = |answers: &[u8]| answers.windows(2).filter(|two| *two == [0x8a, 100]).count();
    while pongs(&answers) < 400 {
        let mut more = [0; 16_384];
        let count = stream.read(&mut more).await.unwrap();
        assert!(count > 0, "closed after {} pongs", pongs(&answers));
        answers.extend_from_slice(&more[..count]);
    }
}

#[tokio::test]
async fn the_drain_closes_1001_and_says_goodbye() {
    let server = Server::start_secure(&Authority::new(), |_| {}).await;
    let (game, _) = server.paired_game(CHANNEL).await;
    let leaving = tokio::spawn(game.leave());
    let ended = server.shut_down().await;
    assert_eq!(ended, crowdlink_server::shutdown::Outcome::Drained);
    assert_eq!(leaving.await.unwrap(), Some(1001));
}

/// Two hundred hear everything in order, though one beside them takes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_that_does_not_read_is_closed_and_two_hundred_others_lose_nothing() {
    const VIEWERS: usize = 200;
    let server = Server::start_secure(&Authority::new(), |settings| {
        settings.limits.outbound_queue_bytes_max = 65_536;
        settings.timeouts.socket_silence_ms_max = 3_600_000;
    })
    .await;
    let jwt = server.token("viewer", CHANNEL, "88").await;
    let _slow = Viewer::with(&server, Stage::Sandbox, EXTENSION, &jwt).await;
    let mut listening = Vec::new();
    for _ in 0..VIEWERS {
        let mut quick = Viewer::of(&server, Some(CHANNEL)).await;
        listening.push(tokio::spawn(async move {
            let mut heard = 0;
            loop {
                let told = quick.told().await;
                if told.data == json!("end") {
                    return (heard, quick);
                }
                assert_eq!(told.data, json!(heard));
                heard += 1;
            }
        }));
    }
    let page = server.page("broadcaster", CHANNEL).await;
    let noise = json!({ "target": "whisper-U88", "event": "e", "data": "x".repeat(4_000) });
    let mut sent = 0;
    let mut whispers = 0;
    while server.app.live.sessions() == VIEWERS + 1 {
        page.post("/v1/e/broadcast", &noise).await.ok();
        whispers += 1;
        assert!(whispers < 5_000, "it is never dropped");
        if whispers % 50 == 0 {
            server.advance_ms(1_000);
            broadcast(&page, json!(sent)).await;
            sent += 1;
        }
    }
    broadcast(&page, json!("end")).await;
    let mut quick = Vec::new();
    for listener in listening {
        let (heard, viewer) = listener.await.unwrap();
        assert_eq!(heard, sent);
        quick.push(viewer);
    }
    assert_eq!(server.app.live.sessions(), VIEWERS);
}

/// Waits until operators are told of so many handshakes with an outcome.
pub async fn counted(server: &Server, outcome: &str, count: usize) {
    let ops = Http::new(server.address(EdgeName::Ops));
    let labels = format!("edge=\"sandbox-rest\",outcome=\"{outcome}\"");
    let line = format!("crowdlink_tls_handshakes_total{{{labels}}} {count}\n");
    eventually(&line, || async {
        let text = ops.get("/metrics").await.body;
        String::from_utf8(text.to_vec()).unwrap().contains(&line)
    })
    .await;
}
