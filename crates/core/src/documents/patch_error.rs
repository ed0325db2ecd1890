//! What is wrong with a patch, told so that its author finds it.

use std::fmt;

use super::bounds::DocumentError;
use super::pointer::PointerFault;

/// Why a patch was refused. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// No JSON, or too deep.
    #[error("the patch cannot be read: {0}")]
    Unreadable(DocumentError),
    /// No JSON array.
    #[error("a patch must be an array of operations")]
    NotAList,
    /// Too many operations.
    #[error("a patch must not have more than {ops_max} operations")]
    TooManyOps {
        /// The bound.
        ops_max: usize,
    },
    /// An operation is malformed or failed.
    #[error("op {index}: {error}")]
    Op {
        /// Which one, from 0 (`spec 6.2`).
        index: usize,
        /// What is wrong with it.
        error: OpError,
    },
}

impl PatchError {
    /// The operation at fault, from 0, if it is one.
    pub const fn index(&self) -> Option<usize> {
        match self {
            Self::Op { index, .. } => Some(*index),
            Self::Unreadable(_) | Self::NotAList | Self::TooManyOps { .. } => None,
        }
    }
}

/// What is wrong with one operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpError {
    /// No JSON object.
    #[error("an operation must be an object")]
    NotAnObject,
    /// A member that this operation needs is not there.
    #[error("`{member}` is missing")]
    Missing {
        /// Its name.
        member: &'static str,
    },
    /// A member of another type.
    #[error("`{member}` must be a string")]
    NotAString {
        /// Its name.
        member: &'static str,
    },
    /// None of the six operations there are.
    #[error("`{op}` is not one of add, remove, replace, move, copy, test")]
    Unknown {
        /// What `op` says.
        op: Shown,
    },
    /// Not a JSON Pointer (RFC 6901).
    #[error("{member} {text} is not a JSON Pointer: {fault}")]
    NotAPointer {
        /// `path` or `from`.
        member: &'static str,
        /// What it says.
        text: Shown,
        /// What is wrong with that.
        fault: PointerFault,
    },
    /// It points to nothing that the operation can work on.
    #[error("{member} {path} {fault}")]
    Path {
        /// `path` or `from`.
        member: &'static str,
        /// The pointer.
        path: Shown,
        /// Why not.
        fault: PathFault,
    },
    /// `test` found another value.
    #[error("the value at path {path} is not the one tested for")]
    TestFailed {
        /// The pointer.
        path: Shown,
    },
    /// `move` of a part into itself.
    #[error("{from} cannot be moved to {path}, which is inside of it")]
    IntoItself {
        /// What should move.
        from: Shown,
        /// Where to.
        path: Shown,
    },
    /// `remove` of the whole document.
    #[error("the root cannot be removed")]
    RootRemoved,
    /// After this operation there would be no document, or one beyond its bounds.
    #[error("{0}")]
    Document(#[from] DocumentError),
}

/// Why a pointer leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// Nothing there.
    #[error("does not exist")]
    Missing,
    /// Nothing there that could take a new member.
    #[error("has no parent to add to")]
    NoParent,
    /// A list has indexes only.
    #[error("does not exist: lists have indexes, without sign or leading zeros")]
    NotAnIndex,
    /// Beyond the end of a list.
    #[error("is beyond the end of a list of {len}")]
    Beyond {
        /// How many items it has.
        len: usize,
    },
    /// `-` is the place after the last item; there is nothing there yet.
    #[error("does not exist: - is where the next item of a list will be")]
    AfterLast,
}

/// Most characters of a caller's text that an error repeats.
const SHOWN_CHARS_MAX: usize = 128;

/// A text of the caller, shortened to 128 characters for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown(String);

impl Shown {
    pub(super) fn new(text: &str) -> Self {
        let mut chars = text.chars();
        let mut shown: String = chars.by_ref().take(SHOWN_CHARS_MAX).collect();
        if chars.next().is_some() {
            shown.push('…');
        }
        Self(shown)
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
