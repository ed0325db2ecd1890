use std::sync::Arc;

use crowdlink_server::live::{CloseCode, CloseReason, Frame, LiveLimits, SlotKey};
use tokio::io::AsyncReadExt;
use tokio::runtime::Builder;

use crate::harness::{Client, Server, close_code, in_time, text};

const TOPIC: &str = "channel state";

/// Runs a test where all share one worker, and where there are two: events to many go out in
/// different ways.
fn on_one_worker_and_on_two(test: impl AsyncFn()) {
    for workers in [1, 2] {
        let runtime = Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(test());
    }
}

async fn subscriber(server: &Server) -> Client {
    let (client, session) = server.client().await;
    server.live.hub().subscribe(&session, TOPIC).unwrap();
    client
}

#[test]
fn everybody_gets_everything_in_the_order_of_publishing() {
    on_one_worker_and_on_two(async || {
        for subscribers in [3, 40] {
            let server = Server::start().await;
            let mut readers = Vec::new();
            for _ in 0..subscribers {
                let mut client = subscriber(&server).await;
                readers.push(tokio::spawn(async move {
                    for number in 0..2_000 {
                        assert_eq!(text(&mut client).await, number.to_string());
                    }
                    client
                }));
            }
            for number in 0..2_000 {
                let frame = Frame::text(&number.to_string());
                assert_eq!(server.live.hub().publish(TOPIC, &frame), subscribers);
            }
            let mut clients = Vec::new();
            for reader in readers {
                clients.push(in_time(reader).await.unwrap());
            }
            assert!(server.none_closed().await);
        }
    });
}

#[test]
fn a_slow_reader_is_closed_1013_and_nobody_else_notices() {
    on_one_worker_and_on_two(async || {
        let server = Server::start_with(LiveLimits {
            queue_bytes_max: 1024 * 1024,
            ..LiveLimits::default()
        })
        .await;
        let (_stuck, slow) = server.raw().await;
        server.live.hub().subscribe(&slow, TOPIC).unwrap();
        let mut others = Vec::new();
        for _ in 0..10 {
            others.push(subscriber(&server).await);
        }
        let payload = "x".repeat(64 * 1024);
        let mut published = 0;
        while slow.is_open() {
            let event = format!("{published} {payload}");
            server.live.hub().publish(TOPIC, &Frame::text(&event));
            published += 1;
            for client in &mut others {
                assert!(text(client).await == event);
            }
            assert!(published < 10_000, "the slow reader was never closed");
        }
        let reason = CloseReason::Here(CloseCode::TRY_AGAIN_LATER);
        assert_eq!(server.next_closed().await, (slow.id(), reason));
        assert_eq!(
            server.live.hub().publish(TOPIC, &Frame::text("on we go")),
            10
        );
        for client in &mut others {
            assert_eq!(text(client).await, "on we go");
        }
        assert!(server.none_closed().await);
    });
}

#[test]
fn of_states_only_the_newest_waits_and_never_one_goes_backwards() {
    on_one_worker_and_on_two(async || {
        let server = Server::start().await;
        let (mut reader, session) = server.raw().await;
        server.live.hub().subscribe(&session, TOPIC).unwrap();
        let slot = SlotKey::of("state");
        let mut version = 0_u64;
        let publish = |version: u64| {
            let mut state = vec![0; 256 * 1024];
            state[..8].copy_from_slice(&version.to_be_bytes());
            let taken = server
                .live
                .hub()
                .publish_latest(TOPIC, slot, &Frame::binary(&state));
            assert_eq!(taken, 1);
        };
        // Far more than the queue and the sockets could hold.
        for _ in 0..400 {
            version += 1;
            publish(version);
        }
        assert!(
            session.queued_bytes() <= 2 * 257 * 1024,
            "{}",
            session.queued_bytes()
        );
        let mut seen = Vec::new();
        while seen.last() != Some(&version) {
            let mut frame = vec![0; 10 + 256 * 1024];
            in_time(reader.read_exact(&mut frame)).await.unwrap();
            assert_eq!(&frame[..2], b"\x82\x7f");
            seen.push(u64::from_be_bytes(frame[10..18].try_into().unwrap()));
        }
        assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
        assert!(seen.len() < 400);
    });
}

#[tokio::test]
async fn subscribers_of_a_topic_and_sessions_that_match_can_be_closed() {
    let server = Server::start().await;
    let mut client = subscriber(&server).await;
    let (mut tagged, session) = server.client().await;
    session.set_tag(Arc::new("channel 7"));
    let (_stays, other) = server.client().await;
    assert_eq!(
        server
            .live
            .hub()
            .close_topic(TOPIC, CloseCode::POLICY, "revoked"),
        1
    );
    assert_eq!(close_code(&mut client).await, 1008);
    let of_channel_7 = |session: &std::sync::Arc<crowdlink_server::live::Session>| {
        let tag = session
            .tag()
            .and_then(|tag| tag.downcast_ref::<&str>().copied());
        tag == Some("channel 7")
    };
    let code = CloseCode::new(4200).unwrap();
    assert_eq!(server.live.close_where(of_channel_7, code, "moved"), 1);
    assert_eq!(close_code(&mut tagged).await, 4200);
    assert!(other.is_open());
}

#[test]
fn what_goes_to_few_does_not_overtake_what_goes_to_many() {
    on_one_worker_and_on_two(async || {
        let server = Server::start().await;
        let mut clients = Vec::new();
        for number in 0..20 {
            let (client, session) = server.client().await;
            let hub = server.live.hub();
            hub.subscribe(&session, TOPIC).unwrap();
            hub.subscribe(&session, &format!("whisper {number}"))
                .unwrap();
            clients.push(client);
        }
        let topics = ["whisper 3".to_owned(), TOPIC.to_owned()];
        for round in 0..200 {
            let hub = server.live.hub();
            let frame = |what: &str| Frame::text(&format!("{what} {round}"));
            assert_eq!(hub.publish(TOPIC, &frame("all")), 20);
            assert_eq!(hub.publish("whisper 7", &frame("one")), 1);
            assert_eq!(hub.publish_to_any(&topics, &frame("any")), 20);
        }
        for (number, client) in clients.iter_mut().enumerate() {
            for round in 0..200 {
                assert_eq!(text(client).await, format!("all {round}"));
                if number == 7 {
                    assert_eq!(text(client).await, format!("one {round}"));
                }
                assert_eq!(text(client).await, format!("any {round}"));
            }
        }
    });
}

#[test]
fn more_than_may_wait_for_one_worker_is_sent_whole_and_before_a_close() {
    on_one_worker_and_on_two(async || {
        let server = Server::start().await;
        let mut readers = Vec::new();
        for _ in 0..20 {
            let mut client = subscriber(&server).await;
            readers.push(tokio::spawn(async move {
                for number in 0..300 {
                    let event = text(&mut client).await;
                    assert!(event.starts_with(&format!("{number} ")));
                }
                close_code(&mut client).await
            }));
        }
        // 3 MB, in one go.
        let payload = "x".repeat(10_000);
        let hub = server.live.hub();
        for number in 0..300 {
            let event = format!("{number} {payload}");
            assert_eq!(hub.publish(TOPIC, &Frame::text(&event)), 20);
        }
        assert_eq!(hub.close_topic(TOPIC, CloseCode::POLICY, "over"), 20);
        for reader in readers {
            assert_eq!(in_time(reader).await.unwrap(), 1008);
        }
    });
}
