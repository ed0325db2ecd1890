//! The server.

pub mod access;
pub mod cli;
pub mod client_address;
pub mod listen;
pub mod logging;
pub mod ops;
pub mod settings;
pub mod shutdown;
pub mod takeover;
