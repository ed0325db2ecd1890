//! The server as its users see it: real sockets, a store in memory, a clock that tests move.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    clippy::missing_panics_doc
)]

mod authenticate;
mod envelope;
mod harness;
mod pairing_in_extension;
mod socket_paths;
