//! The bounds of a document (`spec 5`).

use crowdlink_protocol::{BoundError, JSON_DEPTH_MAX, JSON_OBJECT_KEYS_MAX};

use super::measure::Measure;

/// How big a document may be, also between two steps of a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Size of the minified UTF-8 JSON.
    pub bytes_max: usize,
    /// Nesting of objects and lists, the root being 1 (`spec 6.4`).
    pub depth_max: usize,
    /// Keys of any one object.
    pub keys_max: usize,
}

impl Bounds {
    /// So many bytes, with the nesting and the keys that `spec 5` allows.
    pub const fn bytes(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            depth_max: JSON_DEPTH_MAX,
            keys_max: JSON_OBJECT_KEYS_MAX,
        }
    }

    /// Refuses what is bigger.
    pub(super) fn check(&self, measure: Measure) -> Result<(), DocumentError> {
        if measure.shape.depth > self.depth_max {
            let max = self.depth_max;
            Err(BoundError::Depth { max }.into())
        } else if measure.shape.keys > self.keys_max {
            let max = self.keys_max;
            Err(BoundError::Keys { max }.into())
        } else if measure.bytes > self.bytes_max {
            let bytes_max = self.bytes_max;
            Err(DocumentError::TooLarge { bytes_max })
        } else {
            Ok(())
        }
    }
}

/// Why something is not a document, or not within its bounds. Reads as what the document must be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// No JSON, or a number that does not fit (`1e400`).
    #[error("the document must be JSON: {0}")]
    NotJson(String),
    /// A list, or a plain value.
    #[error("the root of the document must be an object")]
    RootNotObject,
    /// Over its size.
    #[error("the document must not be over {bytes_max} bytes")]
    TooLarge {
        /// The bound, of minified UTF-8 JSON.
        bytes_max: usize,
    },
    /// Too deep, or an object with too many keys.
    #[error("the document is not within bounds: {0}")]
    Bounds(#[from] BoundError),
}
