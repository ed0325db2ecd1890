//! Load by requests that differ: connections kept alive, one request at a time on each, and how
//! long each answer took.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::answers::{Answers, Times};
use crate::core_use;
use crate::load::now;
use crate::statistics::median;

/// Requests before the measurement begins.
pub(crate) const WARM_UP: Duration = Duration::from_secs(1);
/// Longest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1_024;

/// Makes the next request of one connection.
pub(crate) type Next = Box<dyn FnMut() -> Result<Vec<u8>> + Send>;
/// Makes what makes the requests of a connection.
pub(crate) type Requests = Box<dyn Fn(usize) -> Result<Next>>;

/// What to ask.
pub(crate) struct Load {
    pub(crate) requests: Requests,
    pub(crate) connections: usize,
    pub(crate) time: Duration,
}

/// A server's address and its process.
pub(crate) type Target = (SocketAddr, u32);

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    pub(crate) answers: Answers,
    /// Answers in a second of the servers' processor time.
    per_core_s: f64,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Answers {
            per_s,
            p50_ms,
            p99_ms,
            ..
        } = self.answers;
        let per_core_s = self.per_core_s;
        write!(
            f,
            "{per_s:.0}/s, {per_core_s:.0} per core second, p50 {p50_ms:.2} ms, p99 {p99_ms:.2} ms"
        )
    }
}

impl Figures {
    /// The median of each figure.
    pub(super) fn median(rounds: &[Self]) -> Result<Self> {
        let answers: Vec<_> = rounds.iter().map(|figures| figures.answers).collect();
        Ok(Self {
            answers: Answers::median(&answers)?,
            per_core_s: median(rounds, |figures| figures.per_core_s)?,
        })
    }
}

impl Load {
    /// Loads servers; the connections are dealt out to them.
    pub(crate) fn run(&self, servers: &[Target]) -> Result<Figures> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(self.measure(servers))
    }

    async fn measure(&self, servers: &[Target]) -> Result<Figures> {
        let times = Times::default();
        let mut asking = JoinSet::new();
        let dealt = servers.iter().cycle().take(self.connections);
        for (connection, (address, _)) in dealt.enumerate() {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let next = (self.requests)(connection)?;
            asking.spawn(ask(stream, next, times.clone()));
        }
        let used_s = || -> Result<f64> {
            let used = servers
                .iter()
                .map(|(_, process)| core_use::used_s(*process));
            used.sum()
        };
        let measured = async {
            sleep(WARM_UP).await;
            let before = used_s()?;
            let answers = times.count(self.time).await?;
            let used = used_s()? - before;
            Ok(Figures {
                answers,
                per_core_s: answers.count / used,
            })
        };
        tokio::select! {
            measured = measured => measured,
            failed = asking.join_next() => failed.context("no connections")??,
            never = stay_awake() => match never {},
        }
    }
}

/// Keeps the core that the load has to itself from falling asleep: a server would pay for waking it,
/// on a virtual machine as much as for a tenth of an answer, and only where the load has time to spare.
async fn stay_awake() -> Infallible {
    loop {
        tokio::task::yield_now().await;
    }
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
        times.answered(start)?;
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
