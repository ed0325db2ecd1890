use std::sync::Arc;
use std::time::Duration;

use crowdlink_server::live::{CloseCode, CloseReason, Frame};
use futures::{SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message as Wire;

use crate::harness::{Server, close_code, frame, in_time, read_rest, text, until};

#[tokio::test]
async fn a_close_is_answered_with_its_code_and_then_the_socket_ends() {
    let server = Server::start().await;
    for (payload, answer, reason) in [
        (
            &b"\x03\xe8"[..],
            &b"\x88\x02\x03\xe8"[..],
            CloseCode::NORMAL,
        ),
        (b"", b"\x88\x00", CloseCode::NONE),
        (
            b"\x0f\xa0bye",
            b"\x88\x02\x0f\xa0",
            CloseCode::new(4000).unwrap(),
        ),
    ] {
        let (mut stream, session) = server.raw().await;
        stream.write_all(&frame(0x88, payload)).await.unwrap();
        assert_eq!(read_rest(&mut stream).await, answer);
        let closed = server.next_closed().await;
        assert_eq!(closed, (session.id(), CloseReason::Peer(reason)));
        drop(stream);
    }
    until(|| server.live.sessions() == 0).await;
}

#[tokio::test]
async fn what_breaks_the_protocol_is_closed_with_its_code() {
    let server = Server::start().await;
    for (bytes, code) in [
        (vec![0x81, 0x01, b'x'], CloseCode::PROTOCOL),
        (frame(0xf1, b"x"), CloseCode::PROTOCOL),
        (frame(0x88, b"\x03\xed"), CloseCode::PROTOCOL),
        (frame(0x81, b"\xff"), CloseCode::INVALID_TEXT),
    ] {
        let (mut stream, session) = server.raw().await;
        stream.write_all(&bytes).await.unwrap();
        let got = read_rest(&mut stream).await;
        assert_eq!((got[0], &got[2..4]), (0x88, &code.get().to_be_bytes()[..]));
        assert_eq!(
            server.next_closed().await,
            (session.id(), CloseReason::Here(code))
        );
    }
}

#[tokio::test]
async fn what_was_sent_before_a_close_arrives_before_it() {
    let server = Server::start().await;
    let (mut client, session) = server.client().await;
    for number in 0..100 {
        session.send(&Frame::text(&number.to_string()));
    }
    session.close(CloseCode::TRY_AGAIN_LATER, "full");
    assert!(!session.send(&Frame::text("too late")));
    for number in 0..100 {
        assert_eq!(text(&mut client).await, number.to_string());
    }
    assert_eq!(close_code(&mut client).await, 1013);
    assert!(in_time(client.next()).await.is_none());
    until(|| server.live.sessions() == 0).await;
}

#[tokio::test]
async fn a_handler_may_close() {
    let server = Server::start().await;
    let (mut client, _) = server.client().await;
    client.send(Wire::text("close")).await.unwrap();
    client.send(Wire::text("ignored")).await.unwrap();
    assert_eq!(close_code(&mut client).await, 1008);
}

#[tokio::test]
async fn a_panic_closes_its_connection_and_no_other() {
    let server = Server::start().await;
    let (mut healthy, _) = server.client().await;
    let (mut client, session) = server.client().await;
    client.send(Wire::text("panic")).await.unwrap();
    assert_eq!(close_code(&mut client).await, 1011);
    assert_eq!(
        server.next_closed().await,
        (session.id(), CloseReason::Here(CloseCode::INTERNAL))
    );
    healthy.send(Wire::text("well?")).await.unwrap();
    assert_eq!(text(&mut healthy).await, "well?");
    assert!(server.none_closed().await);
}

#[tokio::test]
async fn a_peer_that_vanishes_is_let_go() {
    let server = Server::start().await;
    let (mut half, session) = server.raw().await;
    half.shutdown().await.unwrap();
    assert_eq!(
        server.next_closed().await,
        (session.id(), CloseReason::Lost)
    );
    let (gone, session) = server.raw().await;
    gone.set_zero_linger().unwrap();
    drop(gone);
    assert_eq!(
        server.next_closed().await,
        (session.id(), CloseReason::Lost)
    );
    until(|| server.live.sessions() == 0).await;
    assert!(server.none_closed().await);
}

#[tokio::test]
async fn a_drain_closes_everybody_1001_after_the_answer_at_hand() {
    let server = Server::start().await;
    let mut clients = Vec::new();
    for _ in 0..30 {
        clients.push(server.client().await.0);
    }
    let (mut busy, _) = server.client().await;
    busy.send(Wire::text("wait")).await.unwrap();
    assert_eq!(text(&mut busy).await, "waiting");
    let live = Arc::clone(&server.live);
    let drain = tokio::spawn(async move { live.drain(10_000).await });
    let mut readers = Vec::new();
    for mut client in clients {
        readers.push(tokio::spawn(async move { close_code(&mut client).await }));
    }
    server.pass_ms(6_000).await;
    for reader in readers {
        assert_eq!(in_time(reader).await.unwrap(), 1001);
    }
    let (mut late, _) = server.client().await;
    assert_eq!(close_code(&mut late).await, 1001);
    server.gate.notify_one();
    assert_eq!(text(&mut busy).await, "wait");
    assert_eq!(close_code(&mut busy).await, 1001);
    // The client's own end of the handshake.
    assert!(in_time(busy.next()).await.is_none());
    assert!(in_time(late.next()).await.is_none());
    assert_eq!(in_time(drain).await.unwrap(), 0);
}

#[tokio::test]
async fn a_drain_is_over_in_its_time_whoever_hangs() {
    let server = Server::start().await;
    let (mut busy, session) = server.client().await;
    busy.send(Wire::text("wait")).await.unwrap();
    assert_eq!(text(&mut busy).await, "waiting");
    let live = Arc::clone(&server.live);
    let drain = tokio::spawn(async move { live.drain(10_000).await });
    server.pass_ms(10_250).await;
    assert_eq!(in_time(drain).await.unwrap(), 1);
    assert_eq!(
        server.next_closed().await,
        (session.id(), CloseReason::Dropped)
    );
    until(|| server.live.sessions() == 0).await;
}

#[test]
fn a_handler_hears_of_the_end_when_its_task_is_dropped() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (server, client, session) = runtime.block_on(async {
        let server = Server::start().await;
        let (client, session) = server.client().await;
        (server, client, session)
    });
    runtime.shutdown_timeout(Duration::from_secs(10));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let closed = runtime.block_on(server.next_closed());
    assert_eq!(closed, (session.id(), CloseReason::Dropped));
    assert!(runtime.block_on(server.none_closed()));
    assert!(!session.send(&Frame::text("nobody")));
    drop(client);
}
