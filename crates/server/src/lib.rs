//! The server.

pub mod live;
