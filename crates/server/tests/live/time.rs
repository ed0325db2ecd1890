use crowdlink_server::live::{CloseCode, CloseReason};
use futures::SinkExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message as Wire;

use crate::harness::{Server, frame, in_time, read_rest, text};

#[tokio::test]
async fn the_server_pings_every_thirty_seconds_and_drops_a_silent_peer_after_75() {
    let server = Server::start().await;
    let (mut stream, session) = server.raw().await;
    server.pass_ms(74_500).await;
    assert!(server.none_closed().await);
    server.pass_ms(1_000).await;
    assert_eq!(
        server.next_closed().await,
        (session.id(), CloseReason::Silent)
    );
    let pings = read_rest(&mut stream).await;
    assert!(
        pings == [0x89, 0, 0x89, 0] || pings == [0x89, 0, 0x89, 0, 0x89, 0],
        "{pings:?}"
    );
    assert_eq!(server.live.sessions(), 0);
}

#[tokio::test]
async fn a_peer_that_answers_pings_stays() {
    let server = Server::start().await;
    let (mut stream, session) = server.raw().await;
    for _ in 0..10 {
        server.pass_ms(30_000).await;
        let mut ping = [0; 2];
        in_time(stream.read_exact(&mut ping)).await.unwrap();
        assert_eq!(ping, [0x89, 0]);
        // A message whose echo comes back shows that the pong before it was read, too.
        stream
            .write_all(&[frame(0x8a, b""), frame(0x81, b"x")].concat())
            .await
            .unwrap();
        let mut echo = [0; 3];
        in_time(stream.read_exact(&mut echo)).await.unwrap();
    }
    assert!(session.is_open());
    assert!(server.none_closed().await);
}

#[tokio::test]
async fn waiting_for_the_handler_is_not_the_peers_silence() {
    let server = Server::start().await;
    let (mut client, session) = server.client().await;
    client.send(Wire::text("wait")).await.unwrap();
    client.send(Wire::text("after")).await.unwrap();
    assert_eq!(text(&mut client).await, "waiting");
    server.pass_ms(80_000).await;
    server.gate.notify_one();
    assert_eq!(text(&mut client).await, "wait");
    assert_eq!(text(&mut client).await, "after");
    server.pass_ms(70_000).await;
    assert!(session.is_open());
}

#[tokio::test]
async fn an_alarm_comes_once_in_its_time_and_can_be_taken_back() {
    let server = Server::start().await;
    let (mut client, session) = server.client().await;
    client.send(Wire::text("alarm")).await.unwrap();
    assert_eq!(text(&mut client).await, "alarm");
    server.pass_ms(750).await;
    client.send(Wire::text("not yet")).await.unwrap();
    assert_eq!(text(&mut client).await, "not yet");
    server.pass_ms(500).await;
    assert_eq!(text(&mut client).await, "alarm!");
    session.set_alarm_in_ms(1_000);
    session.clear_alarm();
    server.pass_ms(5_000).await;
    client.send(Wire::text("nothing came")).await.unwrap();
    assert_eq!(text(&mut client).await, "nothing came");
}

#[tokio::test]
async fn an_alarm_beyond_one_turn_of_the_wheel_comes_too() {
    let server = Server::start().await;
    let (mut client, session) = server.client().await;
    session.set_alarm_in_ms(600_000);
    for _ in 0..19 {
        server.pass_ms(30_000).await;
        client.send(Wire::text("here")).await.unwrap();
        assert_eq!(text(&mut client).await, "here");
    }
    server.pass_ms(30_250).await;
    assert_eq!(text(&mut client).await, "alarm!");
}

#[tokio::test]
async fn a_peer_that_does_not_answer_a_close_is_dropped_after_two_seconds() {
    let server = Server::start().await;
    let (mut stream, session) = server.raw().await;
    session.close(CloseCode::POLICY, "revoked");
    let mut close = [0; 2 + 2 + 7];
    in_time(stream.read_exact(&mut close)).await.unwrap();
    assert_eq!(&close, b"\x88\x09\x03\xf0revoked");
    assert_eq!(
        server.next_closed().await,
        (session.id(), CloseReason::Here(CloseCode::POLICY))
    );
    server.pass_ms(1_500).await;
    assert_eq!(server.live.sessions(), 1);
    server.pass_ms(1_000).await;
    assert_eq!(read_rest(&mut stream).await, b"");
    assert_eq!(server.live.sessions(), 0);
}
