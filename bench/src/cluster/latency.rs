//! How long an event takes: from before a write of the channel's state is sent to one node until a
//! game has heard of it, on the same node or on the other one.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::load::now;
use crate::server::CLIENT_ID;
use crate::statistics::{median, quantile_ms};
use crate::{game, socket};

/// Writes before the measurement begins: until the nodes know each other and all that is found once
/// is found.
const WARM_UP_EVENTS: u32 = 200;
/// Longest head and body of an answer, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1_024;
/// Messages of a game that are passed over while it waits for one event.
const MESSAGES_MAX: usize = 64;

/// Quantiles of one round.
struct Quantiles {
    p50_ms: f64,
    p99_ms: f64,
}

impl fmt::Display for Quantiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p50 {:.2} ms, p99 {:.2} ms", self.p50_ms, self.p99_ms)
    }
}

/// A game that listens, and what was measured with it.
struct Listener {
    name: &'static str,
    game: TcpStream,
    rounds: Vec<Quantiles>,
}

/// Who writes and who listens.
pub(super) struct Listening {
    writer: TcpStream,
    host: SocketAddr,
    token: String,
    listeners: [Listener; 2],
    /// Number of the next event.
    next: u64,
}

impl Listening {
    /// Connects to the node that is written to, and games to it and to the other node.
    pub(super) fn start(writes: SocketAddr, games: [SocketAddr; 2], token: &str) -> Result<Self> {
        let [same, other] = games.map(|games| subscribe(games, token));
        let listener = |name, game| Listener {
            name,
            game,
            rounds: Vec::new(),
        };
        let mut listening = Self {
            writer: socket::connect(writes, 0)?,
            host: writes,
            token: token.to_owned(),
            listeners: [
                listener("on the node of the write", same?),
                listener("on the other node", other?),
            ],
            next: 1,
        };
        listening.times(WARM_UP_EVENTS)?;
        Ok(listening)
    }

    /// Measures so many events, each heard by both games, and prints what it was.
    pub(super) fn measure(&mut self, round: u32, events: u32) -> Result<()> {
        let times = self.times(events)?;
        for (listener, mut times) in self.listeners.iter_mut().zip(times) {
            times.sort_unstable();
            let quantiles = Quantiles {
                p50_ms: quantile_ms(&times, 50)?,
                p99_ms: quantile_ms(&times, 99)?,
            };
            println!("round {round}: an event {}: {quantiles}", listener.name);
            listener.rounds.push(quantiles);
        }
        Ok(())
    }

    /// Prints the medians.
    pub(super) fn conclude(&self) -> Result<()> {
        for Listener { name, rounds, .. } in &self.listeners {
            let quantiles = Quantiles {
                p50_ms: median(rounds, |quantiles| quantiles.p50_ms)?,
                p99_ms: median(rounds, |quantiles| quantiles.p99_ms)?,
            };
            println!("median: from write to event {name}: {quantiles}");
        }
        Ok(())
    }

    /// Times of so many events at each game, in microseconds. One game is waited for at a time, in
    /// turns, so that reading one does not make the other late; nothing else is under way.
    fn times(&mut self, events: u32) -> Result<[Vec<u32>; 2]> {
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..events {
            for (timed, times) in times.iter_mut().enumerate() {
                times.push(self.time(timed)?);
            }
        }
        Ok(times)
    }

    /// Writes once, and takes the time at one of the games; the other one is read afterwards.
    fn time(&mut self, timed: usize) -> Result<u32> {
        let mark = format!("event-{:012}", self.next);
        self.next += 1;
        let write = self.write(&mark);
        let start = now();
        self.writer.write_all(&write)?;
        let (first, second) = self.listeners.split_at_mut(1);
        let mut turns: Vec<_> = first.iter_mut().chain(second).collect();
        turns.rotate_left(timed);
        let mut turns = turns.into_iter();
        hear(&mut turns.next().context("no game")?.game, &mark)?;
        let time = u32::try_from((now() - start).as_micros())?;
        for listener in turns {
            hear(&mut listener.game, &mark)?;
        }
        read_answer(&mut self.writer)?;
        Ok(time)
    }

    fn write(&self, mark: &str) -> Vec<u8> {
        let body = json!({ "newest": mark }).to_string();
        let Self { host, token, .. } = self;
        let length = body.len();
        format!(
            "POST /v1/e/channel_state HTTP/1.1\r\nhost: {host}\r\n\
             authorization: {CLIENT_ID} {token}\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }
}

/// A game that hears of the channel's state.
fn subscribe(to: SocketAddr, token: &str) -> Result<TcpStream> {
    let mut game = game::connect(to, 0, token)?;
    let subscribe = json!({
        "action": "subscribe",
        "params": { "request_id": 2, "target": "state" },
        "data": { "topic_id": "channel" },
    });
    game.write_all(&socket::text_frame(subscribe.to_string().as_bytes())?)?;
    let answer: Value = serde_json::from_slice(&socket::read_frame(&mut game)?)?;
    anyhow::ensure!(
        answer.pointer("/data/ok") == Some(&Value::Bool(true)),
        "not subscribed: {answer}"
    );
    Ok(game)
}

/// Waits for the event with this mark.
fn hear(game: &mut TcpStream, mark: &str) -> Result<()> {
    for _ in 0..MESSAGES_MAX {
        let message = socket::read_frame(game)?;
        if memchr::memmem::find(&message, mark.as_bytes()).is_some() {
            return Ok(());
        }
    }
    anyhow::bail!("the event did not come")
}

/// The answer to a write, which has a body of at most one read.
fn read_answer(writer: &mut TcpStream) -> Result<()> {
    let mut answer = vec![0; ANSWER_BYTES_MAX];
    // An answer this small comes in one piece.
    let read = writer.read(&mut answer)?;
    anyhow::ensure!(
        answer.starts_with(b"HTTP/1.1 200 "),
        "not written: {}",
        String::from_utf8_lossy(answer.get(..read).unwrap_or_default())
    );
    Ok(())
}
