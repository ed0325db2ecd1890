//! JSON Patch (RFC 6902): reading one. [`Patch::apply`] is in `apply.rs`.

use crowdlink_protocol::{JSON_DEPTH_MAX, JSON_OBJECT_KEYS_MAX};
use serde_json::Value;

use super::bounds::Bounds;
use super::document::{node_of, parse_node};
use super::node::Node;
use super::parts::Object;
use super::patch_error::{OpError, PatchError, Shown};
use super::pointer::Pointer;

/// Most operations of one patch (`spec 5`).
pub const PATCH_OPS_MAX: usize = 1_000;

/// What holds while a patch is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Of the document, after every step.
    pub bounds: Bounds,
    /// Whether `add` creates missing parents as objects (`spec 2.4`: on game sockets only).
    pub create_parents: bool,
}

/// A patch whose form has been checked: every operation is known and has what it needs.
#[derive(Clone, Debug)]
pub struct Patch {
    pub(super) ops: Vec<Op>,
}

/// One operation (RFC 6902, 4).
#[derive(Clone, Debug)]
pub(super) enum Op {
    Add { path: Pointer, value: Node },
    Remove { path: Pointer },
    Replace { path: Pointer, value: Node },
    Move { from: Pointer, path: Pointer },
    Copy { from: Pointer, path: Pointer },
    Test { path: Pointer, value: Node },
}

impl Patch {
    /// Reads a patch. Values in it may be as deep as a document, two levels down in the patch.
    pub fn parse(text: &[u8], ops_max: usize) -> Result<Self, PatchError> {
        let node = parse_node(text, JSON_DEPTH_MAX + 2, JSON_OBJECT_KEYS_MAX)
            .map_err(PatchError::Unreadable)?;
        Self::new(&node, ops_max)
    }

    /// A patch from what has been parsed already.
    pub fn from_value(value: &Value, ops_max: usize) -> Result<Self, PatchError> {
        Self::new(&node_of(value).map_err(PatchError::Unreadable)?, ops_max)
    }

    fn new(node: &Node, ops_max: usize) -> Result<Self, PatchError> {
        let Node::List(ops) = node else {
            return Err(PatchError::NotAList);
        };
        if ops.items().len() > ops_max {
            return Err(PatchError::TooManyOps { ops_max });
        }
        let numbered = ops.items().iter().enumerate();
        let ops = numbered
            .map(|(index, op)| Op::read(op).map_err(|error| PatchError::Op { index, error }))
            .collect::<Result<_, _>>()?;
        Ok(Self { ops })
    }

    /// How many operations it has.
    pub fn ops(&self) -> usize {
        self.ops.len()
    }
}

impl Op {
    fn read(op: &Node) -> Result<Self, OpError> {
        let Node::Object(op) = op else {
            return Err(OpError::NotAnObject);
        };
        let path = || pointer(op, "path");
        let from = || pointer(op, "from");
        Ok(match text(op, "op")? {
            "add" => Self::Add {
                path: path()?,
                value: value(op)?,
            },
            "remove" => Self::Remove { path: path()? },
            "replace" => Self::Replace {
                path: path()?,
                value: value(op)?,
            },
            "move" => Self::Move {
                from: from()?,
                path: path()?,
            },
            "copy" => Self::Copy {
                from: from()?,
                path: path()?,
            },
            "test" => Self::Test {
                path: path()?,
                value: value(op)?,
            },
            unknown => {
                let op = Shown::new(unknown);
                return Err(OpError::Unknown { op });
            }
        })
    }
}

/// `null` is a value like any other.
fn value(op: &Object) -> Result<Node, OpError> {
    let member = "value";
    let value = op.members().get(member);
    value.cloned().ok_or(OpError::Missing { member })
}

/// Clients send `null` for what they leave out (`spec 2.2`).
fn text<'a>(op: &'a Object, member: &'static str) -> Result<&'a str, OpError> {
    match op.members().get(member) {
        None | Some(Node::Null) => Err(OpError::Missing { member }),
        Some(Node::Text(text)) => Ok(text.as_str()),
        Some(Node::Bool(_) | Node::Number(_) | Node::List(_) | Node::Object(_)) => {
            Err(OpError::NotAString { member })
        }
    }
}

fn pointer(op: &Object, member: &'static str) -> Result<Pointer, OpError> {
    let text = text(op, member)?;
    Pointer::parse(text).map_err(|fault| OpError::NotAPointer {
        member,
        text: Shown::new(text),
        fault,
    })
}
