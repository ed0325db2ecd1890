//! The client as games use it: against the real program, and against a server that does what a real
//! one should not.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub
)]

mod harness;

mod arbitrary_frames;
mod bounds;
mod golden_frames;
mod interruptions;
mod kill;
mod matches;
mod pairing;
mod play;
mod polls;
mod readme;
mod revocation;
mod state;
#[cfg(feature = "tls")]
mod tls;
mod tokens;
