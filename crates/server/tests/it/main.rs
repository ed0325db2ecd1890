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
mod authorization_header;
mod authtoken;
mod binary_frames;
mod bodies;
mod coins;
mod combining;
mod command_line;
mod config;
mod cors;
mod datastream;
mod datastream_bounds;
mod document_limits;
mod drain;
mod drops;
mod envelope;
mod errors;
mod etags;
mod exchange;
mod faults;
mod gateway;
mod gateway_purchases;
mod golden_frames;
mod golden_played;
mod grants;
mod grants_live;
mod guessing;
mod harness;
mod json_store;
mod kill;
mod kill_coins;
mod kill_storm;
mod limits;
mod matchmaking;
mod pairing_in_extension;
mod pairing_in_game;
mod parity;
mod pins_in_games;
mod purchases;
mod purchases_told;
mod rates;
mod refresh;
mod refresh_model;
mod revocation;
mod revocation_live;
mod secrets;
mod shutdown;
mod socket_paths;
mod stage_rule;
mod state;
mod state_events;
mod state_in_games;
mod store_down;
mod takeover;
mod user_ids;
mod user_info;
mod viewer_events;
