//! The servers as their users see them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod left_behind;
mod nats;
mod postgres;
mod proxy;
