//! Restart without refusing anybody: a new process takes the listening sockets over while the old
//! one still serves (DESIGN 4, docs/adr/0005).
//!
//! The two talk over the Unix socket `takeover.sock` in the data directory:
//!
//! 1. old → new: one line of JSON that names the sockets, with their descriptors (SCM_RIGHTS)
//! 2. new → old: `accepting`, once it accepts on them
//! 3. old → new: `draining`
//!
//! Both accept from one queue between 1 and 3, so no connection is refused. Until 2 the old one
//! has changed nothing: where the new one fails, it serves on.

mod door;
mod take;
mod wire;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

pub use door::Door;
pub use take::{Handover, bind_or_take, take};

/// What the new process says when it accepts.
const ACCEPTING: &str = "accepting";
/// What the old process says when it stops.
const DRAINING: &str = "draining";

/// Where the running server can be reached.
fn socket_path(data: &Path) -> PathBuf {
    data.join("takeover.sock")
}

/// Why sockets could not be taken over.
#[derive(Debug)]
pub enum TakeoverError {
    /// Nobody is there, or the connection broke.
    Io(io::Error),
    /// The other process belongs to another user.
    OtherUser {
        /// Its user id.
        uid: u32,
    },
    /// The other process said nothing in time.
    Silent,
    /// The other process said something else than it should.
    Malformed(String),
}

impl fmt::Display for TakeoverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "no server to take over from: {error}"),
            Self::OtherUser { uid } => {
                write!(
                    f,
                    "the other process belongs to user {uid}, not to this one"
                )
            }
            Self::Silent => write!(f, "the other process did not answer in time"),
            Self::Malformed(what) => write!(f, "the other process sent {what}"),
        }
    }
}

impl std::error::Error for TakeoverError {}

impl From<io::Error> for TakeoverError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
