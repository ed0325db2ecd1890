//! Load: connections that are kept alive, one request at a time on each. It does as little as it
//! can, for it must not be what is measured.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::core_use;

/// Requests before the measurement begins.
const WARM_UP: Duration = Duration::from_secs(1);
/// Longest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1_024;

/// What to ask, and what to expect.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// Whole requests, dealt out to the connections.
    pub(crate) requests: Vec<Vec<u8>>,
    /// The body of every answer.
    pub(crate) body: Vec<u8>,
    /// How many connections.
    pub(crate) connections: usize,
    /// How long to measure.
    pub(crate) time: Duration,
}

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    /// Requests in a second.
    pub(crate) per_s: f64,
    /// Requests in a second of the server's processor time.
    pub(crate) per_core_s: f64,
}

impl Load {
    /// Loads a server, which is that process.
    pub(crate) fn run(&self, server: SocketAddr, process: u32) -> Result<Figures> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(self.measure(server, process))
    }

    async fn measure(&self, server: SocketAddr, process: u32) -> Result<Figures> {
        let answers = Arc::new(AtomicU64::new(0));
        let mut asking = JoinSet::new();
        for request in self.requests.iter().cycle().take(self.connections) {
            let stream = TcpStream::connect(server).await?;
            stream.set_nodelay(true)?;
            let (request, body) = (request.clone(), self.body.clone());
            asking.spawn(ask(stream, request, body, Arc::clone(&answers)));
        }
        let measured = async {
            sleep(WARM_UP).await;
            let before = (answers.load(Ordering::Relaxed), core_use::used_s(process)?);
            let start = now();
            sleep(self.time).await;
            let after = (answers.load(Ordering::Relaxed), core_use::used_s(process)?);
            let count = f64::from(u32::try_from(after.0 - before.0)?);
            Ok(Figures {
                per_s: count / (now() - start).as_secs_f64(),
                per_core_s: count / (after.1 - before.1),
            })
        };
        tokio::select! {
            measured = measured => measured,
            failed = asking.join_next() => failed.context("no connections")??,
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "to measure is to look at the clock"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Asks until it is dropped; ends with an error alone.
async fn ask(
    mut stream: TcpStream,
    request: Vec<u8>,
    body: Vec<u8>,
    answers: Arc<AtomicU64>,
) -> Result<Figures> {
    let mut answer = Vec::with_capacity(ANSWER_BYTES_MAX);
    loop {
        stream.write_all(&request).await?;
        answer.clear();
        while !is_whole(&answer, &body) {
            let read = stream.read_buf(&mut answer).await?;
            anyhow::ensure!(
                read > 0 && answer.starts_with(b"HTTP/1.1 200 ") && answer.len() < ANSWER_BYTES_MAX,
                "an answer that is not wanted: {}",
                String::from_utf8_lossy(&answer)
            );
        }
        answers.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whether the expected body is there behind a head.
fn is_whole(answer: &[u8], body: &[u8]) -> bool {
    let head = answer.strip_suffix(body);
    head.is_some_and(|head| head.ends_with(b"\r\n\r\n"))
}
