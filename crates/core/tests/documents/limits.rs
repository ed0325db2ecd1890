//! The bounds of `spec 5`, each from both sides, and at every step.

use crowdlink_core::documents::{Bounds, Document, PATCH_OPS_MAX, Patch, Rules, merge};

use crate::{BOUNDS, GAME, REST, apply, document, refusal};

fn nested(levels: usize) -> String {
    format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels))
}

fn wide(keys: usize) -> String {
    let members: Vec<String> = (0..keys).map(|key| format!(r#""{key}":0"#)).collect();
    format!("{{{}}}", members.join(","))
}

fn text_of(bytes: usize) -> String {
    format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes - r#"{"a":""}"#.len()))
}

const DEEP: &str = "the document is not within bounds: JSON is nested deeper than 64 levels";
const WIDE: &str = "the document is not within bounds: an object has more than 10000 keys";
const BIG: &str = "the document must not be over 262144 bytes";

fn parse_refusal(text: &str) -> String {
    let from_text = Document::parse(text.as_bytes(), &BOUNDS).unwrap_err();
    let value = serde_json::from_str(text).unwrap();
    assert_eq!(
        Document::from_value(&value, &BOUNDS),
        Err(from_text.clone())
    );
    from_text.to_string()
}

#[test]
fn a_document_may_reach_its_limits_and_not_pass_them() {
    for within in [nested(64), wide(10_000), text_of(256 * 1_024)] {
        document(&within);
    }
    assert_eq!(parse_refusal(&nested(65)), DEEP);
    assert_eq!(parse_refusal(&wide(10_001)), WIDE);
    assert_eq!(parse_refusal(&text_of(256 * 1_024 + 1)), BIG);
}

#[test]
fn sizes_are_of_minified_json() {
    let tight = Bounds::bytes(r#"{"a":"é"}"#.len());
    let spaced = br#" { "a" : "\u00e9" } "#;
    assert_eq!(
        Document::parse(spaced, &tight).unwrap().bytes(),
        tight.bytes_max
    );
    // Escaped in the answer as it must be there.
    assert!(Document::parse(br#"{"a":"\u0001"}"#, &tight).is_err());
}

#[test]
fn a_patch_may_have_a_thousand_operations_and_no_more() {
    let ops = |count: usize| {
        format!(
            "[{}]",
            vec![r#"{"op":"add","path":"/a","value":1}"#; count].join(",")
        )
    };
    assert_eq!(apply("{}", &ops(1_000), &REST).unwrap(), r#"{"a":1}"#);
    assert_eq!(
        refusal("{}", &ops(1_001)),
        "a patch must not have more than 1000 operations"
    );
}

#[test]
fn each_step_keeps_the_size() {
    let root = text_of(256 * 1_024 - r#","b":1"#.len());
    let add = r#"{"op":"add","path":"/b","value":1}"#;
    assert_eq!(
        apply(&root, &format!("[{add}]"), &REST).unwrap().len(),
        256 * 1_024
    );
    // One byte more, if only until the next step.
    let ops = format!(
        r#"[{add},{{"op":"replace","path":"/b","value":10}},{{"op":"remove","path":"/a"}}]"#
    );
    assert_eq!(refusal(&root, &ops), format!("op 1: {BIG}"));
    // The other way round there is room.
    let ops = r#"[{"op":"remove","path":"/a"},{"op":"add","path":"/b","value":10}]"#;
    assert_eq!(apply(&root, ops, &REST).unwrap(), r#"{"b":10}"#);
}

#[test]
fn each_step_keeps_the_depth() {
    let path = "/a".repeat(63);
    let add = |value: &str| format!(r#"[{{"op":"add","path":"{path}","value":{value}}}]"#);
    assert!(apply(&nested(63), &add("{}"), &REST).is_ok());
    assert_eq!(refusal(&nested(63), &add("[[]]")), format!("op 0: {DEEP}"));
    let copy =
        format!(r#"[{{"op":"copy","from":"","path":"{path}"}},{{"op":"remove","path":"{path}"}}]"#);
    assert_eq!(refusal(&nested(63), &copy), format!("op 0: {DEEP}"));
    // A document of 64 levels fits into a patch.
    let replace = format!(r#"[{{"op":"replace","path":"","value":{}}}]"#, nested(64));
    assert_eq!(apply("{}", &replace, &REST).unwrap(), nested(64));
}

#[test]
fn created_parents_count_as_depth() {
    let add = |steps: usize| {
        format!(
            r#"[{{"op":"add","path":"{}","value":1}}]"#,
            "/a".repeat(steps)
        )
    };
    assert_eq!(apply("{}", &add(64), &GAME).unwrap(), nested(64));
    assert_eq!(
        apply("{}", &add(65), &GAME).unwrap_err().to_string(),
        format!("op 0: {DEEP}")
    );
}

#[test]
fn each_step_keeps_the_keys() {
    let root = format!(r#"{{"w":{}}}"#, wide(9_999));
    let ops = r#"[{"op":"add","path":"/w/x","value":1},{"op":"remove","path":"/w/x"},
        {"op":"add","path":"/w/x","value":1},{"op":"add","path":"/w/x","value":2}]"#;
    assert!(apply(&root, ops, &REST).is_ok());
    let ops = r#"[{"op":"add","path":"/w/x","value":1},{"op":"add","path":"/w/y","value":1},
        {"op":"remove","path":"/w/x"}]"#;
    assert_eq!(refusal(&root, ops), format!("op 1: {WIDE}"));
    let value = serde_json::from_str::<serde_json::Value>(&wide(10_001)).unwrap();
    let patch = serde_json::json!([{"op": "add", "path": "/w", "value": value}]);
    let patch = Patch::from_value(&patch, PATCH_OPS_MAX).unwrap();
    let error = patch.apply(&document("{}"), &REST).unwrap_err();
    assert_eq!(error.to_string(), format!("op 0: {WIDE}"));
}

#[test]
fn a_chain_of_copies_ends_at_the_limit() {
    let ops: Vec<String> = (0..1_000)
        .map(|i| {
            format!(
                r#"{{"op":"copy","from":"/a","path":"/a/{}"}}"#,
                if i % 2 == 0 { "-" } else { "0" }
            )
        })
        .collect();
    let patch = format!("[{}]", ops.join(","));
    // Each copy doubles the list. Nothing of it is built: with a limit of a terabyte it ends too.
    let bytes_max = 1 << 40;
    let huge = Rules {
        bounds: Bounds::bytes(bytes_max),
        ..REST
    };
    assert_eq!(
        apply(r#"{"a":[]}"#, &patch, &huge).unwrap_err().to_string(),
        format!("op 38: the document must not be over {bytes_max} bytes")
    );
    assert_eq!(refusal(r#"{"a":[]}"#, &patch), format!("op 16: {BIG}"));
}

#[test]
fn a_merge_keeps_the_limits() {
    let merged = |root: &str, patch: &str| {
        let patch = Document::parse(patch.as_bytes(), &Bounds::bytes(1 << 20)).unwrap();
        merge(&document(root), &patch, &BOUNDS)
    };
    let bytes = 256 * 1_024;
    assert_eq!(merged("{}", &text_of(bytes)).unwrap().bytes(), bytes);
    assert_eq!(
        merged("{}", &text_of(bytes + 1)).unwrap_err().to_string(),
        BIG
    );
    assert_eq!(
        merged(r#"{"b":1}"#, &text_of(bytes))
            .unwrap_err()
            .to_string(),
        BIG
    );
    // Only the result counts: what the patch removes makes room.
    let patch = text_of(bytes).replacen('{', r#"{"b":null,"#, 1);
    assert_eq!(merged(r#"{"b":1}"#, &patch).unwrap().bytes(), bytes);
    assert_eq!(
        merged(&wide(10_000), r#"{"x":1}"#).unwrap_err().to_string(),
        WIDE
    );
    assert!(merged(&wide(10_000), r#"{"x":1,"0":null}"#).is_ok());
    assert!(merged("{}", &nested(64)).is_ok());
    // A merge never nests deeper than the deeper of its two sides, so only looser bounds of the
    // patch let it pass the limit.
    let loose = Bounds {
        depth_max: 65,
        ..BOUNDS
    };
    let deep = Document::parse(nested(65).as_bytes(), &loose).unwrap();
    assert_eq!(
        merge(&document("{}"), &deep, &BOUNDS)
            .unwrap_err()
            .to_string(),
        DEEP
    );
}
