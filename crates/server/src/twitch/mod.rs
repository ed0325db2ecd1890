//! The platform's PubSub, a way out to viewers in production (`spec 4.5`).
//!
//! Events wait in one bounded queue for each channel, and a task for each channel that has
//! something to send takes them out: never faster than the platform allows, and only while this
//! node holds the channel's lease. So a platform that is slow or gone holds nobody up. A node
//! without the lease keeps what it hears until the one that has it says that it is done.

mod channel;
mod client;
mod figures;
mod pace;
mod queue;
#[cfg(test)]
mod queue_tests;
mod way;

pub use way::{PlatformOptions, PlatformWay};
