//! A server with its viewers, and the load on it: one thread that waits for whatever comes and reads
//! it, with one look at the clock and one system call for each read. It must not be what is measured.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::ops::Range;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::event::{Timespec, epoll};
use tokio::time::Instant;

use super::events::{self, Events, MARK_BYTES};
use super::figures::Figures;
use super::peers::{Kind, Peer, Programs};
use crate::core_use;
use crate::load::now;
use crate::memory;
use crate::statistics::quantile_ms;

/// Connections before the first look at the memory: what is made once for all is made by then.
const WARM_UP: usize = 200;
/// Connections that publish, each one event at a time.
pub(super) const PUBLISHERS: usize = 16;
/// Threads that connect viewers.
const SEATING_THREADS: usize = 32;
/// Publishers' numbers begin here, above every viewer's.
const PUBLISHERS_FROM: usize = 100_000;
/// Most bytes one read takes.
const READ_BYTES_MAX: usize = 64 * 1_024;
/// Sockets that are told of at once.
const READY_MAX: usize = 1_024;
/// Events before the measurement begins.
const SETTLE: Duration = Duration::from_millis(400);
/// For what is under way to arrive at the end.
const LATE_MAX: Duration = Duration::from_secs(20);
/// The memory of a process that collects garbage never stands quite still.
const SLACK_BYTES: u64 = 128 * 1_024;

/// How events follow each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Pace {
    /// So many at a time: when everybody has one, the next one goes out.
    InFlight(usize),
    /// One after each pause, whatever became of the others.
    Every(Duration),
}

/// A viewer, and the beginning of a mark that the last read ended with.
struct Viewer {
    stream: TcpStream,
    carried: Vec<u8>,
}

/// A server with its viewers.
pub(super) struct Stand {
    pub(super) peer: Arc<Peer>,
    /// Memory of the server for each of its connections.
    pub(super) bytes_per_connection: u64,
    viewers: Vec<Viewer>,
    publishers: Vec<TcpStream>,
    ready: rustix::fd::OwnedFd,
    next_event: usize,
    /// What the server puts around an event's text, in bytes.
    wrapping_bytes: usize,
}

impl Stand {
    /// Starts a server on the core for servers and connects its viewers.
    pub(super) fn start(
        kind: Kind,
        programs: &Programs,
        viewers: usize,
        (for_servers, for_load): (usize, usize),
    ) -> Result<Self> {
        core_use::stay_on(for_servers)?;
        let peer = Arc::new(Peer::start(kind, programs)?);
        core_use::stay_on(for_load)?;
        let mut stand = Self {
            peer,
            bytes_per_connection: 0,
            viewers: Vec::with_capacity(viewers),
            publishers: Vec::with_capacity(PUBLISHERS),
            ready: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            next_event: 0,
            wrapping_bytes: 0,
        };
        let process = stand.peer.id();
        stand.seat(0..WARM_UP.min(viewers))?;
        let before = memory::at_rest(process, SLACK_BYTES)?;
        stand.seat(WARM_UP.min(viewers)..viewers)?;
        let after = memory::at_rest(process, SLACK_BYTES)?;
        let counted = u64::try_from(viewers.saturating_sub(WARM_UP).max(1))?;
        stand.bytes_per_connection = after.saturating_sub(before) / counted;
        for index in 0..PUBLISHERS {
            let stream = stand.peer.publisher(PUBLISHERS_FROM + index)?;
            stand.watch(&stream, PUBLISHERS_FROM + index)?;
            stand.publishers.push(stream);
        }
        stand.wrapping_bytes = stand.wrapping()?;
        Ok(stand)
    }

    /// Connects viewers, several at a time: a handshake is mostly waiting.
    fn seat(&mut self, indices: Range<usize>) -> Result<()> {
        let peer = &self.peer;
        let indices: Vec<usize> = indices.collect();
        let share = indices.len().div_ceil(SEATING_THREADS).max(1);
        let seated = thread::scope(|scope| {
            let threads: Vec<_> = indices
                .chunks(share)
                .map(|share| {
                    let seat = |index: &usize| peer.subscribe(*index);
                    scope.spawn(move || share.iter().map(seat).collect::<Result<Vec<_>>>())
                })
                .collect();
            let joined = threads.into_iter().map(thread::ScopedJoinHandle::join);
            joined.collect::<Vec<_>>()
        });
        for streams in seated {
            let streams = streams.map_err(|_| anyhow::anyhow!("a thread ended early"))?;
            for stream in streams? {
                self.watch(&stream, self.viewers.len())?;
                let carried = Vec::new();
                self.viewers.push(Viewer { stream, carried });
            }
        }
        Ok(())
    }

