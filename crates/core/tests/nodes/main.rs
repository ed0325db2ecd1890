//! Several nodes over one store, and a bus between them that loses, delays and is cut.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub
)]

mod cluster;
mod credentials;
mod documents;
mod model;
mod polls;
mod wire;
mod words;
