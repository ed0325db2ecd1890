//! JSON documents: what shared state (`spec 2.4`, `spec 3.2`) and configuration (`spec 2.5`,
//! `spec 3.3`) are made of, and the two ways to change one, [`Patch`] (RFC 6902) and [`merge`]
//! (RFC 7396). Nothing here knows who may write, or where a document is kept.
//!
//! A [`Document`] is a tree whose parts are shared and carry their measure. To copy a part
//! is to point at it once more, the size after each step is known without writing the document out,
//! and a patch that fails leaves nothing to undo (`docs/adr/0006-json-patch.md`).

mod apply;
mod bounds;
mod document;
mod equal;
mod measure;
mod merge;
mod node;
mod parts;
mod patch;
mod patch_error;
mod pointer;
mod read_write;
#[cfg(test)]
mod tests;

pub use bounds::{Bounds, DocumentError};
pub use document::Document;
pub use merge::merge;
pub use patch::{PATCH_OPS_MAX, Patch, Rules};
pub use patch_error::{OpError, PatchError, PathFault, Shown};
pub use pointer::PointerFault;
