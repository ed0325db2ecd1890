//! What happens when the process runs out of files. Alone in its process, because it uses them up.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its harness too"
)]

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use crowdlink_server::direct::Direct;
use crowdlink_server::listen::{ConnectionLimits, Edge, EdgeName, bind, raise_open_files, serve};
use crowdlink_server::logging::subscriber;
use crowdlink_server::settings::{Limits, Log, Settings};
use crowdlink_server::shutdown::Shutdown;
use crowdlink_store::{Clock, ManualClock};
use parking_lot::Mutex;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

fn start(open_files_max: u64, clock: Arc<dyn Clock>) -> SocketAddr {
    let bound = bind(EdgeName::SandboxRest, "127.0.0.1:0".parse().unwrap(), 1_024).unwrap();
    let address = bound.listener.local_addr().unwrap();
    let router = Router::new().route("/", get(|| async { "hello" }));
    let mut limits = ConnectionLimits::new(&Settings::default(), open_files_max);
    limits.open_files_reserved = 16;
    let edges = vec![Edge {
        bound,
        router,
        direct: Direct::default(),
        tls: None,
    }];
    tokio::spawn(serve(edges, limits, Shutdown::new(), clock));
    address
}

async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), work)
        .await
        .expect("it never happened")
}

async fn answer(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    soon(stream.read_to_string(&mut text)).await.unwrap();
    text
}

async fn ask(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(REQUEST).await.unwrap();
    answer(&mut stream).await
}

fn set_soft(current: u64) {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: Some(current),
        maximum,
    };
    setrlimit(Resource::Nofile, limit).unwrap();
}

#[tokio::test]
async fn callers_are_refused_politely_before_files_run_out_and_wait_where_there_are_none() {
    callers_beyond_the_limit_get_503().await;
    without_any_file_the_server_pauses_and_goes_on().await;
    the_soft_limit_is_raised();
}

async fn callers_beyond_the_limit_get_503() {
    let address = start(64, ManualClock::new(0));
    // Each takes two descriptors of this process: its own and the server's.
    let mut open = Vec::new();
    let refused = loop {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let mut first = [0; 12];
        soon(stream.read_exact(&mut first)).await.unwrap();
        if &first != b"HTTP/1.1 200" {
            assert_eq!(&first, b"HTTP/1.1 503");
            break answer(&mut stream).await;
        }
        open.push(stream);
        assert!(open.len() < 64, "nobody was refused");
    };
    assert!(refused.contains("retry-after: 5\r\n"), "{refused}");
    assert!(
        refused.contains(r#""reason":"Server is full""#),
        "{refused}"
    );
    assert!(open.len() > 4, "{}", open.len());
    drop(open);
    soon(async { while !ask(address).await.ends_with("hello") {} }).await;
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn count(&self, text: &str) -> usize {
        String::from_utf8_lossy(&self.0.lock())
            .matches(text)
            .count()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn without_any_file_the_server_pauses_and_goes_on() {
    const FAILED: &str = "cannot accept; pausing";
    let lines = Lines::default();
    let writer = lines.clone();
    let logged = subscriber(&Log::default(), move || writer.clone(), false).unwrap();
    let _guard = tracing::subscriber::set_default(logged);
    let clock = ManualClock::new(0);
    let address = start(u64::MAX, Arc::clone(&clock) as _);
    assert!(ask(address).await.ends_with("hello"));

    let before = getrlimit(Resource::Nofile).current.unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    set_soft(128);
    let mut files = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    let mut waiting = socket.connect(address).await.unwrap();
    waiting.write_all(REQUEST).await.unwrap();
    let failed = |times| {
        let lines = lines.clone();
        soon(async move {
            while lines.count(FAILED) < times {
                tokio::task::yield_now().await;
            }
        })
    };
    failed(1).await;
    // It tries again after each pause, and only then.
    clock.advance_ms(99);
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(lines.count(FAILED), 1);
    clock.advance_ms(1);
    failed(2).await;
    drop(files);
    clock.advance_ms(100);
    assert!(answer(&mut waiting).await.ends_with("hello"));
    assert_eq!(lines.count(FAILED), 2);
    set_soft(before);
}

fn the_soft_limit_is_raised() {
    set_soft(100);
    let hard = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    let limits = |open_files_max| Limits {
        open_files_max,
        ..Limits::default()
    };
    assert_eq!(raise_open_files(&limits(200)), 200.min(hard));
    assert_eq!(getrlimit(Resource::Nofile).current, Some(200.min(hard)));
    assert_eq!(raise_open_files(&limits(0)), hard.min(1_048_576));
}
