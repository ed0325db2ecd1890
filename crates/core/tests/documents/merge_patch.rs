//! JSON Merge Patch: the test cases of RFC 7396, appendix A, that have objects for roots. Its
//! other targets are tried one level down.

use crowdlink_core::documents::{Document, merge};

use crate::{BOUNDS, document, json};

fn merged(root: &str, patch: &str) -> String {
    json(&merge(&document(root), &document(patch), &BOUNDS).unwrap())
}

#[test]
fn the_cases_of_rfc_7396_come_out_as_it_says() {
    for (root, patch, expected) in [
        (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
        (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
        (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
        (
            r#"{"a":{"b":"c"}}"#,
            r#"{"a":{"b":"d","c":null}}"#,
            r#"{"a":{"b":"d"}}"#,
        ),
        (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
        (
            r#"{"r":["a","b"]}"#,
            r#"{"r":["c","d"]}"#,
            r#"{"r":["c","d"]}"#,
        ),
        (r#"{"r":{"a":"b"}}"#, r#"{"r":["c"]}"#, r#"{"r":["c"]}"#),
        (r#"{"r":{"a":"foo"}}"#, r#"{"r":"bar"}"#, r#"{"r":"bar"}"#),
        (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
        (
            r#"{"r":[1,2]}"#,
            r#"{"r":{"a":"b","c":null}}"#,
            r#"{"r":{"a":"b"}}"#,
        ),
        ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
    ] {
        assert_eq!(merged(root, patch), expected, "{root} and {patch}");
    }
}

#[test]
fn the_example_of_rfc_7396_section_3_comes_out_as_it_says() {
    let root = r#"{"title":"Goodbye!","author":{"givenName":"John","familyName":"Doe"},
        "tags":["example","sample"],"content":"This will be unchanged"}"#;
    let patch = r#"{"title":"Hello!","phoneNumber":"+01-123-456-7890",
        "author":{"familyName":null},"tags":["example"]}"#;
    let expected = concat!(
        r#"{"title":"Hello!","author":{"givenName":"John"},"tags":["example"],"#,
        r#""content":"This will be unchanged","phoneNumber":"+01-123-456-7890"}"#
    );
    assert_eq!(merged(root, patch), expected);
}

#[test]
fn null_inside_a_list_is_a_value() {
    assert_eq!(
        merged("{}", r#"{"a":[null,{"b":null}]}"#),
        r#"{"a":[null,{"b":null}]}"#
    );
}

#[test]
fn the_inputs_stay_as_they_are() {
    let (root, patch) = (r#"{"a":{"b":1},"c":2}"#, r#"{"a":{"b":null},"c":3}"#);
    let (kept, kept_patch): (Document, Document) = (document(root), document(patch));
    merge(&kept, &kept_patch, &BOUNDS).unwrap();
    assert_eq!(
        (json(&kept).as_str(), json(&kept_patch).as_str()),
        (root, patch)
    );
}
