use crowdlink_server::live::{CloseCode, CloseReason, Frame, LiveLimits, SubscribeError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{Server, frame, in_time, read_rest, until};

#[tokio::test]
async fn a_message_above_the_limit_is_refused_by_its_header_alone() {
    let server = Server::start().await;
    let (mut stream, session) = server.raw().await;
    let message = frame(0x81, &[b'x'; 8 * 1024 + 1]);
    stream.write_all(&message[..14]).await.unwrap();
    let close = read_rest(&mut stream).await;
    assert_eq!(
        (close[0], &close[2..4]),
        (0x88, &1009_u16.to_be_bytes()[..])
    );
    assert_eq!(
        server.next_closed().await,
        (session.id(), CloseReason::Here(CloseCode::TOO_BIG))
    );
}

#[tokio::test]
async fn a_session_may_raise_its_limit() {
    let server = Server::start().await;
    let (mut stream, _) = server.raw().await;
    stream.write_all(&frame(0x81, b"raise")).await.unwrap();
    let mut echo = [0; 7];
    in_time(stream.read_exact(&mut echo)).await.unwrap();
    let big = vec![b'x'; 2 * 1024 * 1024];
    let sent = frame(0x81, &big);
    let (mut reader, mut writer) = stream.split();
    let mut echo = vec![0; 10 + big.len()];
    let (written, read) =
        in_time(async { tokio::join!(writer.write_all(&sent), reader.read_exact(&mut echo)) })
            .await;
    written.unwrap();
    read.unwrap();
    stream
        .write_all(&frame(0x81, &[&big[..], b"x"].concat())[..14])
        .await
        .unwrap();
    let close = read_rest(&mut stream).await;
    assert_eq!(&close[2..4], &1009_u16.to_be_bytes());
}

#[tokio::test]
async fn a_flood_of_empty_frames_is_closed_1008() {
    let server = Server::start().await;
    for kind in [0x89, 0x8a] {
        let (mut stream, session) = server.raw().await;
        stream
            .write_all(&frame(kind, b"").repeat(1_000))
            .await
            .unwrap();
        stream.write_all(&frame(0x81, b"ok")).await.unwrap();
        let pongs = if kind == 0x89 { 2_000 } else { 0 };
        let mut got = vec![0; pongs + 4];
        in_time(stream.read_exact(&mut got)).await.unwrap();
        stream.write_all(&frame(kind, b"")).await.unwrap();
        let close = read_rest(&mut stream).await;
        assert_eq!(&close[2..4], &1008_u16.to_be_bytes());
        assert_eq!(
            server.next_closed().await,
            (session.id(), CloseReason::Here(CloseCode::POLICY))
        );
    }
    let (mut stream, _) = server.raw().await;
    let fragments = [frame(0x01, b"a"), frame(0x00, b"").repeat(1_001)].concat();
    stream.write_all(&fragments).await.unwrap();
    assert_eq!(&read_rest(&mut stream).await[2..4], &1008_u16.to_be_bytes());
}

#[tokio::test]
async fn a_session_has_at_most_a_thousand_subscriptions() {
    let server = Server::start().await;
    let (_stream, session) = server.raw().await;
    let hub = server.live.hub();
    for number in 0..1_000 {
        assert_eq!(
            hub.subscribe(&session, &format!("topic {number}")),
            Ok(true)
        );
    }
    assert_eq!(hub.subscribe(&session, "topic 7"), Ok(false));
    assert_eq!(
        hub.subscribe(&session, "one more"),
        Err(SubscribeError::TooMany)
    );
    assert!(hub.unsubscribe(&session, "topic 7"));
    assert!(!hub.unsubscribe(&session, "topic 7"));
    assert_eq!(hub.subscribe(&session, "one more"), Ok(true));
    assert_eq!(hub.topics(), 1_000);
    hub.unsubscribe_all(&session);
    assert_eq!(hub.topics(), 0);
}

#[tokio::test]
async fn a_session_that_ends_leaves_no_topic_behind() {
    let server = Server::start().await;
    let (stream, session) = server.raw().await;
    let hub = server.live.hub();
    for topic in ["a", "b"] {
        hub.subscribe(&session, topic).unwrap();
    }
    assert_eq!((hub.subscribers("a"), hub.topics()), (1, 2));
    drop(stream);
    server.next_closed().await;
    assert_eq!((hub.subscribers("a"), hub.topics()), (0, 0));
    assert_eq!(hub.subscribe(&session, "a"), Err(SubscribeError::Closed));
    assert_eq!(hub.publish("a", &Frame::text("nobody")), 0);
}

#[tokio::test]
async fn a_peer_ten_seconds_behind_is_closed_1013() {
    let server = Server::start_with(LiveLimits {
        queue_bytes_max: 256 * 1024 * 1024,
        ..LiveLimits::default()
    })
    .await;
    let (mut stream, session) = server.raw().await;
    let frame = Frame::binary(&vec![1; 1024 * 1024]);
    // More than the two sockets' buffers take.
    while session.queued_bytes() < 16 * 1024 * 1024 {
        assert!(session.send(&frame));
        tokio::task::yield_now().await;
    }
    server.pass_ms(9_500).await;
    assert!(session.is_open());
    server.pass_ms(1_000).await;
    assert_eq!(
        server.next_closed().await,
        (session.id(), CloseReason::Here(CloseCode::TRY_AGAIN_LATER))
    );
    // All that waited is dropped, but the rest of a frame that is partly out, and the close frame.
    assert!(session.queued_bytes() <= frame.as_bytes().len() + 64);
    // A peer that wakes up now still reads whole frames and why.
    let reader = tokio::spawn(async move { read_rest(&mut stream).await });
    until(|| session.queued_bytes() == 0).await;
    server.pass_ms(3_000).await;
    let rest = in_time(reader).await.unwrap();
    let close = [&b"\x88\x10\x03\xf5"[..], b"too far behind"].concat();
    assert!(rest.ends_with(&close));
    assert_eq!((rest.len() - close.len()) % frame.as_bytes().len(), 0);
}
