//! What a patch costs is counted in children touched, not in time: the same on every machine.

use serde_json::{Value, json};

use crate::documents::measure::Work;
use crate::documents::merge::merge_counted;
use crate::documents::{
    Bounds, Document, DocumentError, OpError, PATCH_OPS_MAX, Patch, PatchError, Rules,
};

const BYTES_MAX: usize = 256 * 1_024;
const RULES: Rules = Rules {
    bounds: Bounds::bytes(BYTES_MAX),
    create_parents: false,
};

/// A document close to its limit: `{"list":[{"v":0},…],"small":{}}`.
fn big_list() -> (Document, usize) {
    let items = 18_000;
    let list: Vec<Value> = (0..items).map(|i| json!({ "v": i })).collect();
    let value = json!({ "list": list, "small": {} });
    let document = Document::from_value(&value, &RULES.bounds).unwrap();
    assert!(document.bytes() > BYTES_MAX * 3 / 4, "{}", document.bytes());
    (document, items)
}

fn thousand(op: impl Fn(usize) -> Value) -> Patch {
    let ops: Vec<Value> = (0..PATCH_OPS_MAX).map(op).collect();
    Patch::from_value(&ops.into(), PATCH_OPS_MAX).unwrap()
}

fn applied(patch: &Patch, document: &Document) -> (Result<Document, PatchError>, usize) {
    let mut work = Work::default();
    let result = patch.apply_counted(document, &RULES, &mut work);
    (result, work.children)
}

#[test]
fn a_thousand_changes_of_a_big_document_copy_its_list_once() {
    let (document, items) = big_list();
    let patch =
        thousand(|i| json!({"op": "replace", "path": format!("/list/{i}/v"), "value": "changed"}));
    let (result, children) = applied(&patch, &document);
    assert!(result.unwrap().bytes() > document.bytes());
    // The list once, the root once, and one member of each item that changed.
    assert_eq!(children, items + 2 + PATCH_OPS_MAX);
}

#[test]
fn a_thousand_appends_move_nothing() {
    let (document, items) = big_list();
    let patch = thousand(|i| json!({"op": "add", "path": "/list/-", "value": i}));
    let (result, children) = applied(&patch, &document);
    assert_eq!(
        result.unwrap().to_json().unwrap().len(),
        document.bytes() + 10 + 2 * 90 + 3 * 900 + PATCH_OPS_MAX
    );
    assert_eq!(children, items + 2);
}

#[test]
fn the_worst_a_step_does_is_to_touch_the_children_of_the_parts_on_its_way() {
    let (document, items) = big_list();
    let patch = thousand(|_| json!({"op": "remove", "path": "/list/0"}));
    let (result, children) = applied(&patch, &document);
    result.unwrap();
    // The rest of the list moves up, and one sibling is as deep as the item that went.
    assert!(children <= (PATCH_OPS_MAX + 1) * (items + 1), "{children}");
}

#[test]
fn a_copy_points_at_what_it_copies() {
    let value = json!({ "a": vec![json!({}); 40_000], "b": 1 });
    let document = Document::from_value(&value, &RULES.bounds).unwrap();
    let patch = thousand(|_| json!({"op": "copy", "from": "/a", "path": "/b"}));
    let (result, children) = applied(&patch, &document);
    assert_eq!(
        result.unwrap().bytes(),
        document.bytes() - 1 + "[]".len() + 40_000 * 3 - 1
    );
    // The root's two members, once; nothing of the 40,000.
    assert_eq!(children, 2);
}

#[test]
fn a_chain_of_copies_stops_at_the_limit_before_anything_is_built() {
    let document = Document::from_value(&json!({ "a": "x".repeat(1_000) }), &RULES.bounds).unwrap();
    let patch = thousand(|i| json!({"op": "copy", "from": "", "path": format!("/c{i}")}));
    let (result, children) = applied(&patch, &document);
    // Each step doubles 1,008 bytes and adds a key: the eighth one is over 256 KiB, or the
    // nesting ends it.
    let error = result.unwrap_err();
    assert_eq!(
        error,
        PatchError::Op {
            index: 8,
            error: OpError::Document(DocumentError::TooLarge {
                bytes_max: BYTES_MAX
            })
        }
    );
    assert!(children < 100, "{children}");
}

#[test]
fn a_copy_that_is_then_changed_costs_one_level_of_it() {
    let list = vec![json!([[[]]]); 12_000];
    let document = Document::from_value(&json!({ "a": list, "b": 1 }), &RULES.bounds).unwrap();
    let patch = thousand(|i| match i % 2 {
        0 => json!({"op": "copy", "from": "/a", "path": "/b"}),
        _ => json!({"op": "add", "path": "/b/-", "value": 1}),
    });
    let (result, children) = applied(&patch, &document);
    result.unwrap();
    assert_eq!(children, 2 + PATCH_OPS_MAX / 2 * 12_000);
}

#[test]
fn shrinking_the_deepest_parts_one_by_one_stays_within_a_pass_a_step() {
    let list = vec![json!([]); 2_000];
    let document = Document::from_value(&json!({ "a": list }), &RULES.bounds).unwrap();
    let patch = thousand(|i| json!({"op": "replace", "path": format!("/a/{i}"), "value": 1}));
    let (result, children) = applied(&patch, &document);
    result.unwrap();
    assert!(
        children <= 2_001 + PATCH_OPS_MAX * (2_000 + 1),
        "{children}"
    );
}

#[test]
fn a_merge_is_one_pass_over_what_it_meets() {
    let members = |value: Value| -> Value {
        let members = (0..10_000).map(|i| (format!("k{i}"), value.clone()));
        Value::Object(members.collect())
    };
    let document = Document::from_value(&members(json!([[]])), &RULES.bounds).unwrap();
    for change in [Value::Null, json!(1), json!({})] {
        let patch = Document::from_value(&members(change), &RULES.bounds).unwrap();
        let mut work = Work::default();
        merge_counted(&document, &patch, &RULES.bounds, &mut work).unwrap();
        assert!(work.children <= 2 * 10_000, "{}", work.children);
    }
}

#[test]
fn a_path_of_a_million_steps_builds_no_parents() {
    let rules = Rules {
        create_parents: true,
        ..RULES
    };
    let path = "/a".repeat(500_000);
    let patch = json!([{"op": "add", "path": path, "value": 1}]);
    let patch = Patch::from_value(&patch, 1).unwrap();
    let mut work = Work::default();
    let error = patch
        .apply_counted(&Document::empty(), &rules, &mut work)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "op 0: the document is not within bounds: JSON is nested deeper than 64 levels"
    );
    assert_eq!(work, Work::default());
}
