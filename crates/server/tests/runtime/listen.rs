use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Request};
use axum::response::Response;
use axum::routing::{get, post};
use crowdlink_server::listen::{EdgeName, Peer, bind, bind_all, is_body_timeout, ready_line};
use crowdlink_server::settings::{Address, Listen};
use crowdlink_server::shutdown::{Outcome, Phase, Shutdown};
use crowdlink_store::{ManualClock, SystemClock};
use futures::FutureExt as _;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::harness::{Client, bound, get as fetch, limits, soon, start, start_on, until};

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

#[tokio::test]
async fn a_request_reaches_the_router_with_its_peer() {
    let router = Router::new().route(
        "/",
        get(|Extension(Peer(peer)): Extension<Peer>| async move { peer.to_string() }),
    );
    let server = start(router, limits());
    let mut client = Client::connect(server.address).await;
    let me = client.0.local_addr().unwrap();
    client
        .send("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await;
    let response = client.rest().await;
    assert!(response.starts_with("HTTP/1.1 200") && response.ends_with(&me.to_string()));
}

#[tokio::test]
async fn one_connection_carries_several_requests() {
    let server = start(hello(), limits());
    let mut client = Client::connect(server.address).await;
    for _ in 0..3 {
        client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        client.until("hello").await;
    }
}

#[tokio::test]
async fn a_head_of_16_kib_is_served_and_a_longer_one_refused() {
    let server = start(hello(), limits());
    for (bytes, status) in [(16_384, "HTTP/1.1 200"), (16_385, "HTTP/1.1 431")] {
        let start = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\nlong: ";
        let filler = "a".repeat(bytes - start.len() - "\r\n\r\n".len());
        let mut client = Client::connect(server.address).await;
        client.send(&format!("{start}{filler}\r\n\r\n")).await;
        let response = client.until("\r\n\r\n").await;
        assert!(response.starts_with(status), "{bytes}: {response}");
    }
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off() {
    let mut limits = limits();
    limits.head_time_max = Duration::from_millis(20);
    let server = start(hello(), limits);
    let mut client = Client::connect(server.address).await;
    client.send("GET / HTTP/1.1\r\nhost:").await;
    let answer = client.rest().await;
    assert!(!answer.contains("200"), "{answer}");
    until(|| server.shutdown.in_flight_count() == 0).await;
}

#[tokio::test]
async fn a_body_that_never_comes_fails_as_too_slow() {
    let mut limits = limits();
    limits.body_time_max = Duration::from_millis(20);
    let router = Router::new().route(
        "/",
        post(|request: Request| async {
            match axum::body::to_bytes(request.into_body(), 1_024).await {
                Ok(body) => format!("got {}", body.len()),
                Err(error) => format!("slow {}", is_body_timeout(&error)),
            }
        }),
    );
    let server = start(router, limits);
    let mut client = Client::connect(server.address).await;
    client
        .send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nab")
        .await;
    client.until("slow true").await;
    let mut client = Client::connect(server.address).await;
    client
        .send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nabcd")
        .await;
    client.until("got 4").await;
}

/// Switches protocols and echoes on the raw socket.
async fn upgrade(mut request: Request) -> Response {
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let upgraded = upgrade.await.unwrap();
        let parts = upgraded.downcast::<TokioIo<TcpStream>>().unwrap();
        let mut socket: TcpStream = parts.io.into_inner();
        socket.write_all(&parts.read_buf).await.unwrap();
        let mut byte = [0];
        while socket.read(&mut byte).await.unwrap() > 0 {
            socket.write_all(&byte).await.unwrap();
        }
    });
    Response::builder()
        .status(101)
        .header("connection", "upgrade")
        .header("upgrade", "echo")
        .body(Body::empty())
        .unwrap()
}

#[tokio::test]
async fn an_upgrade_gives_the_raw_socket_back_and_leaves_no_http_behind() {
    let server = start(Router::new().route("/", get(upgrade)), limits());
    let mut client = Client::connect(server.address).await;
    client
        .send("GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nearly")
        .await;
    let head = client.until("early").await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    // The task of the connection is over, though the socket is open.
    until(|| server.shutdown.in_flight_count() == 0).await;
    client.send("late").await;
    client.until("late").await;
}

