//! What is particular to the engine for clusters.

mod bulk;
mod cluster;
mod conformance;
mod engine;
mod kill;
mod opening;
mod outage;
mod schema;
pub(crate) mod server;
mod sweep;
mod tls;