    fn watch(&self, stream: &TcpStream, index: usize) -> Result<()> {
        let index = epoll::EventData::new_u64(u64::try_from(index)?);
        Ok(epoll::add(
            &self.ready,
            stream,
            index,
            epoll::EventFlags::IN,
        )?)
    }

    /// Measured by the first event: how much longer a message is than the text in it. A frame's own
    /// header is of four bytes.
    fn wrapping(&mut self) -> Result<usize> {
        const TEXT_BYTES: usize = 300;
        const MESSAGES_MAX: usize = 8;
        let publisher = self.publishers.first_mut().context("no publishers")?;
        publisher.write_all(&self.peer.event(&events::text(0, TEXT_BYTES))?)?;
        self.next_event = 1;
        let viewer = self.viewers.first_mut().context("no viewers")?;
        // NATS may have something to say first.
        for _ in 0..MESSAGES_MAX {
            let message = crate::socket::read_frame(&mut viewer.stream)?;
            let mut ends = false;
            events::scan(&message, |_| ends = true);
            if ends {
                let wrapping = message.len().checked_sub(TEXT_BYTES);
                return wrapping.context("a short message");
            }
        }
        anyhow::bail!("the first event did not come")
    }

    /// Measures messages of so many bytes.
    pub(super) fn measure(&mut self, bytes: usize, pace: Pace, time: Duration) -> Result<Figures> {
        self.drain()?;
        let start = now();
        let counts_from = start + SETTLE;
        let end = counts_from + time;
        let mut round = Round {
            events: Events::new(self.viewers.len(), self.next_event, counts_from, time),
            text_bytes: bytes.saturating_sub(self.wrapping_bytes).max(MARK_BYTES),
            pace,
            end,
            used: (0.0, 0.0),
        };
        if let Pace::InFlight(count) = pace {
            for slot in 0..count.min(PUBLISHERS) {
                self.publish(&mut round, slot)?;
            }
        }
        let (mut next, mut slot) = (start, 0);
        let mut looked = None;
        let mut seen = None;
        let mut scratch = vec![0; READ_BYTES_MAX + MARK_BYTES];
        let mut ready = Vec::with_capacity(READY_MAX);
        loop {
            let time = now();
            if looked.is_none() && time >= counts_from {
                looked = Some(self.used_s()?);
            }
            if seen.is_none() && time >= end {
                seen = Some(self.used_s()?);
            }
            if let Pace::Every(pause) = pace
                && time >= next
                && time < end
            {
                self.publish(&mut round, slot % PUBLISHERS)?;
                (next, slot) = (next + pause, slot + 1);
            }
            if time >= end && round.events.all_received() {
                break;
            }
            anyhow::ensure!(time < end + LATE_MAX, "events were lost or come too late");
            let wake = if time < end {
                next.min(end)
            } else {
                time + SETTLE
            };
            self.attend(&mut round, &mut ready, &mut scratch, wake.max(time) - time)?;
        }
        self.next_event = round.events.next();
        round.used = before_after(looked, seen)?;
        round.figures(time)
    }

    /// Reads what is left of earlier events.
    fn drain(&mut self) -> Result<()> {
        for viewer in &mut self.viewers {
            viewer.carried.clear();
        }
        let mut scratch = vec![0; READ_BYTES_MAX];
        let mut ready = Vec::with_capacity(READY_MAX);
        loop {
            epoll::wait(
                &self.ready,
                rustix::buffer::spare_capacity(&mut ready),
                Some(&timespec(SETTLE)?),
            )?;
            if ready.is_empty() {
                return Ok(());
            }
            for event in ready.drain(..) {
                let index = event.data.u64();
                if self.stream(index)?.read(&mut scratch)? == 0 {
                    self.was_closed(index)?;
                }
            }
        }
    }

    fn stream(&mut self, index: u64) -> Result<&mut TcpStream> {
        let index = usize::try_from(index)?;
        let stream = match index.checked_sub(PUBLISHERS_FROM) {
            Some(publisher) => self.publishers.get_mut(publisher),
            None => self.viewers.get_mut(index).map(|viewer| &mut viewer.stream),
        };
        stream.context("a strange socket")
    }

    /// The server closed a connection: some do with a publisher's, once it has its answer.
    fn was_closed(&self, index: u64) -> Result<()> {
        let kind = self.peer.kind;
        let slot = usize::try_from(index)?.checked_sub(PUBLISHERS_FROM);
        let publisher = slot.filter(|_| kind.closes());
        let stream = publisher.and_then(|slot| self.publishers.get(slot));
        let stream = stream.with_context(|| format!("{kind}: a connection was closed"))?;
        Ok(epoll::delete(&self.ready, stream)?)
    }

