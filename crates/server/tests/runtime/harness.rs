//! A server on port 0 and a client that speaks plain text.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use crowdlink_server::direct::Direct;
use crowdlink_server::listen::{Bound, ConnectionLimits, Edge, EdgeName, bind, serve};
use crowdlink_server::settings::Settings;
use crowdlink_server::shutdown::Shutdown;
use crowdlink_store::{Clock, SystemClock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// Longest that a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: Shutdown,
    pub(crate) serving: JoinHandle<std::io::Result<()>>,
}

pub(crate) fn limits() -> ConnectionLimits {
    ConnectionLimits::new(&Settings::default(), 4_096)
}

pub(crate) fn bound(name: EdgeName) -> Bound {
    bind(name, "127.0.0.1:0".parse().unwrap(), 64).unwrap()
}

pub(crate) fn start(router: Router, limits: ConnectionLimits) -> TestServer {
    let bound = bound(EdgeName::SandboxRest);
    start_on(bound, router, limits, Arc::new(SystemClock::new()))
}

pub(crate) fn start_on(
    bound: Bound,
    router: Router,
    limits: ConnectionLimits,
    clock: Arc<dyn Clock>,
) -> TestServer {
    let address = bound.listener.local_addr().unwrap();
    let shutdown = Shutdown::new();
    let edges = vec![Edge {
        bound,
        router,
        direct: Direct::default(),
        tls: None,
    }];
    let serving = tokio::spawn(serve(edges, limits, shutdown.clone(), clock));
    TestServer {
        address,
        shutdown,
        serving,
    }
}

/// Waits for something that must happen.
pub(crate) async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work)
        .await
        .expect("it never happened")
}

/// Waits until something is so.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    soon(async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self(soon(TcpStream::connect(address)).await.unwrap())
    }

    pub(crate) async fn send(&mut self, text: &str) {
        soon(self.0.write_all(text.as_bytes())).await.unwrap();
    }

    /// Reads to the end of the connection.
    pub(crate) async fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        soon(self.0.read_to_end(&mut bytes)).await.unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// Reads until a text has come.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        let mut text = String::new();
        while !text.contains(end) {
            let mut bytes = [0; 4_096];
            let count = soon(self.0.read(&mut bytes)).await.unwrap();
            assert!(count > 0, "closed after {text:?}");
            text.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        }
        text
    }
}

/// One request on a connection of its own; the whole response.
pub(crate) async fn get(address: SocketAddr, path: &str) -> String {
    let mut client = Client::connect(address).await;
    client
        .send(&format!(
            "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        ))
        .await;
    client.rest().await
}
