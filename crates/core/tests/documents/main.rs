//! Documents and patches as their users see them: text in, text or a sentence out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests fail by panicking, their harness included"
)]

mod json;
mod limits;
mod merge_patch;
mod patch_form;
mod patch_rules;
mod rfc_6902;

use crowdlink_core::documents::{Bounds, Document, PATCH_OPS_MAX, Patch, PatchError, Rules};

/// A state document (`spec 5`).
const BOUNDS: Bounds = Bounds::bytes(256 * 1_024);
/// As REST applies patches.
const REST: Rules = Rules {
    bounds: BOUNDS,
    create_parents: false,
};
/// As game sockets do.
const GAME: Rules = Rules {
    bounds: BOUNDS,
    create_parents: true,
};

fn document(text: &str) -> Document {
    Document::parse(text.as_bytes(), &BOUNDS).unwrap()
}

fn json(document: &Document) -> String {
    let json = document.to_json().unwrap();
    assert_eq!(json.len(), document.bytes());
    String::from_utf8(json).unwrap()
}

fn apply(root: &str, patch: &str, rules: &Rules) -> Result<String, PatchError> {
    let root = document(root);
    let before = json(&root);
    let patched = Patch::parse(patch.as_bytes(), PATCH_OPS_MAX)?.apply(&root, rules);
    assert_eq!(json(&root), before, "the input changed");
    Ok(json(&patched?))
}

/// The text after a patch, minified.
fn patched(root: &str, patch: &str) -> String {
    apply(root, patch, &REST).unwrap()
}

/// Why a patch was refused.
fn refusal(root: &str, patch: &str) -> String {
    apply(root, patch, &REST).unwrap_err().to_string()
}
