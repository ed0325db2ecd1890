//! Viewers that do not behave, beside those that are measured.

use std::io::{ErrorKind, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle, sleep};
use std::time::Duration;

use anyhow::Result;

use super::peers::Peer;
use crate::socket;

/// Their numbers begin here, above every viewer's and publisher's.
const FROM: usize = 200_000;
/// What a slow one takes in before it takes nothing, in bytes; the system doubles it.
const SLOW_BYTES: usize = 4_096;
/// Payload of a flood's frame, in bytes.
const FLOOD_FRAME_BYTES: usize = 1_000;
/// Most bytes that one flooding viewer writes at a time: the load has one core for everything.
const FLOOD_BYTES: usize = 64 * 1_024;
/// Pause between two turns of the flood.
const FLOOD_PAUSE: Duration = Duration::from_millis(10);

/// How a viewer does not behave.
#[derive(Clone, Copy)]
enum Manner {
    /// Subscribes and reads nothing.
    Slow,
    /// Connects and says nothing.
    Silent,
    /// Leaves in the middle of its request, without closing.
    HalfOpen,
    /// Subscribes and sends frames as fast as they are taken; when closed, it comes back.
    Flooding,
}

/// How many manners there are.
pub(super) const MANNERS_COUNT: usize = 4;

const MANNERS: [Manner; MANNERS_COUNT] = [
    Manner::Slow,
    Manner::Silent,
    Manner::HalfOpen,
    Manner::Flooding,
];

/// As many of each manner as were asked for. They go when this is dropped.
pub(super) struct Misbehaving {
    _kept: Vec<TcpStream>,
    flood: Option<JoinHandle<()>>,
    ends: Arc<AtomicBool>,
    /// Frames that the flood has sent, counted by what was taken of it.
    flooded_bytes: Arc<AtomicUsize>,
}

impl Misbehaving {
    /// Connects them.
    pub(super) fn start(peer: &Arc<Peer>, each: usize) -> Result<Self> {
        let (mut kept, mut flooding) = (Vec::new(), Vec::new());
        for (place, manner) in MANNERS.into_iter().enumerate() {
            for number in 0..each {
                let index = FROM + place * each + number;
                let stream = connect(peer, manner, index)?;
                if let Manner::Flooding = manner {
                    stream.set_nonblocking(true)?;
                    flooding.push((index, stream));
                } else {
                    kept.push(stream);
                }
            }
        }
        let frame = socket::text_frame(&[b'x'; FLOOD_FRAME_BYTES])?;
        let burst = frame.repeat(FLOOD_BYTES / frame.len());
        let ends = Arc::new(AtomicBool::new(false));
        let flooded_bytes = Arc::new(AtomicUsize::new(0));
        let flood = thread::spawn({
            let (peer, ends, bytes) = (
                Arc::clone(peer),
                Arc::clone(&ends),
                Arc::clone(&flooded_bytes),
            );
            move || {
                while !ends.load(Ordering::Relaxed) {
                    for (index, stream) in &mut flooding {
                        match stream.write(&burst) {
                            Ok(count) => {
                                bytes.fetch_add(count, Ordering::Relaxed);
                            }
                            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                            Err(_) => come_back(&peer, *index, stream),
                        }
                    }
                    sleep(FLOOD_PAUSE);
                }
            }
        });
        Ok(Self {
            _kept: kept,
            flood: Some(flood),
            ends,
            flooded_bytes,
        })
    }

    /// What the server has taken of the flood, in bytes.
    pub(super) fn flooded_bytes(&self) -> usize {
        self.flooded_bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Misbehaving {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let _ = self.flood.take().map(JoinHandle::join);
    }
}

fn connect(peer: &Peer, manner: Manner, index: usize) -> Result<TcpStream> {
    match manner {
        Manner::Slow => peer.listen(socket::connect_with(peer.address, index, Some(SLOW_BYTES))?),
        Manner::Silent => socket::connect(peer.address, index),
        Manner::HalfOpen => {
            let mut stream = socket::connect(peer.address, index)?;
            stream.write_all(b"GET /v1/viewer HTTP/1.1\r\nHost: x\r\nUpgr")?;
            Ok(stream)
        }
        Manner::Flooding => peer.subscribe(index),
    }
}

/// The server has closed it: that does not stop it. Where it is refused it tries again next time.
fn come_back(peer: &Peer, index: usize, stream: &mut TcpStream) {
    if let Ok(again) = peer.subscribe(index)
        && again.set_nonblocking(true).is_ok()
    {
        *stream = again;
    }
}
