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

mod accumulate;
mod accumulate_paging;
mod authenticate;
mod authentication_events;
mod authorization_header;
mod authtoken;
mod binary_frames;
mod bodies;
mod broadcast;
mod broadcast_in_games;
mod broadcast_nodes;
mod broadcast_sizes;
mod cluster;
mod cluster_faults;
mod codes;
mod codes_kill;
mod codes_redeem;
mod codes_upload;
mod codes_winners;
mod coins;
mod combining;
mod command_line;
mod config;
mod cors;
mod datastream;
mod datastream_bounds;
mod direct;
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
mod golden_documents;
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
mod match_polls;
mod match_polls_reach;
mod matches;
mod matchmaking;
mod moving;
mod openapi;
mod pairing_in_extension;
mod pairing_in_game;
mod parity;
mod pins_in_games;
mod platform;
mod platform_nodes;
mod platform_trouble;
mod poll_events;
mod poll_events_live;
mod poll_events_reach;
mod poll_parity;
mod polls_in_games;
mod postgres;
mod postgres_start;
mod purchases;
mod purchases_told;
mod pusher;
mod pusher_limits;
mod rank;
mod rates;
mod refresh;
mod refresh_model;
mod revocation;
mod revocation_live;
mod rig;
mod rig_receipts;
mod secrets;
mod shutdown;
mod socket_paths;
mod stage_rule;
mod state;
mod state_events;
mod state_in_games;
mod store_down;
mod takeover;
mod tls;
mod tls_files;
mod tls_handshakes;
mod tls_program;
mod trivia;
mod trivia_races;
mod trivia_rules;
mod user_ids;
mod user_info;
mod viewer_events;
mod viewer_socket;
mod viewer_socket_limits;
mod viewers_misbehaving;
mod votes;
