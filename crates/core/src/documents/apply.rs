//! JSON Patch (RFC 6902): applying one.

use super::bounds::DocumentError;
use super::document::Document;
use super::equal::same;
use super::measure::Work;
use super::node::{Node, own};
use super::parts::{List, Object};
use super::patch::{Op, Patch, Rules};
use super::patch_error::{OpError, PatchError, PathFault, Shown};
use super::pointer::{Pointer, index, split};

impl Patch {
    /// Applies the operations in order, all or none. `document` stays as it is.
    pub fn apply(&self, document: &Document, rules: &Rules) -> Result<Document, PatchError> {
        self.apply_counted(document, rules, &mut Work::default())
    }

    pub(super) fn apply_counted(
        &self,
        document: &Document,
        rules: &Rules,
        work: &mut Work,
    ) -> Result<Document, PatchError> {
        let mut step = Step {
            root: document.root().clone(),
            rules,
            work,
        };
        for (index, op) in self.ops.iter().enumerate() {
            step.take(op)
                .map_err(|error| PatchError::Op { index, error })?;
        }
        Ok(Document::checked(step.root))
    }
}

/// A document between two operations.
struct Step<'a> {
    root: Node,
    rules: &'a Rules,
    work: &'a mut Work,
}

impl Step<'_> {
    fn take(&mut self, op: &Op) -> Result<(), OpError> {
        match op {
            Op::Add { path, value } => self.add(path, value.clone(), self.rules.create_parents)?,
            Op::Remove { path } => drop(self.remove(path, "path")?),
            Op::Replace { path, value } => self.replace(path, value.clone())?,
            Op::Move { from, path } if path.is_inside(from) => {
                return Err(OpError::IntoItself {
                    from: Shown::new(from.as_str()),
                    path: Shown::new(path.as_str()),
                });
            }
            Op::Move { from, path } if path == from => drop(find(&self.root, from, "from")?),
            Op::Move { from, path } => {
                let value = self.remove(from, "from")?;
                self.add(path, value, false)?;
            }
            Op::Copy { from, path } => {
                let value = find(&self.root, from, "from")?.clone();
                self.add(path, value, false)?;
            }
            Op::Test { path, value } => {
                if !same(find(&self.root, path, "path")?, value) {
                    let path = Shown::new(path.as_str());
                    return Err(OpError::TestFailed { path });
                }
            }
        }
        if !matches!(self.root, Node::Object(_)) {
            return Err(DocumentError::RootNotObject.into());
        }
        Ok(self.rules.bounds.check(self.root.measure())?)
    }

    fn add(&mut self, path: &Pointer, value: Node, create: bool) -> Result<(), OpError> {
        // Parents that would be too deep are not built first and refused then.
        if create && path.len() > self.rules.bounds.depth_max {
            let max = self.rules.bounds.depth_max;
            return Err(DocumentError::from(crowdlink_protocol::BoundError::Depth { max }).into());
        }
        self.change(path, Change::Add { value, create }, "path")?;
        Ok(())
    }

    fn replace(&mut self, path: &Pointer, value: Node) -> Result<(), OpError> {
        self.change(path, Change::Replace(value), "path")?;
        Ok(())
    }

    fn remove(&mut self, path: &Pointer, member: &'static str) -> Result<Node, OpError> {
        if path.is_root() {
            return Err(OpError::RootRemoved);
        }
        let removed = self.change(path, Change::Remove, member)?;
        removed.ok_or_else(|| at(path, member)(PathFault::Missing))
    }

    fn change(
        &mut self,
        path: &Pointer,
        change: Change,
        member: &'static str,
    ) -> Result<Option<Node>, OpError> {
        match split(path.as_str()) {
            Some((token, rest)) => change
                .below(&mut self.root, &token, rest, self.work)
                .map_err(at(path, member)),
            None => Ok(change
                .into_value()
                .map(|value| std::mem::replace(&mut self.root, value))),
        }
    }
}

/// Names the path that a fault was met on.
fn at(path: &Pointer, member: &'static str) -> impl FnOnce(PathFault) -> OpError {
    move |fault| OpError::Path {
        member,
        path: Shown::new(path.as_str()),
        fault,
    }
}

