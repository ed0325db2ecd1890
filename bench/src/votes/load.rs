//! Load by requests that differ: connections kept alive, one request at a time on each, and how
//! long each answer took.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::core_use;
use crate::load::now;

/// Requests before the measurement begins.
const WARM_UP: Duration = Duration::from_secs(1);
/// Longest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1_024;

/// Makes the next request of one connection.
pub(super) type Next = Box<dyn FnMut() -> Result<Vec<u8>> + Send>;
/// Makes what makes the requests of a connection.
pub(super) type Requests = Box<dyn Fn(usize) -> Result<Next>>;

/// What to ask.
pub(super) struct Load {
    pub(super) requests: Requests,
    pub(super) connections: usize,
    pub(super) time: Duration,
}

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    /// Answers in a second.
    pub(super) per_s: f64,
    /// Answers in a second of the server's processor time.
    per_core_s: f64,
    p50_ms: f64,
    p99_ms: f64,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            per_s,
            per_core_s,
            p50_ms,
            p99_ms,
        } = self;
        write!(
            f,
            "{per_s:.0}/s, {per_core_s:.0} per core second, p50 {p50_ms:.2} ms, p99 {p99_ms:.2} ms"
        )
    }
}

impl Figures {
    /// The median of each figure.
    pub(super) fn median(rounds: &[Self]) -> Result<Self> {
        let median = |of: fn(&Self) -> f64| {
            let mut sorted: Vec<f64> = rounds.iter().map(of).collect();
            sorted.sort_by(f64::total_cmp);
            sorted.get(sorted.len() / 2).copied().context("no rounds")
        };
        Ok(Self {
            per_s: median(|figures| figures.per_s)?,
            per_core_s: median(|figures| figures.per_core_s)?,
            p50_ms: median(|figures| figures.p50_ms)?,
            p99_ms: median(|figures| figures.p99_ms)?,
        })
    }
}

/// Times of answers, in microseconds; the ones of the warm-up are taken out in between.
type Times = Arc<Mutex<Vec<u32>>>;

impl Load {
    /// Loads a server, which is that process.
    pub(super) fn run(&self, server: SocketAddr, process: u32) -> Result<Figures> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(self.measure(server, process))
    }

    async fn measure(&self, server: SocketAddr, process: u32) -> Result<Figures> {
        let times = Times::default();
        let mut asking = JoinSet::new();
        for connection in 0..self.connections {
            let stream = TcpStream::connect(server).await?;
            stream.set_nodelay(true)?;
            let next = (self.requests)(connection)?;
            asking.spawn(ask(stream, next, Arc::clone(&times)));
        }
        let measured = async {
            sleep(WARM_UP).await;
            times.lock().clear();
            let (before, start) = (core_use::used_s(process)?, now());
            sleep(self.time).await;
            let passed = (now() - start).as_secs_f64();
            let used = core_use::used_s(process)? - before;
            let mut times = std::mem::take(&mut *times.lock());
            times.sort_unstable();
            let count = f64::from(u32::try_from(times.len())?);
            Ok(Figures {
                per_s: count / passed,
                per_core_s: count / used,
                p50_ms: at(&times, 50)?,
                p99_ms: at(&times, 99)?,
            })
        };
        tokio::select! {
            measured = measured => measured,
            failed = asking.join_next() => failed.context("no connections")??,
        }
    }
}

/// A percentile of sorted times, in ms.
fn at(times: &[u32], percent: usize) -> Result<f64> {
    let time = times.get(times.len() * percent / 100);
    Ok(f64::from(*time.context("no answers")?) / 1_000.0)
}

/// Asks until it is dropped; ends with an error alone.
async fn ask(mut stream: TcpStream, mut next: Next, times: Times) -> Result<Figures> {
    let mut answer = Vec::with_capacity(ANSWER_BYTES_MAX);
    loop {
        let request = next()?;
        let start = now();
        stream.write_all(&request).await?;
        answer.clear();
        while !is_whole(&answer) {
            let read = stream.read_buf(&mut answer).await?;
            anyhow::ensure!(
                read > 0 && answer.starts_with(b"HTTP/1.1 200 ") && answer.len() < ANSWER_BYTES_MAX,
                "an answer that is not wanted: {}",
                String::from_utf8_lossy(&answer)
            );
        }
        let time = u32::try_from((now() - start).as_micros())?;
        times.lock().push(time);
    }
}

/// Whether a head and as much as it promises are there.
fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return false;
    };
    let (head, body) = answer.split_at(end + 4);
    let mut lines = head.split(|byte| *byte == b'\n');
    let length = lines.find_map(|line| {
        let (name, value) = line.split_at_checked(15)?;
        let value = std::str::from_utf8(value).ok()?;
        name.eq_ignore_ascii_case(b"content-length:")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    length.is_some_and(|length| body.len() >= length)
}
