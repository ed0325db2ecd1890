//! JSON Merge Patch (RFC 7396).

use std::sync::Arc;

use super::bounds::{Bounds, DocumentError};
use super::document::Document;
use super::measure::Work;
use super::node::{Node, own};
use super::parts::Object;

/// Merges `patch` into `document`, which stays as it is: `null` removes a key, an object is
/// merged, all else replaces. Read the patch by [`Document::parse`] with bounds that allow for
/// the size of a request.
pub fn merge(
    document: &Document,
    patch: &Document,
    bounds: &Bounds,
) -> Result<Document, DocumentError> {
    merge_counted(document, patch, bounds, &mut Work::default())
}

pub(super) fn merge_counted(
    document: &Document,
    patch: &Document,
    bounds: &Bounds,
    work: &mut Work,
) -> Result<Document, DocumentError> {
    let mut root = document.root().clone();
    merge_node(&mut root, patch.root(), work);
    Document::new(root, bounds)
}

/// As deep as the patch, which is bounded.
fn merge_node(target: &mut Node, patch: &Node, work: &mut Work) {
    let Node::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !matches!(target, Node::Object(_)) {
        *target = Node::empty_object();
    }
    if let Node::Object(target) = target {
        merge_object(target, patch, work);
    }
}

fn merge_object(target: &mut Arc<Object>, patch: &Object, work: &mut Work) {
    let target = own(target, |target| target.members().len(), work);
    // All at once: one by one, each removal would move all that come after it.
    target.rewrite(work, |members, work| {
        let removed = |key: &str| matches!(patch.members().get(key), Some(Node::Null));
        members.retain(|key, _| !removed(key));
        for (key, change) in patch.members() {
            if !matches!(change, Node::Null) {
                let member = members.entry(Arc::clone(key)).or_insert(Node::Null);
                merge_node(member, change, work);
            }
        }
    });
}
