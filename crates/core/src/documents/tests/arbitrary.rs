//! Random documents and operations, of few keys so that they meet.

use proptest::prelude::*;
use serde_json::Value;

fn key() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[abc]", 1 => "[0-2]", 1 => "[/~\"\\\\\n\u{1}é😀]{0,3}"]
}

pub(super) fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

pub(super) fn object() -> impl Strategy<Value = Value> {
    prop::collection::vec((key(), json()), 0..4)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

fn pointer() -> impl Strategy<Value = String> {
    let token = key().prop_map(|key| key.replace('~', "~0").replace('/', "~1"));
    prop::collection::vec(prop_oneof![8 => token, 1 => Just("-".to_owned())], 0..4)
        .prop_map(|tokens| tokens.iter().flat_map(|token| ["/", token]).collect())
}

pub(super) fn op() -> impl Strategy<Value = Value> {
    const NAMES: &[&str] = &[
        "add", "add", "add", "remove", "replace", "move", "copy", "test",
    ];
    let name = prop::sample::select(NAMES);
    (name, pointer(), pointer(), json()).prop_map(|(op, from, path, value)| {
        serde_json::json!({"op": op, "from": from, "path": path, "value": value})
    })
}

/// An operation with one member changed or gone, or no operation at all.
pub(super) fn malformed_op() -> impl Strategy<Value = Value> {
    let member = prop::sample::select(vec!["op", "path", "from", "value"]);
    let spoilt = (op(), member, prop::option::of(json())).prop_map(|(mut op, member, value)| {
        match value {
            Some(value) => op[member] = value,
            None => drop(op.as_object_mut().unwrap().remove(member)),
        }
        op
    });
    prop_oneof![spoilt, json()]
}
