//! What is particular to the engine for clusters.

mod conformance;
mod server;
