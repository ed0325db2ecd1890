//! Private PostgreSQL and NATS servers for tests, measurements and `cargo xtask cluster`.
//!
//! Each instance has a port and a temporary folder of its own, listens on loopback only, and ends
//! with the process that started it, also when that one is killed. [`Proxy`] stands between a
//! client and a server and plays a broken network.
//!
//! Calls block for as long as the server takes: milliseconds to stop, about a second to start.
//! Asynchronous tests may call them directly as long as nothing else runs on that thread.
#![cfg(unix)]

mod account;
mod folder;
mod link;
mod nats;
mod polling;
mod port;
mod postgres;
mod program;
mod proxy;
mod template;

pub use self::nats::Nats;
pub use self::postgres::Postgres;
pub use self::proxy::{CONNECTIONS_MAX, Proxy};
