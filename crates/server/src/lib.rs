//! The server.

pub mod cli;
pub mod client_address;
pub mod settings;
pub mod shutdown;
