//! Lists and objects that know their measure after every change.

use std::sync::Arc;

use indexmap::IndexMap;

use super::measure::{Measure, Shape, Work};
use super::node::{Node, text_bytes};

/// A JSON array.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct List {
    items: Vec<Node>,
    measure: Measure,
}

impl List {
    pub(super) fn new(items: Vec<Node>) -> Self {
        let mut measure = Measure::EMPTY;
        for item in &items {
            let item = item.measure();
            measure.bytes += item.bytes;
            measure.shape.cover(item.shape);
        }
        measure.bytes += items.len().saturating_sub(1);
        Self { items, measure }
    }

    pub(super) fn items(&self) -> &[Node] {
        &self.items
    }

    pub(super) const fn measure(&self) -> Measure {
        self.measure
    }

    /// Puts an item before the one at `index`, or at the end; gives it back where that is beyond.
    pub(super) fn insert(&mut self, index: usize, item: Node, work: &mut Work) -> Result<(), Node> {
        let Some(shifted) = self.items.len().checked_sub(index) else {
            return Err(item);
        };
        let added = item.measure();
        self.measure.bytes += added.bytes + usize::from(!self.items.is_empty());
        self.measure.shape.cover(added.shape);
        self.items.insert(index, item);
        work.children += shifted;
        Ok(())
    }

    /// Takes the item at `index` out.
    pub(super) fn remove(&mut self, index: usize, work: &mut Work) -> Option<Node> {
        if index >= self.items.len() {
            return None;
        }
        let item = self.items.remove(index);
        work.children += self.items.len() - index;
        let gone = item.measure();
        self.measure.bytes -= gone.bytes + usize::from(!self.items.is_empty());
        if self.measure.shape.rested_on(gone.shape, Shape::PLAIN) {
            work.children += self.measure.shape.look_again(self.items.iter());
        }
        Some(item)
    }

    /// Changes the item at `index` in its place.
    pub(super) fn change<R>(
        &mut self,
        index: usize,
        work: &mut Work,
        change: impl FnOnce(&mut Node, &mut Work) -> R,
    ) -> Option<R> {
        let item = self.items.get_mut(index)?;
        let before = item.measure();
        let result = change(item, work);
        let after = item.measure();
        self.measure.bytes = self.measure.bytes + after.bytes - before.bytes;
        self.measure.shape.cover(after.shape);
        if self.measure.shape.rested_on(before.shape, after.shape) {
            work.children += self.measure.shape.look_again(self.items.iter());
        }
        Some(result)
    }
}

/// Members of an object by their keys.
pub(super) type Members = IndexMap<Arc<str>, Node>;

/// A JSON object. Keys keep their order; one that is written again keeps its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Object {
    members: Members,
    /// Without its own keys: how many they are, the map knows.
    measure: Measure,
}

impl Default for Object {
    fn default() -> Self {
        Self {
            members: IndexMap::new(),
            measure: Measure::EMPTY,
        }
    }
}

impl Object {
    pub(super) fn new(members: Members) -> Self {
        let mut measure = Measure::EMPTY;
        for (key, member) in &members {
            let member = member.measure();
            measure.bytes += member_bytes(key, member);
            measure.shape.cover(member.shape);
        }
        measure.bytes += members.len().saturating_sub(1);
        Self { members, measure }
    }

    pub(super) const fn members(&self) -> &Members {
        &self.members
    }

    pub(super) fn measure(&self) -> Measure {
        let mut measure = self.measure;
        measure.shape.keys = measure.shape.keys.max(self.members.len());
        measure
    }

    /// Writes a member, over the one that is there or at the end. Returns what it replaced.
    pub(super) fn insert(&mut self, key: &str, member: Node, work: &mut Work) -> Option<Node> {
        if self.members.contains_key(key) {
            return self.change(key, work, |old, _| std::mem::replace(old, member));
        }
        let added = member.measure();
        self.measure.bytes += member_bytes(key, added) + usize::from(!self.members.is_empty());
        self.measure.shape.cover(added.shape);
        self.members.insert(key.into(), member);
        None
    }

    /// Takes a member out; the others keep their order.
    pub(super) fn remove(&mut self, key: &str, work: &mut Work) -> Option<Node> {
        let (index, _, member) = self.members.shift_remove_full(key)?;
        work.children += self.members.len() - index;
        let gone = member.measure();
        self.measure.bytes -= member_bytes(key, gone) + usize::from(!self.members.is_empty());
        if self.measure.shape.rested_on(gone.shape, Shape::PLAIN) {
            self.look_again(work);
        }
        Some(member)
    }

    /// Changes many members, and measures once at the end.
    pub(super) fn rewrite(
        &mut self,
        work: &mut Work,
        rewrite: impl FnOnce(&mut Members, &mut Work),
    ) {
        let mut members = std::mem::take(&mut self.members);
        rewrite(&mut members, work);
        work.children += members.len();
        *self = Self::new(members);
    }

    /// Changes a member in its place.
    pub(super) fn change<R>(
        &mut self,
        key: &str,
        work: &mut Work,
        change: impl FnOnce(&mut Node, &mut Work) -> R,
    ) -> Option<R> {
        let member = self.members.get_mut(key)?;
        let before = member.measure();
        let result = change(member, work);
        let after = member.measure();
        self.measure.bytes = self.measure.bytes + after.bytes - before.bytes;
        self.measure.shape.cover(after.shape);
        if self.measure.shape.rested_on(before.shape, after.shape) {
            self.look_again(work);
        }
        Some(result)
    }

    fn look_again(&mut self, work: &mut Work) {
        work.children += self.measure.shape.look_again(self.members.values());
    }
}

fn member_bytes(key: &str, member: Measure) -> usize {
    text_bytes(key) + ":".len() + member.bytes
}
