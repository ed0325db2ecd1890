//! Tokens as attackers make them, and as people misuse them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod diagnosis;
mod forge;
mod hostile;
mod hostile_claims;
mod hostile_headers;
mod silence;
