//! The domain of Crowdlink: who may do what, and what happens then.
//!
//! One module a feature, and no HTTP, SQL, sockets or wall clock: time, randomness, the store and
//! the bus are handed in as a [`World`]. Permission lives in the function whose rule it protects;
//! REST and WebSocket are two doors to the same functions.

pub mod accumulate;
pub mod broadcast;
mod bus;
mod caller;
pub mod codes;
mod combine;
pub mod config;
mod core;
pub mod datastream;
pub mod documents;
mod draft;
pub mod drops;
mod error;
pub mod gateway;
mod gathered;
mod guess;
mod identity;
pub mod json_store;
mod keys;
pub mod lease;
mod limits;
pub mod matches;
pub mod matchmaking;
mod message;
mod missed;
mod nodes;
pub mod pairing;
pub mod polls;
mod presence;
pub mod purchases;
mod random;
pub mod rank;
mod rate;
pub mod registry;
pub mod rig;
mod runs;
mod secret;
mod shared;
pub mod state;
mod table;
pub mod tokens;
pub mod trivia;
mod turns;
mod world;

#[cfg(feature = "conformance")]
pub use bus::conformance as bus_conformance;
pub use bus::{Bus, Delivery, LocalBus, Message, Subscription};
pub use caller::{Caller, Revocable, check_id};
pub use core::{Core, CoreOptions, CoreStats, Ended, Notice};
pub use error::{Error, Refusal, TokenFault};
pub use gathered::DEFAULT_ID;
pub use identity::{note_listener, user_ids, user_info};
pub use limits::{Lifetimes, Limits, Rate};
pub use message::{encode_message, message_text};
pub use nodes::{LEASE_MS as NODE_LEASE_MS, NODES_MAX, Node};
pub use presence::{Presence, Present};
pub use random::{Random, SeededRandom};
pub use secret::{SECRET_BYTES_MIN, Secret};
pub use shared::{
    Change, Changed, DocumentKind, IfMatch, Parents, Place, Scope, Snapshot, Written,
};
pub use world::World;
