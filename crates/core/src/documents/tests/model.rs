//! Patches against a model that is written to be read: it works on plain values, copies everything
//! and serialises after every step.

#![allow(clippy::wildcard_enum_match_arm, reason = "values of JSON, for good")]

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::arbitrary::{json, malformed_op, object, op};
use crate::documents::{Bounds, Document, Patch, Rules, merge};

fn tokens(pointer: &str) -> Vec<String> {
    let tokens = pointer.split('/').skip(1);
    tokens
        .map(|token| token.replace("~1", "/").replace("~0", "~"))
        .collect()
}

fn index(token: &str, end: usize) -> Option<usize> {
    (0..end).find(|index| index.to_string() == token)
}

fn child<'a>(parent: &'a mut Value, token: &str) -> Option<&'a mut Value> {
    match parent {
        Value::Object(members) => members.get_mut(token),
        Value::Array(items) => index(token, items.len()).map(|index| &mut items[index]),
        _ => None,
    }
}

fn at<'a>(root: &'a mut Value, path: &[String]) -> Option<&'a mut Value> {
    path.iter().try_fold(root, |node, token| child(node, token))
}

fn add(root: &mut Value, path: &[String], value: Value, create: bool) -> Option<()> {
    let Some((last, parents)) = path.split_last() else {
        *root = value;
        return Some(());
    };
    let mut node = root;
    for token in parents {
        if let (true, Value::Object(members)) = (create, &mut *node) {
            members
                .entry(token.clone())
                .or_insert_with(|| Map::new().into());
        }
        node = child(node, token)?;
    }
    match node {
        Value::Object(members) => drop(members.insert(last.clone(), value)),
        Value::Array(items) if last == "-" => items.push(value),
        Value::Array(items) => items.insert(index(last, items.len() + 1)?, value),
        _ => return None,
    }
    Some(())
}

fn remove(root: &mut Value, path: &[String]) -> Option<Value> {
    let (last, parents) = path.split_last()?;
    match at(root, parents)? {
        Value::Object(members) => members.shift_remove(last),
        Value::Array(items) => index(last, items.len()).map(|index| items.remove(index)),
        _ => None,
    }
}

fn step(root: &mut Value, op: &Value, create: bool) -> Option<()> {
    let path = tokens(op["path"].as_str()?);
    let from = tokens(op["from"].as_str()?);
    let value = op["value"].clone();
    match op["op"].as_str()? {
        "add" => add(root, &path, value, create),
        "remove" => remove(root, &path).map(drop),
        "replace" => at(root, &path).map(|old| *old = value),
        "test" => (*at(root, &path)? == value).then_some(()),
        "copy" => {
            let value = at(root, &from)?.clone();
            add(root, &path, value, false)
        }
        "move" if path == from => at(root, &from).map(drop),
        "move" if path.starts_with(&from) => None,
        "move" => {
            let value = remove(root, &from)?;
            add(root, &path, value, false)
        }
        _ => None,
    }
}

fn depth(value: &Value) -> usize {
    let deepest = |children: Vec<&Value>| 1 + children.into_iter().map(depth).max().unwrap_or(0);
    match value {
        Value::Array(items) => deepest(items.iter().collect()),
        Value::Object(members) => deepest(members.values().collect()),
        _ => 0,
    }
}

fn keys(value: &Value) -> usize {
    let most = |children: Vec<&Value>| children.into_iter().map(keys).max().unwrap_or(0);
    match value {
        Value::Array(items) => most(items.iter().collect()),
        Value::Object(members) => most(members.values().collect()).max(members.len()),
        _ => 0,
    }
}

fn within(value: &Value, bounds: &Bounds) -> bool {
    value.is_object()
        && value.to_string().len() <= bounds.bytes_max
        && depth(value) <= bounds.depth_max
        && keys(value) <= bounds.keys_max
}

/// The result, or the index of the operation that failed.
fn patched(root: &Value, ops: &[Value], rules: &Rules) -> Result<Value, usize> {
    let mut root = root.clone();
    for (index, op) in ops.iter().enumerate() {
        step(&mut root, op, rules.create_parents).ok_or(index)?;
        if !within(&root, &rules.bounds) {
            return Err(index);
        }
    }
    Ok(root)
}

