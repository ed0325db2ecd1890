//! A document: an object whose size is known.

use crowdlink_protocol::check_json_bounds;
use serde::de::Deserialize;
use serde::ser::{Serialize, Serializer};
use serde_json::Value;

use super::bounds::{Bounds, DocumentError};
use super::node::Node;

/// A JSON object within its bounds. Cheap to clone; serialises minified, keys in the order in
/// which they were first written, numbers as serde_json keeps them (`1000.0` stays a float,
/// integers of 64 bits stay exact).
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    root: Node,
}

impl Default for Document {
    fn default() -> Self {
        Self::empty()
    }
}

impl Document {
    /// `{}`: what was never written (`spec 3.2`).
    pub fn empty() -> Self {
        Self {
            root: Node::empty_object(),
        }
    }

    /// Reads a document. The text is checked for its bounds before anything is built from it.
    pub fn parse(text: &[u8], bounds: &Bounds) -> Result<Self, DocumentError> {
        Self::new(parse_node(text, bounds.depth_max, bounds.keys_max)?, bounds)
    }

    /// A document from what has been parsed already.
    pub fn from_value(value: &Value, bounds: &Bounds) -> Result<Self, DocumentError> {
        Self::new(node_of(value)?, bounds)
    }

    pub(super) fn new(root: Node, bounds: &Bounds) -> Result<Self, DocumentError> {
        if !matches!(root, Node::Object(_)) {
            return Err(DocumentError::RootNotObject);
        }
        bounds.check(root.measure())?;
        Ok(Self::checked(root))
    }

    /// For a root that was found to be an object within its bounds.
    pub(super) const fn checked(root: Node) -> Self {
        Self { root }
    }

    pub(super) const fn root(&self) -> &Node {
        &self.root
    }

    /// Length of its minified UTF-8 JSON, in bytes. Known, not counted.
    pub fn bytes(&self) -> usize {
        self.root.measure().bytes
    }

    /// Its minified JSON, [`Document::bytes`] long.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut json = Vec::with_capacity(self.bytes());
        serde_json::to_writer(&mut json, &self.root)?;
        Ok(json)
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.root.serialize(serializer)
    }
}

/// Any JSON, checked for nesting and keys first.
pub(super) fn parse_node(
    text: &[u8],
    depth_max: usize,
    keys_max: usize,
) -> Result<Node, DocumentError> {
    check_json_bounds(text, depth_max, keys_max)?;
    serde_json::from_slice(text).map_err(|error| DocumentError::NotJson(error.to_string()))
}

/// The same from what has been parsed already.
pub(super) fn node_of(value: &Value) -> Result<Node, DocumentError> {
    Node::deserialize(value).map_err(|error| DocumentError::NotJson(error.to_string()))
}