/// What a pointer points to.
fn find<'a>(root: &'a Node, path: &Pointer, member: &'static str) -> Result<&'a Node, OpError> {
    let mut node = root;
    let mut rest = path.as_str();
    while let Some((token, after)) = split(rest) {
        let child = match node {
            Node::Object(object) => object.members().get(&*token).ok_or(PathFault::Missing),
            Node::List(list) => {
                existing(&token, list).and_then(|i| list.items().get(i).ok_or(PathFault::Missing))
            }
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) => Err(PathFault::Missing),
        };
        node = child.map_err(at(path, member))?;
        rest = after;
    }
    Ok(node)
}

/// The index of an item that is there.
fn existing(token: &str, list: &List) -> Result<usize, PathFault> {
    let len = list.items().len();
    match index(token) {
        Some(index) if index < len => Ok(index),
        Some(_) => Err(PathFault::Beyond { len }),
        None if token == "-" => Err(PathFault::AfterLast),
        None => Err(PathFault::NotAnIndex),
    }
}

/// What happens at the end of a pointer.
enum Change {
    Add { value: Node, create: bool },
    Replace(Node),
    Remove,
}

impl Change {
    fn into_value(self) -> Option<Node> {
        match self {
            Self::Add { value, .. } | Self::Replace(value) => Some(value),
            Self::Remove => None,
        }
    }

    /// Happens at `token` and `rest` below `node`. Returns what was there before. As deep as the
    /// document, which is bounded.
    fn below(
        self,
        node: &mut Node,
        token: &str,
        rest: &str,
        work: &mut Work,
    ) -> Result<Option<Node>, PathFault> {
        let next = split(rest);
        match node {
            Node::Object(object) => {
                let object = own(object, |object| object.members().len(), work);
                let Some((next, rest)) = next else {
                    return self.in_object(object, token, work);
                };
                if matches!(self, Self::Add { create: true, .. })
                    && !object.members().contains_key(token)
                {
                    object.insert(token, Node::empty_object(), work);
                }
                let nowhere = self.nowhere();
                object
                    .change(token, work, |child, work| {
                        self.below(child, &next, rest, work)
                    })
                    .unwrap_or(Err(nowhere))
            }
            Node::List(list) => {
                let list = own(list, |list| list.items().len(), work);
                let Some((next, rest)) = next else {
                    return self.in_list(list, token, work);
                };
                let index = existing(token, list)?;
                let nowhere = self.nowhere();
                list.change(index, work, |child, work| {
                    self.below(child, &next, rest, work)
                })
                .unwrap_or(Err(nowhere))
            }
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) => Err(self.nowhere()),
        }
    }

    const fn nowhere(&self) -> PathFault {
        match self {
            Self::Add { .. } => PathFault::NoParent,
            Self::Replace(_) | Self::Remove => PathFault::Missing,
        }
    }

    fn in_object(
        self,
        object: &mut Object,
        key: &str,
        work: &mut Work,
    ) -> Result<Option<Node>, PathFault> {
        match self {
            Self::Add { value, .. } => Ok(object.insert(key, value, work)),
            Self::Replace(value) if object.members().contains_key(key) => {
                Ok(object.insert(key, value, work))
            }
            Self::Replace(_) => Err(PathFault::Missing),
            Self::Remove => object.remove(key, work).map(Some).ok_or(PathFault::Missing),
        }
    }

    fn in_list(
        self,
        list: &mut List,
        token: &str,
        work: &mut Work,
    ) -> Result<Option<Node>, PathFault> {
        let len = list.items().len();
        match self {
            Self::Add { value, .. } => {
                let index = if token == "-" {
                    len
                } else {
                    index(token).ok_or(PathFault::NotAnIndex)?
                };
                let inserted = list.insert(index, value, work);
                inserted.map_err(|_| PathFault::Beyond { len })?;
                Ok(None)
            }
            Self::Replace(value) => {
                let index = existing(token, list)?;
                Ok(list.change(index, work, |old, _| std::mem::replace(old, value)))
            }
            Self::Remove => Ok(list.remove(existing(token, list)?, work)),
        }
    }
}
