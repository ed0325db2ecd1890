//! What strangers can make of handshakes: bounded in time, in number, and for each address.

use crowdlink_server::listen::EdgeName;
use crowdlink_server::shutdown::Outcome;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Authority, Http, Server, dial, eventually, secured};
use crate::tls::counted;

/// The first bytes of a handshake that never goes on.
const HALF: [u8; 6] = [22, 3, 1, 2, 0, 1];

/// Connects, starts a handshake and leaves it there.
async fn half_open(server: &Server) -> TcpStream {
    let address = server.address(EdgeName::SandboxRest);
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&HALF).await.unwrap();
    stream
}

/// Waits until so many handshakes are under way.
async fn pending(server: &Server, count: usize) {
    let ops = Http::new(server.address(EdgeName::Ops));
    let line = format!("crowdlink_tls_handshakes_pending {count}\n");
    eventually(&line, || async {
        let text = ops.get("/metrics").await.body;
        String::from_utf8(text.to_vec()).unwrap().contains(&line)
    })
    .await;
}

#[tokio::test]
async fn a_handshake_has_ten_seconds() {
    let server = Server::start_secure(&Authority::new(), |_| {}).await;
    let mut slow = half_open(&server).await;
    pending(&server, 1).await;
    server.advance_ms(9_999);
    pending(&server, 1).await;
    server.advance_ms(1);
    counted(&server, "late", 1).await;
    let mut nothing = Vec::new();
    let _ = slow.read_to_end(&mut nothing).await;
    assert_eq!(nothing, Vec::<u8>::new());
    pending(&server, 0).await;
}

#[tokio::test]
async fn who_comes_while_all_places_are_taken_waits_and_is_served() {
    let authority = Authority::new();
    let server = Server::start_secure(&authority, |settings| {
        settings.limits.tls_handshakes_max = 8;
    })
    .await;
    let mut slow = Vec::new();
    for _ in 0..8 {
        slow.push(half_open(&server).await);
    }
    pending(&server, 8).await;
    let page = server.sandbox();
    let waiting = tokio::spawn(async move { page.get("/v1/e/user_info").await });
    // Other listeners have places of their own.
    server.game().await.heartbeat().await;
    for _ in 0..4 {
        slow.push(half_open(&server).await);
    }
    pending(&server, 8).await;
    assert!(!waiting.is_finished());
    server.advance_ms(10_000);
    assert_eq!(waiting.await.unwrap().status, 401);
    counted(&server, "late", 8).await;
    counted(&server, "done", 1).await;
}

#[tokio::test]
async fn one_address_has_so_many_handshakes_and_others_are_not_concerned() {
    let authority = Authority::new();
    let server = Server::start_secure(&authority, |settings| {
        settings.limits.tls_handshakes_per_address_max = 3;
        settings.proxy.trusted = vec!["127.0.0.9/32".parse().unwrap()];
    })
    .await;
    let address = server.address(EdgeName::SandboxRest);
    let mut slow = Vec::new();
    for _ in 0..3 {
        slow.push(half_open(&server).await);
    }
    pending(&server, 3).await;
    let mut fourth = half_open(&server).await;
    counted(&server, "refused", 1).await;
    let ended = fourth.read(&mut [0; 8]).await;
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    // Another address, and a proxy with any number of callers behind it.
    let trust = authority.trust();
    drop(dial("127.0.0.2", address, Some(&trust)).await);
    let mut proxied = Vec::new();
    for _ in 0..4 {
        let mut stream = dial("127.0.0.9", address, None).await;
        stream.write_all(&HALF).await.unwrap();
        proxied.push(stream);
    }
    pending(&server, 7).await;
    drop(slow);
    pending(&server, 4).await;
    drop(dial("127.0.0.1", address, Some(&trust)).await);
}

/// Handshakes that are thrown at the server from one address do not keep others out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_handshakes_leaves_open_connections_and_newcomers_alone() {
    let authority = Authority::new();
    let server = Server::start_secure(&authority, |settings| {
        settings.limits.tls_handshakes_max = 64;
        settings.limits.tls_handshakes_per_address_max = 32;
    })
    .await;
    let (mut game, _) = server.paired_game("42").await;
    let address = server.address(EdgeName::SandboxRest);
    let mut flood = Vec::new();
    for _ in 0..500 {
        let mut stream = dial("127.0.0.2", address, None).await;
        // Refused ones may be gone already.
        let _ = stream.write_all(&HALF).await;
        flood.push(stream);
    }
    counted(&server, "refused", 500 - 32).await;
    pending(&server, 32).await;
    game.heartbeat().await;
    let answer = server.sandbox().get("/v1/e/user_info").await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn a_handshake_under_way_does_not_hold_the_drain_up() {
    let authority = Authority::new();
    let server = Server::start_secure(&authority, |_| {}).await;
    let _slow = half_open(&server).await;
    let address = server.address(EdgeName::SandboxRest);
    let late = TcpStream::connect(address).await.unwrap();
    pending(&server, 2).await;
    let clock = server.clock.clone();
    server.app.shutdown.drain();
    // Who had connected before the drain is still answered.
    let mut late = secured(late, &authority.trust()).await.unwrap();
    let request = b"GET /v1/e/user_info HTTP/1.1\r\nhost: x\r\n\r\n";
    late.write_all(request).await.unwrap();
    let mut answer = String::new();
    late.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    let ending = tokio::spawn(server.shut_down());
    clock.advance_ms(1_000);
    assert_eq!(ending.await.unwrap(), Outcome::Drained);
}