    fn publish(&mut self, round: &mut Round, slot: usize) -> Result<()> {
        let text = events::text(round.events.next(), round.text_bytes);
        let event = self.peer.event(&text)?;
        if self.peer.kind.closes() {
            let stream = self.peer.publisher(PUBLISHERS_FROM + slot)?;
            self.watch(&stream, PUBLISHERS_FROM + slot)?;
            *self.publishers.get_mut(slot).context("no publisher")? = stream;
        }
        let publisher = self.publishers.get_mut(slot).context("no publisher")?;
        round.events.sent(slot, now());
        publisher.write_all(&event)?;
        Ok(())
    }

    /// Waits for what comes, not longer than a while, and reads it.
    fn attend(
        &mut self,
        round: &mut Round,
        ready: &mut Vec<epoll::Event>,
        scratch: &mut [u8],
        wait: Duration,
    ) -> Result<()> {
        ready.clear();
        epoll::wait(
            &self.ready,
            rustix::buffer::spare_capacity(ready),
            Some(&timespec(wait)?),
        )?;
        let mut finished = Vec::new();
        for event in ready.drain(..) {
            let index = usize::try_from(event.data.u64())?;
            if let Some(viewer) = self.viewers.get_mut(index) {
                viewer.read(scratch, &mut round.events, &mut finished)?;
            } else {
                self.answer(index, scratch)?;
            }
        }
        if let Pace::InFlight(_) = round.pace
            && now() < round.end
        {
            for slot in finished {
                self.publish(round, slot)?;
            }
        }
        Ok(())
    }

    /// What comes to a publisher: some answer each event.
    fn answer(&mut self, index: usize, scratch: &mut [u8]) -> Result<()> {
        let kind = self.peer.kind;
        let index = u64::try_from(index)?;
        let read = self.stream(index)?.read(scratch)?;
        if read == 0 {
            return self.was_closed(index);
        }
        let answer = scratch.get(..read).unwrap_or_default();
        anyhow::ensure!(
            !kind.answers() || answer.starts_with(b"HTTP/1.1 200 "),
            "{kind}: refused: {}",
            String::from_utf8_lossy(answer)
        );
        Ok(())
    }

    /// Processor time of the server and of this program.
    fn used_s(&self) -> Result<(f64, f64)> {
        let own = core_use::used_s(std::process::id())?;
        Ok((core_use::used_s(self.peer.id())?, own))
    }
}

impl Viewer {
    fn read(
        &mut self,
        scratch: &mut [u8],
        events: &mut Events,
        finished: &mut Vec<usize>,
    ) -> Result<()> {
        let carried = self.carried.len();
        let (before, into) = scratch
            .split_at_mut_checked(carried)
            .context("too much is carried")?;
        before.copy_from_slice(&self.carried);
        let read = self.stream.read(into)?;
        anyhow::ensure!(read > 0, "a viewer's connection was closed");
        let now = now();
        let bytes = scratch.get(..carried + read).unwrap_or_default();
        let mut outcome = Ok(());
        let rest = events::scan(bytes, |number| match events.received(number, now) {
            Ok(slot) => finished.extend(slot),
            Err(error) => outcome = Err(error),
        });
        self.carried.clear();
        let from = bytes.len() - rest;
        self.carried
            .extend_from_slice(bytes.get(from..).unwrap_or_default());
        outcome
    }
}

/// One measurement.
struct Round {
    events: Events,
    text_bytes: usize,
    pace: Pace,
    end: Instant,
    /// Processor time while it counted, of the server and of the load, in seconds.
    used: (f64, f64),
}

impl Round {
    fn figures(&mut self, time: Duration) -> Result<Figures> {
        let deliveries = f64::from(self.events.deliveries);
        self.events.latencies_us.sort_unstable();
        Ok(Figures {
            per_s: deliveries / time.as_secs_f64(),
            per_core_s: deliveries / self.used.0,
            p50_ms: quantile_ms(&self.events.latencies_us, 50)?,
            p99_ms: quantile_ms(&self.events.latencies_us, 99)?,
            load: self.used.1 / time.as_secs_f64(),
        })
    }
}

type Used = (f64, f64);

fn before_after(before: Option<Used>, after: Option<Used>) -> Result<Used> {
    let (before, after) = before.zip(after).context("the measurement was too short")?;
    Ok((after.0 - before.0, after.1 - before.1))
}

fn timespec(wait: Duration) -> Result<Timespec> {
    Ok(Timespec::try_from(wait)?)
}
