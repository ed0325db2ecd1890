//! The examples of RFC 6902, appendix A. Results are compared with the order of their keys: a new
//! member comes last.

use crate::{patched, refusal};

#[test]
fn a_1_adding_an_object_member() {
    let patch = r#"[{"op":"add","path":"/baz","value":"qux"}]"#;
    assert_eq!(
        patched(r#"{"foo":"bar"}"#, patch),
        r#"{"foo":"bar","baz":"qux"}"#
    );
}

#[test]
fn a_2_adding_an_array_element() {
    let patch = r#"[{"op":"add","path":"/foo/1","value":"qux"}]"#;
    assert_eq!(
        patched(r#"{"foo":["bar","baz"]}"#, patch),
        r#"{"foo":["bar","qux","baz"]}"#
    );
}

#[test]
fn a_3_removing_an_object_member() {
    let patch = r#"[{"op":"remove","path":"/baz"}]"#;
    assert_eq!(
        patched(r#"{"baz":"qux","foo":"bar"}"#, patch),
        r#"{"foo":"bar"}"#
    );
}

#[test]
fn a_4_removing_an_array_element() {
    let patch = r#"[{"op":"remove","path":"/foo/1"}]"#;
    assert_eq!(
        patched(r#"{"foo":["bar","qux","baz"]}"#, patch),
        r#"{"foo":["bar","baz"]}"#
    );
}

#[test]
fn a_5_replacing_a_value() {
    let patch = r#"[{"op":"replace","path":"/baz","value":"boo"}]"#;
    assert_eq!(
        patched(r#"{"baz":"qux","foo":"bar"}"#, patch),
        r#"{"baz":"boo","foo":"bar"}"#
    );
}

#[test]
fn a_6_moving_a_value() {
    let root = r#"{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}"#;
    let patch = r#"[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]"#;
    let expected = r#"{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}"#;
    assert_eq!(patched(root, patch), expected);
}

#[test]
fn a_7_moving_an_array_element() {
    let patch = r#"[{"op":"move","from":"/foo/1","path":"/foo/3"}]"#;
    assert_eq!(
        patched(r#"{"foo":["all","grass","cows","eat"]}"#, patch),
        r#"{"foo":["all","cows","eat","grass"]}"#
    );
}

#[test]
fn a_8_testing_a_value_success() {
    let root = r#"{"baz":"qux","foo":["a",2,"c"]}"#;
    let patch =
        r#"[{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}]"#;
    assert_eq!(patched(root, patch), root);
}

#[test]
fn a_9_testing_a_value_error() {
    let patch = r#"[{"op":"test","path":"/baz","value":"bar"}]"#;
    assert_eq!(
        refusal(r#"{"baz":"qux"}"#, patch),
        "op 0: the value at path /baz is not the one tested for"
    );
}

#[test]
fn a_10_adding_a_nested_member_object() {
    let patch = r#"[{"op":"add","path":"/child","value":{"grandchild":{}}}]"#;
    assert_eq!(
        patched(r#"{"foo":"bar"}"#, patch),
        r#"{"foo":"bar","child":{"grandchild":{}}}"#
    );
}

#[test]
fn a_11_ignoring_unrecognized_elements() {
    let patch = r#"[{"op":"add","path":"/baz","value":"qux","xyz":123}]"#;
    assert_eq!(
        patched(r#"{"foo":"bar"}"#, patch),
        r#"{"foo":"bar","baz":"qux"}"#
    );
}

#[test]
fn a_12_adding_to_a_nonexistent_target() {
    let patch = r#"[{"op":"add","path":"/baz/bat","value":"qux"}]"#;
    assert_eq!(
        refusal(r#"{"foo":"bar"}"#, patch),
        "op 0: path /baz/bat has no parent to add to"
    );
}

/// Two members of one name: the last wins (`spec 5`), so this is a `remove`, of nothing.
#[test]
fn a_13_invalid_json_patch_document() {
    let patch = r#"[{"op":"add","path":"/baz","value":"qux","op":"remove"}]"#;
    assert_eq!(
        refusal(r#"{"foo":"bar"}"#, patch),
        "op 0: path /baz does not exist"
    );
}

#[test]
fn a_14_escape_ordering() {
    let root = r#"{"/":9,"~1":10}"#;
    assert_eq!(
        patched(root, r#"[{"op":"test","path":"/~01","value":10}]"#),
        root
    );
}

#[test]
fn a_15_comparing_strings_and_numbers() {
    let patch = r#"[{"op":"test","path":"/~01","value":"10"}]"#;
    assert_eq!(
        refusal(r#"{"/":9,"~1":10}"#, patch),
        "op 0: the value at path /~01 is not the one tested for"
    );
}

#[test]
fn a_16_adding_an_array_value() {
    let patch = r#"[{"op":"add","path":"/foo/-","value":["abc","def"]}]"#;
    assert_eq!(
        patched(r#"{"foo":["bar"]}"#, patch),
        r#"{"foo":["bar",["abc","def"]]}"#
    );
}
