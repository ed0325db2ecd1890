use proptest::prelude::*;
use serde_json::Value;

use super::arbitrary::{object, op};
use crate::documents::measure::{Measure, Work};
use crate::documents::merge::merge_counted;
use crate::documents::node::Node;
use crate::documents::{Bounds, Document, Patch, Rules};

/// The measure, found by serialising and walking.
fn measured(value: &Value) -> Measure {
    let mut measure = Measure::plain(value.to_string().len());
    let mut children: Vec<&Value> = Vec::new();
    match value {
        Value::Array(items) => children.extend(items),
        Value::Object(members) => {
            measure.shape.keys = members.len();
            children.extend(members.values());
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return measure,
    }
    measure.shape.depth = 1;
    for child in children {
        let child = measured(child).shape;
        measure.shape.depth = measure.shape.depth.max(child.depth + 1);
        measure.shape.keys = measure.shape.keys.max(child.keys);
    }
    measure
}

/// Every part of the tree knows its measure, and the whole serialises to it.
fn assert_measures(document: &Document) {
    fn walk(node: &Node) {
        let value = serde_json::to_value(node).unwrap();
        assert_eq!(node.measure(), measured(&value), "{value}");
        assert_eq!(node.shape(), node.measure().shape);
        match node {
            Node::List(list) => list.items().iter().for_each(walk),
            Node::Object(object) => object.members().values().for_each(walk),
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) => {}
        }
    }
    walk(document.root());
    assert_eq!(document.to_json().unwrap().len(), document.bytes());
}

const BOUNDS: Bounds = Bounds::bytes(64 * 1_024);

proptest! {
    #[test]
    fn sizes_are_those_of_the_serialised_text(value in object()) {
        let document = Document::from_value(&value, &BOUNDS).unwrap();
        assert_measures(&document);
        let text = value.to_string();
        prop_assert_eq!(document.to_json().unwrap(), text.as_bytes());
        prop_assert_eq!(Document::parse(text.as_bytes(), &BOUNDS).unwrap(), document);
    }

    #[test]
    fn sizes_stay_right_after_every_operation(
        value in object(), ops in prop::collection::vec(op(), 1..24), create_parents: bool,
    ) {
        let rules = Rules { bounds: BOUNDS, create_parents };
        let mut document = Document::from_value(&value, &BOUNDS).unwrap();
        for op in ops {
            let patch = Patch::from_value(&Value::from(vec![op]), 1).unwrap();
            let before = document.to_json().unwrap();
            let after = patch.apply(&document, &rules);
            prop_assert_eq!(document.to_json().unwrap(), before, "the input changed");
            if let Ok(after) = after {
                assert_measures(&after);
                document = after;
            }
        }
    }

    #[test]
    fn sizes_stay_right_after_a_merge(value in object(), patch in object()) {
        let document = Document::from_value(&value, &BOUNDS).unwrap();
        let patch = Document::from_value(&patch, &BOUNDS).unwrap();
        let merged = merge_counted(&document, &patch, &BOUNDS, &mut Work::default()).unwrap();
        assert_measures(&merged);
        assert_measures(&document);
    }
}
