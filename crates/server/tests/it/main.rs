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
mod authentication_events;
mod envelope;
mod faults;
mod golden_frames;
mod grants_live;
mod harness;
mod kill;
mod limits;
mod pairing_in_extension;
mod pins_in_games;
mod refresh;
mod refresh_model;
mod revocation;
mod shutdown;
mod socket_paths;
