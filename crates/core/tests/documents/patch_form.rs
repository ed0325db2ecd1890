//! What a patch must look like.

use crate::refusal;

#[test]
fn a_patch_is_a_list_of_objects() {
    for patch in [
        "{}",
        "null",
        "\"[]\"",
        r#"{"op":"add","path":"/a","value":1}"#,
    ] {
        assert_eq!(
            refusal("{}", patch),
            "a patch must be an array of operations"
        );
    }
    assert_eq!(
        refusal("{}", r#"[{"op":"test","path":"","value":{}},[]]"#),
        "op 1: an operation must be an object"
    );
    assert!(refusal("{}", "[").starts_with("the patch cannot be read: "));
}

#[test]
fn a_malformed_op_is_named_with_its_reason() {
    for (op, reason) in [
        (r#"{"path":"/a"}"#, "`op` is missing"),
        (r#"{"op":null,"path":"/a"}"#, "`op` is missing"),
        (r#"{"op":1,"path":"/a"}"#, "`op` must be a string"),
        (
            r#"{"op":"spam","path":"/a"}"#,
            "`spam` is not one of add, remove, replace, move, copy, test",
        ),
        (
            r#"{"op":"Add","path":"/a","value":1}"#,
            "`Add` is not one of add, remove, replace, move, copy, test",
        ),
        (r#"{"op":"add","value":1}"#, "`path` is missing"),
        (r#"{"op":"remove","path":null}"#, "`path` is missing"),
        (r#"{"op":"remove","path":["a"]}"#, "`path` must be a string"),
        (r#"{"op":"add","path":"/a"}"#, "`value` is missing"),
        (r#"{"op":"replace","path":"/a"}"#, "`value` is missing"),
        (r#"{"op":"test","path":"/a"}"#, "`value` is missing"),
        (r#"{"op":"move","path":"/b"}"#, "`from` is missing"),
        (
            r#"{"op":"copy","path":"/b","value":null}"#,
            "`from` is missing",
        ),
        (
            r#"{"op":"copy","path":"/b","from":7}"#,
            "`from` must be a string",
        ),
        (r#"{"op":"copy","from":"/a"}"#, "`path` is missing"),
        (
            r#"{"op":"remove","path":"a"}"#,
            "path a is not a JSON Pointer: it must be empty or begin with /",
        ),
        (
            r#"{"op":"remove","path":"/a~2b"}"#,
            "path /a~2b is not a JSON Pointer: after ~ there must be 0 or 1",
        ),
        (
            r#"{"op":"move","from":"/~","path":"/b"}"#,
            "from /~ is not a JSON Pointer: after ~ there must be 0 or 1",
        ),
    ] {
        let patch = format!(r#"[{{"op":"add","path":"/a","value":1}},{op}]"#);
        assert_eq!(refusal("{}", &patch), format!("op 1: {reason}"));
    }
}

/// Also where an earlier operation would have failed: the form is checked first.
#[test]
fn form_is_checked_before_anything_is_applied() {
    let patch = r#"[{"op":"remove","path":"/none"},{"op":"spam","path":""}]"#;
    assert!(refusal("{}", patch).starts_with("op 1: "));
}

#[test]
fn what_a_caller_wrote_is_repeated_up_to_128_characters() {
    let path = format!("/{}", "é".repeat(200));
    let patch = format!(r#"[{{"op":"remove","path":"{path}"}}]"#);
    let shown = format!("/{}…", "é".repeat(127));
    assert_eq!(
        refusal("{}", &patch),
        format!("op 0: path {shown} does not exist")
    );
}
