//! The domain of Crowdlink: who may do what, and what happens then.
//!
//! One module a feature, and no HTTP, SQL, sockets or wall clock: time, randomness, the store and
//! the bus are handed in as a [`World`]. Permission lives in the function whose rule it protects;
//! REST and WebSocket are two doors to the same functions.

mod bus;
mod caller;
mod combine;
pub mod config;
mod core;
pub mod datastream;
pub mod documents;
mod draft;
pub mod drops;
mod error;
pub mod gateway;
mod guess;
mod identity;
pub mod json_store;
mod keys;
mod limits;
pub mod matchmaking;
pub mod pairing;
mod presence;
pub mod purchases;
mod random;
mod rate;
pub mod registry;
mod secret;
mod shared;
pub mod state;
mod table;
pub mod tokens;
mod world;

pub use bus::{Bus, Delivery, LocalBus, Message, Subscription};
pub use caller::{Caller, Revocable};
pub use core::{Core, CoreOptions, CoreStats, Ended, Notice};
pub use error::{Error, Refusal, TokenFault};
pub use identity::{user_ids, user_info};
pub use limits::{Lifetimes, Limits, Rate};
pub use presence::{Presence, Present};
pub use random::{Random, SeededRandom};
pub use secret::{SECRET_BYTES_MIN, Secret};
pub use shared::{
    Change, Changed, DocumentKind, IfMatch, Parents, Place, Scope, Snapshot, Written,
};
pub use world::World;