#[tokio::test]
async fn the_drain_closes_the_address_and_idle_connections_and_finishes_requests() {
    let release = Arc::new(Notify::new());
    let (entered, waiting) = (Arc::new(Notify::new()), Arc::clone(&release));
    let enter = Arc::clone(&entered);
    let router = hello().route(
        "/slow",
        get(|| async move {
            enter.notify_one();
            waiting.notified().await;
            "slow is done"
        }),
    );
    let server = start(router, limits());
    let mut idle = Client::connect(server.address).await;
    idle.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    idle.until("hello").await;
    let mut busy = Client::connect(server.address).await;
    busy.send("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    soon(entered.notified()).await;

    server.shutdown.drain();
    soon(server.serving).await.unwrap().unwrap();
    let refused = TcpStream::connect(server.address).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    assert_eq!(idle.rest().await, "");
    until(|| server.shutdown.in_flight_count() == 1).await;
    release.notify_one();
    assert!(busy.rest().await.contains("slow is done"));
    soon(server.shutdown.idle()).await;
}

#[tokio::test]
async fn the_ops_edge_answers_through_the_drain_and_does_not_hold_it_up() {
    let edge = bound(EdgeName::Ops);
    let server = start_on(edge, hello(), limits(), Arc::new(SystemClock::new()));
    let mut kept = Client::connect(server.address).await;
    kept.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    kept.until("hello").await;
    server.shutdown.drain();
    assert_eq!(server.shutdown.in_flight_count(), 0);
    assert!(fetch(server.address, "/").await.ends_with("hello"));
    server.shutdown.end();
    soon(server.serving).await.unwrap().unwrap();
    kept.rest().await;
}

#[tokio::test]
async fn the_ops_edge_of_a_replaced_process_closes_at_once() {
    let edge = bound(EdgeName::Ops);
    let server = start_on(edge, hello(), limits(), Arc::new(SystemClock::new()));
    server.shutdown.drain_replaced();
    soon(server.serving).await.unwrap().unwrap();
    assert_eq!(server.shutdown.phase(), Phase::Draining);
}

#[tokio::test]
async fn a_caller_who_has_just_connected_is_still_answered_in_the_drain() {
    let server = start(hello(), limits());
    let mut fresh = Client::connect(server.address).await;
    until(|| server.shutdown.in_flight_count() == 1).await;
    server.shutdown.drain();
    soon(server.serving).await.unwrap().unwrap();
    fresh.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let response = fresh.rest().await;
    assert!(response.contains("hello"), "{response}");
}

#[tokio::test]
async fn what_is_not_finished_at_the_end_is_dropped() {
    let entered = Arc::new(Notify::new());
    let enter = Arc::clone(&entered);
    let router = Router::new().route(
        "/",
        get(|| async move {
            enter.notify_one();
            std::future::pending::<()>().await;
        }),
    );
    let server = start(router, limits());
    let mut client = Client::connect(server.address).await;
    client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    soon(entered.notified()).await;
    server.shutdown.drain();
    assert_eq!(server.shutdown.phase(), Phase::Draining);
    server.shutdown.end();
    assert_eq!(client.rest().await, "");
    soon(server.shutdown.idle()).await;
}

#[tokio::test]
async fn a_handler_that_panics_takes_only_its_own_connection() {
    let router = hello().route("/panic", get(|| async { panic!("on purpose") as &str }));
    let server = start(router, limits());
    assert_eq!(fetch(server.address, "/panic").await, "");
    assert!(fetch(server.address, "/").await.contains("hello"));
    until(|| server.shutdown.in_flight_count() == 0).await;
}

#[test]
fn an_address_in_use_is_named_with_its_flag() {
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let first = bind(EdgeName::SandboxRest, any, 8).unwrap();
    let taken = first.listener.local_addr().unwrap();
    let error = bind(EdgeName::ProductionRest, taken, 8).unwrap_err();
    assert!(error.is_in_use());
    let text = error.to_string();
    assert!(
        text.starts_with(&format!(
            "{taken} (production-rest) is in use; is Crowdlink already running?"
        )) && text.contains("--production-rest ADDR"),
        "{text}"
    );
    let foreign = bind(EdgeName::Ops, "192.0.2.1:1".parse().unwrap(), 8).unwrap_err();
    assert!(!foreign.is_in_use() && foreign.to_string().contains("192.0.2.1:1 (ops)"));
}

#[test]
fn the_ready_line_names_every_edge_in_order() {
    let listen = Listen {
        sandbox_rest: Address::loopback(0),
        sandbox_gamelink: Address::At("[::1]:0".parse().unwrap()),
        production_rest: Address::Off,
        production_gamelink: Address::Off,
        ops: Address::loopback(0),
        ..Listen::default()
    };
    let bound = bind_all(&listen, Vec::new()).unwrap();
    let ports: Vec<_> = bound
        .iter()
        .map(|b| b.listener.local_addr().unwrap().port())
        .collect();
    assert_eq!(
        ready_line(&bound, None).unwrap(),
        format!(
            "ready sandbox-rest=127.0.0.1:{} sandbox-gamelink=[::1]:{} production-rest=off \
             production-gamelink=off ops=127.0.0.1:{}",
            ports[0], ports[1], ports[2]
        )
    );
}

#[tokio::test]
async fn the_drain_is_not_over_while_something_still_accepts() {
    let shutdown = Shutdown::new();
    let accepting = shutdown.accepting();
    shutdown.drain();
    let clock = ManualClock::new(0);
    let mut drain = pin!(shutdown.run(&*clock, 10_000));
    assert!(drain.as_mut().now_or_never().is_none());
    // The last connection is marked before its loop ends.
    let in_flight = shutdown.in_flight();
    drop(accepting);
    assert!(drain.as_mut().now_or_never().is_none());
    drop(in_flight);
    assert_eq!(soon(drain).await, Outcome::Drained);
}
