//! Shared documents: what state and configuration have in common.
//!
//! A document is read through a bounded cache that holds versions, and written by read, apply,
//! commit with a version check. Writes that wait for the same document are applied by one of them
//! as one commit (DESIGN 3), so that two hundred clients patching at once cost a few commits and
//! none of them a retry.

mod cache;
mod change;
mod combine;
mod many;
mod place;
mod target;

pub use cache::Snapshot;
pub use change::{Change, IfMatch};
pub use place::{Changed, DocumentKind, Place, Scope};

pub use combine::Written;
pub(crate) use combine::{CHANGED_TOPIC, SharedDocuments, Terms};
pub use target::Parents;
pub(crate) use target::{Target, patch_many};
