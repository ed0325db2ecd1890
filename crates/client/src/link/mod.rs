//! The connection and what keeps it: one task a game, which alone touches the socket.
//!
//! The rest of the crate gives it commands through a bounded channel and gets answers through
//! one-shot channels; events go to bounded queues. So nothing that a game does, or leaves undone,
//! keeps the connection waiting.

mod board;
mod flight;
mod opening;
mod pace;
mod session;
mod socket;
mod task;

use std::sync::Arc;

use serde_json::value::RawValue;
use tokio::sync::oneshot;

pub use board::STREAMS_MAX;
pub(crate) use opening::{Credential, Opened, Opening};
pub(crate) use task::{Ends, Shared, State, Task};

use crate::error::Error;
use crate::frame::Ask;
use crate::queue::Queue;
use crate::topic::Topic;

/// Commands that wait for the connection; who gives more waits.
pub(crate) const COMMANDS_MAX: usize = 256;

/// Whether a request may be sent again when the connection ended before its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Reads, and what is the same done twice.
    Always,
    /// Everything else: its caller hears that it was interrupted.
    Never,
}

/// Who waits for an answer.
pub(crate) type Answer<T> = oneshot::Sender<Result<T, Error>>;

/// What the game wants.
#[derive(Debug)]
pub(crate) enum Command {
    /// One request.
    Call {
        ask: Ask,
        repeat: Repeat,
        answer: Answer<Option<Box<RawValue>>>,
    },
    /// Events of a topic; without one everything that comes, which needs no request.
    Listen {
        topic: Option<Topic>,
        queue: Arc<Queue>,
        answer: Answer<()>,
    },
}
