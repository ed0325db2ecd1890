//! Live connections on real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets what it did not expect has failed"
)]

mod closing;
mod fan_out;
mod harness;
mod limits;
mod messages;
mod time;
