//! A restart by `--takeover`, with real processes: nobody is refused (DESIGN 4).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::eventually;
use crate::harness::program::Process;

/// Connects and asks as fast as it can, a new connection each time.
async fn callers(address: SocketAddr, stop: Arc<AtomicBool>, answered: Arc<AtomicUsize>) {
    while !stop.load(Ordering::Relaxed) {
        let mut socket = TcpStream::connect(address).await.expect("refused");
        let request = b"GET /v1/e/user_info HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        socket.write_all(request).await.expect("cut off");
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.expect("cut off");
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer:?}");
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_restarts_in_a_row_refuse_nobody() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Process::start(data.path(), &["serve"]);
    let ready = server.ready.clone();
    let address = server.address("sandbox-rest");
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::default());
    let running: Vec<_> = (0..4)
        .map(|_| tokio::spawn(callers(address, Arc::clone(&stop), Arc::clone(&answered))))
        .collect();
    let progress = || async {
        let before = answered.load(Ordering::Relaxed);
        eventually("callers are answered", || async {
            answered.load(Ordering::Relaxed) >= before + 100
        })
        .await;
    };
    for _ in 0..2 {
        progress().await;
        let path = data.path().to_owned();
        let start = || Process::start(&path, &["serve", "--takeover"]);
        let mut old = std::mem::replace(&mut server, tokio::task::block_in_place(start));
        assert_eq!(server.ready, ready, "the same sockets");
        let status = tokio::task::block_in_place(|| old.ended());
        assert_eq!(status.code(), Some(0));
        progress().await;
    }
    stop.store(true, Ordering::Relaxed);
    for task in running {
        task.await.unwrap();
    }
    server.terminate();
    let status = tokio::task::block_in_place(|| server.ended());
    assert_eq!(status.code(), Some(0));
}
