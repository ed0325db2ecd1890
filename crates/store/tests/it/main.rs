//! The store from outside.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking, their harness included"
)]

mod backup;
mod bulk;
mod bulk_rules;
mod conformance;
mod faults;
mod grounds;
mod harness;
mod kill;
mod model;
mod postgres;
mod read_only;
mod sqlite;
mod transfer;
