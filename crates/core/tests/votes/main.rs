//! Votes against a model that counts them one by one: over stores that fail, on two nodes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub
)]

mod model;
mod naive;
mod nodes;
mod races;
