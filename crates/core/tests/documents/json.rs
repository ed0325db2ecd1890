//! How documents are read and written.

use crowdlink_core::documents::{Document, DocumentError};
use serde_json::json;

use crate::{BOUNDS, document, json};

#[test]
fn keys_stay_in_the_order_in_which_they_came() {
    let text = r#"{"z":1,"a":{"y":1,"b":2},"0":[]}"#;
    assert_eq!(json(&document(text)), text);
}

#[test]
fn of_a_key_that_comes_twice_the_last_value_counts() {
    let read = document(r#"{"a":[1,2,3],"b":2,"a":{"c":1,"c":2}}"#);
    assert_eq!(json(&read), r#"{"a":{"c":2},"b":2}"#);
}

#[test]
fn numbers_stay_what_they_are() {
    let text = concat!(
        r#"{"n":[1000.0,-0.0,0,0.1,9007199254740993,18446744073709551615,"#,
        "-9223372036854775808,1e+300,5e-324]}"
    );
    assert_eq!(json(&document(text)), text);
    assert_eq!(
        json(&document(r#"{"n":[1E3,10e-1]}"#)),
        r#"{"n":[1000.0,1.0]}"#
    );
}

#[test]
fn an_integer_beyond_64_bits_becomes_a_float() {
    assert_eq!(
        json(&document(r#"{"n":18446744073709551616}"#)),
        r#"{"n":1.8446744073709552e+19}"#
    );
}

#[test]
fn a_number_beyond_a_float_is_refused() {
    for number in ["1e400", "-1e400"] {
        let text = format!(r#"{{"n":{number}}}"#);
        let error = Document::parse(text.as_bytes(), &BOUNDS)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("the document must be JSON: number out of range"),
            "{error}"
        );
    }
}

#[test]
fn texts_are_escaped_as_little_as_may_be() {
    let text = r#"{"t":"\u0000\b\t\n\f\r\u001f\"\\/é😀"}"#;
    assert_eq!(json(&document(text)), text);
    assert_eq!(
        json(&document(r#"{"t":"\/\u00e9\ud83d\ude00\u007f"}"#)),
        "{\"t\":\"/é😀\u{7f}\"}"
    );
}

#[test]
fn a_root_that_is_no_object_is_refused() {
    for text in ["[]", "1", "null", r#""{}""#] {
        let refused = Document::parse(text.as_bytes(), &BOUNDS);
        assert_eq!(refused, Err(DocumentError::RootNotObject), "{text}");
    }
    assert_eq!(
        DocumentError::RootNotObject.to_string(),
        "the root of the document must be an object"
    );
    assert_eq!(
        Document::from_value(&json!([]), &BOUNDS),
        Err(DocumentError::RootNotObject)
    );
}

#[test]
fn what_is_no_json_is_refused() {
    for text in [
        &b""[..],
        b"{",
        b"{}{}",
        b"{\"a\":NaN}",
        b"{\"a\":\"\xff\"}",
        b"{\"a\":\"\\ud800\"}",
    ] {
        let refused = Document::parse(text, &BOUNDS);
        assert!(
            matches!(refused, Err(DocumentError::NotJson(_))),
            "{refused:?}"
        );
    }
}

#[test]
fn a_document_goes_into_answers_and_comes_from_values() {
    let value = json!({ "b": [1, null, "x"], "a": { "c": true } });
    let document = Document::from_value(&value, &BOUNDS).unwrap();
    assert_eq!(serde_json::to_value(&document).unwrap(), value);
    assert_eq!(json!({ "state": document }), json!({ "state": value }));
    assert_eq!(json(&Document::empty()), "{}");
}
