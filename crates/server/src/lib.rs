//! The server: settings, edges, live connections, operations and the command line.
//!
//! An edge decodes, calls one function of `crowdlink-core`, encodes. It never decides who may do
//! what.

pub mod access;
pub mod app;
mod backoff;
pub mod bus;
pub mod cli;
pub mod client_address;
pub mod commands;
pub mod direct;
pub mod events;
pub mod gamelink;
pub mod listen;
pub mod live;
pub mod logging;
pub mod ops;
pub mod rest;
pub mod settings;
pub mod shutdown;
pub mod takeover;
pub mod tls;
pub mod twitch;
pub mod viewer;
