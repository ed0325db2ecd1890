use crowdlink_server::live::{Flow, Frame, Handler, Message, Session, upgrade};
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message as Wire;

use crate::harness::{Server, frame, handshake, in_time, read_head, text};

#[tokio::test]
async fn text_and_binary_come_back() {
    let server = Server::start().await;
    let (mut client, session) = server.client().await;
    client.send(Wire::text("grüße")).await.unwrap();
    assert_eq!(text(&mut client).await, "grüße");
    client.send(Wire::binary(vec![0, 255])).await.unwrap();
    assert_eq!(
        in_time(client.next()).await.unwrap().unwrap(),
        Wire::binary(vec![0, 255])
    );
    assert!(session.is_open());
    assert_eq!(session.opened_at_ms(), 1_700_000_000_000);
    assert_eq!(server.live.sessions(), 1);
}

#[tokio::test]
async fn what_comes_along_with_the_handshake_is_not_lost() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let bytes = [
        handshake(server.addr, "13").as_bytes(),
        &frame(0x81, b"early"),
    ]
    .concat();
    stream.write_all(&bytes).await.unwrap();
    read_head(&mut stream).await;
    let mut echo = [0; 7];
    in_time(stream.read_exact(&mut echo)).await.unwrap();
    assert_eq!(&echo, b"\x81\x05early");
}

#[tokio::test]
async fn another_version_is_answered_426() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream
        .write_all(handshake(server.addr, "7").as_bytes())
        .await
        .unwrap();
    let head = read_head(&mut stream).await.to_lowercase();
    assert!(head.starts_with("http/1.1 426"), "{head}");
    assert!(head.contains("sec-websocket-version: 13\r\n"), "{head}");
}

#[tokio::test]
async fn fragments_make_one_message_and_pings_between_them_are_answered() {
    let server = Server::start().await;
    let (mut stream, _) = server.raw().await;
    let euro = "€".as_bytes();
    for part in [
        frame(0x01, &euro[..1]),
        frame(0x89, b"ping"),
        frame(0x00, b""),
        frame(0x00, &euro[1..]),
        frame(0x80, b"!"),
    ] {
        stream.write_all(&part).await.unwrap();
    }
    let mut got = [0; 6 + 6];
    in_time(stream.read_exact(&mut got)).await.unwrap();
    assert_eq!(&got[..6], b"\x8a\x04ping");
    assert_eq!(&got[6..], b"\x81\x04\xe2\x82\xac!");
}

#[tokio::test]
async fn pipelined_messages_are_answered_in_order() {
    let server = Server::start().await;
    let (mut stream, _) = server.raw().await;
    let mut sent = Vec::new();
    let mut expected = Vec::new();
    for number in 0..5_000_u32 {
        let digits = number.to_string();
        sent.extend(frame(0x81, digits.as_bytes()));
        expected.push(0x81);
        expected.push(u8::try_from(digits.len()).unwrap());
        expected.extend(digits.as_bytes());
    }
    let (mut reader, mut writer) = stream.split();
    let mut got = vec![0; expected.len()];
    let (written, read) =
        in_time(async { tokio::join!(writer.write_all(&sent), reader.read_exact(&mut got)) }).await;
    written.unwrap();
    read.unwrap();
    assert!(got == expected);
}

#[tokio::test]
async fn answers_wait_for_a_peer_that_asks_faster_than_it_reads() {
    let server = Server::start().await;
    let (mut stream, session) = server.raw().await;
    session.set_message_bytes_max(1024 * 1024);
    let message = vec![b'x'; 512 * 1024];
    let sent = frame(0x81, &message).repeat(40);
    let (mut reader, mut writer) = stream.split();
    let mut got = vec![0; 40 * (message.len() + 10)];
    let (written, read) =
        in_time(async { tokio::join!(writer.write_all(&sent), reader.read_exact(&mut got)) }).await;
    written.unwrap();
    read.unwrap();
    assert!(session.is_open());
}

#[tokio::test]
async fn a_handler_that_waits_does_not_hold_events_back() {
    let server = Server::start().await;
    let (mut client, session) = server.client().await;
    client.send(Wire::text("wait")).await.unwrap();
    client.send(Wire::text("next")).await.unwrap();
    assert_eq!(text(&mut client).await, "waiting");
    for number in 0..10 {
        session.send(&Frame::text(&number.to_string()));
        assert_eq!(text(&mut client).await, number.to_string());
    }
    server.gate.notify_one();
    assert_eq!(text(&mut client).await, "wait");
    assert_eq!(text(&mut client).await, "next");
}

#[tokio::test]
async fn an_axum_handler_can_upgrade() {
    use axum::extract::Request;
    use axum::response::IntoResponse;
    let server = Server::start().await;
    let live = std::sync::Arc::clone(&server.live);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let app = axum::Router::new().route(
        "/v1/viewer",
        axum::routing::get(move |mut request: Request| async move {
            let protocol = http::HeaderValue::from_static("v1");
            match upgrade(&mut request, Some(protocol)) {
                Ok(accepted) => {
                    accepted.socket.open(live, addr, Greeter);
                    accepted
                        .response
                        .map(|()| axum::body::Body::empty())
                        .into_response()
                }
                Err(refusal) => refusal.response().map(|()| axum::body::Body::empty()),
            }
        }),
    );
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = hyper_util::service::TowerToHyperService::new(app);
        hyper::server::conn::http1::Builder::new()
            .serve_connection(hyper_util::rt::TokioIo::new(stream), service)
            .with_upgrades()
            .await
            .unwrap();
    });
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let head = handshake(addr, "13").replace("GET / ", "GET /v1/viewer ");
    stream.write_all(head.as_bytes()).await.unwrap();
    let head = read_head(&mut stream).await.to_lowercase();
    assert!(head.contains("sec-websocket-protocol: v1\r\n"), "{head}");
    let mut greeting = [0; 9];
    in_time(stream.read_exact(&mut greeting)).await.unwrap();
    assert_eq!(&greeting, b"\x81\x07welcome");
}

/// Speaks first.
struct Greeter;

impl Handler for Greeter {
    fn opened(&mut self, session: &std::sync::Arc<Session>) {
        session.send(&Frame::text("welcome"));
    }

    async fn message(&mut self, _: Message<'_>, _: &std::sync::Arc<Session>) -> Flow {
        Flow::Continue
    }
}
