//! Changes of a document.

use crate::documents::{Bounds, Document, Patch, Rules, merge};
use crate::error::Error;

/// What to do with a document.
#[derive(Clone, Debug)]
pub enum Change {
    /// Another in its place.
    Replace(Document),
    /// JSON Patch (RFC 6902).
    Patch {
        /// The operations.
        patch: Patch,
        /// Whether `add` creates missing parents (`spec 2.4`: on game sockets only).
        create_parents: bool,
    },
    /// JSON Merge Patch (RFC 7396).
    Merge(Document),
}

/// The versions of `If-Match` under which a change is wanted (RFC 9110 13.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// `*`: any, but it must have been written.
    Written,
    /// One of these; 0 is "never written".
    Versions(Vec<u64>),
}

impl IfMatch {
    pub(super) fn allows(&self, version: u64) -> bool {
        match self {
            Self::Written => version != 0,
            Self::Versions(versions) => versions.contains(&version),
        }
    }
}

/// The document after a change; the one before is untouched.
pub(crate) fn apply(
    document: &Document,
    change: &Change,
    bounds: &Bounds,
) -> Result<Document, Error> {
    match change {
        Change::Replace(new) if new.bytes() > bounds.bytes_max => {
            let bytes_max = bounds.bytes_max;
            Err(Error::Document(format!(
                "the document must not be over {bytes_max} bytes"
            )))
        }
        Change::Replace(new) => Ok(new.clone()),
        Change::Patch {
            patch,
            create_parents,
        } => {
            let rules = Rules {
                bounds: *bounds,
                create_parents: *create_parents,
            };
            patch
                .apply(document, &rules)
                .map_err(|error| Error::Document(error.to_string()))
        }
        Change::Merge(patch) => {
            merge(document, patch, bounds).map_err(|error| Error::Document(error.to_string()))
        }
    }
}
