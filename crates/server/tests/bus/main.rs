//! The bus over a NATS server of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub
)]

mod cluster;
mod conformance;
mod cuts;
mod strangers;
