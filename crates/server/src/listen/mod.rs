//! Listening: from an address to requests at a router, and back to nothing in the drain.

mod accept;
mod bind;
mod connection;
mod head_timer;
mod lingering;
mod open_files;
mod refuse;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::settings::{self, Address, Settings};

pub use accept::{Edge, serve};
pub use bind::{BindError, Bound, bind, bind_all, ready_line};
pub use connection::is_body_timeout;
pub use open_files::raise_open_files;

/// The doors of the server, named as in the ready line (spec 6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EdgeName {
    /// REST and viewers of the sandbox.
    SandboxRest,
    /// Games of the sandbox.
    SandboxGamelink,
    /// REST and viewers of production.
    ProductionRest,
    /// Games of production.
    ProductionGamelink,
    /// Health, readiness, metrics.
    Ops,
}

impl EdgeName {
    /// All, in the order of the ready line.
    pub const ALL: [Self; 5] = [
        Self::SandboxRest,
        Self::SandboxGamelink,
        Self::ProductionRest,
        Self::ProductionGamelink,
        Self::Ops,
    ];

    /// The name, which is the flag of its address too.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SandboxRest => "sandbox-rest",
            Self::SandboxGamelink => "sandbox-gamelink",
            Self::ProductionRest => "production-rest",
            Self::ProductionGamelink => "production-gamelink",
            Self::Ops => "ops",
        }
    }

    /// The label of its stage in metrics and logs; `none` where it has none.
    pub const fn stage(self) -> &'static str {
        match self {
            Self::SandboxRest | Self::SandboxGamelink => "sandbox",
            Self::ProductionRest | Self::ProductionGamelink => "production",
            Self::Ops => "none",
        }
    }

    /// Where the settings want it.
    pub const fn address(self, listen: &settings::Listen) -> Address {
        match self {
            Self::SandboxRest => listen.sandbox_rest,
            Self::SandboxGamelink => listen.sandbox_gamelink,
            Self::ProductionRest => listen.production_rest,
            Self::ProductionGamelink => listen.production_gamelink,
            Self::Ops => listen.ops,
        }
    }
}

impl fmt::Display for EdgeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The other end of the connection a request came by: an extension of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// What a connection may take before it has become a request.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Request line and headers, in bytes; at least 8,192.
    pub head_bytes_max: usize,
    /// Time for the head, also for the next one on a connection kept alive.
    pub head_time_max: Duration,
    /// Time for the whole body.
    pub body_time_max: Duration,
    /// Open files of the process.
    pub open_files_max: u64,
    /// Open files that callers may not take.
    pub open_files_reserved: u64,
}

impl ConnectionLimits {
    /// From the settings; `open_files_max` is what [`raise_open_files`] found.
    pub fn new(settings: &Settings, open_files_max: u64) -> Self {
        Self {
            head_bytes_max: settings.limits.request_head_bytes_max,
            head_time_max: Duration::from_millis(settings.timeouts.request_head_ms_max),
            body_time_max: Duration::from_millis(settings.timeouts.request_body_ms_max),
            open_files_max,
            open_files_reserved: settings.limits.open_files_reserved,
        }
    }
}
