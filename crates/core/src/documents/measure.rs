//! How big a part of a document is, kept up to date by every change.

use super::node::Node;

/// The measure of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Measure {
    /// Length of its minified JSON.
    pub(super) bytes: usize,
    /// Its nesting and its widest object.
    pub(super) shape: Shape,
}

impl Measure {
    /// Of a plain value.
    pub(super) const fn plain(bytes: usize) -> Self {
        let shape = Shape::PLAIN;
        Self { bytes, shape }
    }

    /// Of an object or a list with nothing in it.
    pub(super) const EMPTY: Self = Self {
        bytes: "[]".len(),
        shape: Shape::EMPTY,
    };
}

/// What of a part does not add up but is a maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// Objects and lists inside one another, itself included; 0 for a plain value.
    pub(super) depth: usize,
    /// Most keys of one object anywhere in it.
    pub(super) keys: usize,
}

impl Shape {
    pub(super) const PLAIN: Self = Self { depth: 0, keys: 0 };

    const EMPTY: Self = Self { depth: 1, keys: 0 };

    /// Takes in a child.
    pub(super) fn cover(&mut self, child: Self) {
        self.depth = self.depth.max(child.depth + 1);
        self.keys = self.keys.max(child.keys);
    }

    /// Whether this may be smaller now that a child has become smaller or, being
    /// [`Shape::PLAIN`] now, may have gone. Only a look at the others tells.
    pub(super) const fn rested_on(self, before: Self, after: Self) -> bool {
        (after.depth < before.depth && before.depth + 1 == self.depth)
            || (after.keys < before.keys && before.keys == self.keys)
    }

    /// Finds itself anew from the children, and stops as soon as it is what it was.
    /// Returns how many children it looked at.
    pub(super) fn look_again<'a>(&mut self, children: impl Iterator<Item = &'a Node>) -> usize {
        let before = *self;
        *self = Self::EMPTY;
        let mut seen = 0;
        for child in children {
            if self.depth >= before.depth && self.keys >= before.keys {
                break;
            }
            self.cover(child.shape());
            seen += 1;
        }
        seen
    }
}

/// What changing a tree has cost, counted in children of objects and lists that were copied,
/// moved up or down, or looked at. Everything else is paid for by the length of the patch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Work {
    /// So many.
    pub(super) children: usize,
}
