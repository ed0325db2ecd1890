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

mod authorization_header;
mod authtoken;
mod binary_frames;
mod bodies;
mod command_line;
mod cors;
mod drain;
mod errors;
mod exchange;
mod grants;
mod guessing;
mod harness;
mod pairing_in_extension;
mod pairing_in_game;
mod rates;
mod revocation;
mod secrets;
mod stage_rule;
mod store_down;
mod takeover;
mod user_ids;
mod user_info;
