//! What is particular to the engine for clusters.

mod bulk;
mod conformance;
pub(crate) mod server;
