//! Tests of everything around the edges, over real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its harness too"
)]

mod access;
mod doctor;
mod harness;
mod listen;
mod ops;
mod program;
mod takeover;