/// RFC 7396, section 2, word by word.
fn merged(target: Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else {
        return patch.clone();
    };
    let mut target = match target {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    for (name, value) in patch {
        if value.is_null() {
            target.shift_remove(name);
        } else {
            let old = target.get(name).cloned().unwrap_or(Value::Null);
            target.insert(name.clone(), merged(old, value));
        }
    }
    target.into()
}

/// So tight that random patches reach each of them.
const TIGHT: Bounds = Bounds {
    bytes_max: 400,
    depth_max: 5,
    keys_max: 5,
};

fn failed(error: &crate::documents::PatchError) -> usize {
    error.index().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    #[test]
    fn a_patch_does_what_the_model_does(
        value in object(), ops in prop::collection::vec(op(), 1..12), create_parents: bool,
    ) {
        let Ok(document) = Document::from_value(&value, &TIGHT) else {
            prop_assert!(!within(&value, &TIGHT));
            return Ok(());
        };
        let rules = Rules { bounds: TIGHT, create_parents };
        let patch = Patch::from_value(&ops.clone().into(), ops.len()).unwrap();
        let result = patch.apply(&document, &rules);
        let result = result.map(|document| String::from_utf8(document.to_json().unwrap()).unwrap());
        let expected = patched(&value, &ops, &rules).map(|value| value.to_string());
        prop_assert_eq!(result.map_err(|error| failed(&error)), expected);
        prop_assert_eq!(document.to_json().unwrap(), value.to_string().into_bytes());
    }

    #[test]
    fn single_operations_do_what_the_model_does(value in object(), ops in prop::collection::vec(op(), 16)) {
        let wide = Bounds::bytes(1 << 20);
        let document = Document::from_value(&value, &wide).unwrap();
        let rules = Rules { bounds: wide, create_parents: false };
        for op in ops {
            let ops = vec![op];
            let result = Patch::from_value(&ops.clone().into(), 1).unwrap().apply(&document, &rules);
            let result = result.map(|document| serde_json::to_string(&document).unwrap());
            let expected = patched(&value, &ops, &rules).map(|value| value.to_string());
            prop_assert_eq!(result.map_err(|error| failed(&error)), expected);
        }
    }

    #[test]
    fn a_merge_does_what_the_rfc_says(value in object(), patch in object()) {
        let wide = Bounds::bytes(1 << 20);
        let document = Document::from_value(&value, &wide).unwrap();
        let merge_patch = Document::from_value(&patch, &wide).unwrap();
        let expected = merged(value, &patch);
        let result = merge(&document, &merge_patch, &wide).unwrap();
        prop_assert_eq!(result.to_json().unwrap(), expected.to_string().into_bytes());
        prop_assert_eq!(merge(&document, &merge_patch, &TIGHT).is_ok(), within(&expected, &TIGHT));
    }

    #[test]
    fn no_list_of_anything_makes_a_patch_panic(
        value in object(), ops in prop::collection::vec(malformed_op(), 0..4), create_parents: bool,
    ) {
        let document = Document::from_value(&value, &Bounds::bytes(1 << 20)).unwrap();
        let text = Value::from(ops.clone()).to_string();
        let parsed = Patch::parse(text.as_bytes(), 3);
        let from_value = Patch::from_value(&ops.into(), 3);
        prop_assert_eq!(parsed.as_ref().err(), from_value.as_ref().err());
        if let Ok(patch) = parsed {
            let _ = patch.apply(&document, &Rules { bounds: TIGHT, create_parents });
        }
    }

    #[test]
    fn any_pointer_is_read_or_refused(pointer in "[/~01a-]{0,8}|\\PC{0,12}", value in json()) {
        let op = serde_json::json!([{"op": "add", "path": pointer, "value": value}]);
        let rules = Rules { bounds: TIGHT, create_parents: true };
        let _ = Patch::from_value(&op, 1).map(|patch| patch.apply(&Document::empty(), &rules));
    }

    #[test]
    fn any_bytes_are_a_document_or_refused(bytes: Vec<u8>) {
        let _ = Document::parse(&bytes, &TIGHT);
        let _ = Patch::parse(&bytes, 3);
    }
}
