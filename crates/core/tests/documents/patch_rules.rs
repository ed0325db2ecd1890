//! What the text of RFC 6902 (sections 4 and 5) and of `spec 2.4` says beyond the examples.

use crate::{GAME, REST, apply, patched, refusal};

#[test]
fn a_failing_op_is_named_and_none_takes_effect() {
    let patch = r#"[{"op":"replace","path":"/a","value":2},{"op":"add","path":"/b","value":1},
        {"op":"remove","path":"/b"},{"op":"remove","path":"/a/b"}]"#;
    assert_eq!(
        refusal(r#"{"a":1}"#, patch),
        "op 3: path /a/b does not exist"
    );
}

#[test]
fn an_empty_patch_changes_nothing() {
    assert_eq!(patched(r#"{"a":1}"#, "[]"), r#"{"a":1}"#);
}

#[test]
fn adding_over_a_member_replaces_it_in_its_place() {
    let patch = r#"[{"op":"add","path":"/a","value":null}]"#;
    assert_eq!(patched(r#"{"a":1,"b":2}"#, patch), r#"{"a":null,"b":2}"#);
}

#[test]
fn an_item_is_added_before_its_index_and_at_the_end() {
    let root = r#"{"a":[1,2]}"#;
    let add = |path: &str| format!(r#"[{{"op":"add","path":"{path}","value":0}}]"#);
    assert_eq!(patched(root, &add("/a/0")), r#"{"a":[0,1,2]}"#);
    assert_eq!(patched(root, &add("/a/2")), r#"{"a":[1,2,0]}"#);
    assert_eq!(patched(root, &add("/a/-")), r#"{"a":[1,2,0]}"#);
    assert_eq!(
        refusal(root, &add("/a/3")),
        "op 0: path /a/3 is beyond the end of a list of 2"
    );
    let huge = "/a/99999999999999999999999999";
    assert_eq!(
        refusal(root, &add(huge)),
        format!("op 0: path {huge} is beyond the end of a list of 2")
    );
    for path in ["/a/00", "/a/01", "/a/-1", "/a/+1", "/a/1e0", "/a/x", "/a/"] {
        assert_eq!(
            refusal(root, &add(path)),
            format!(
                "op 0: path {path} does not exist: lists have indexes, without sign or leading zeros"
            )
        );
    }
}

#[test]
fn the_place_after_the_last_item_can_only_be_added_to() {
    let root = r#"{"a":[1],"b":2}"#;
    let after_last = "does not exist: - is where the next item of a list will be";
    for op in [
        r#""op":"remove","path":"/a/-""#,
        r#""op":"replace","path":"/a/-","value":1"#,
        r#""op":"test","path":"/a/-","value":1"#,
        r#""op":"add","path":"/a/-/b","value":1"#,
    ] {
        let error = refusal(root, &format!("[{{{op}}}]"));
        assert!(error.ends_with(after_last), "{op}: {error}");
    }
    for op in ["move", "copy"] {
        let patch = format!(r#"[{{"op":"{op}","from":"/a/-","path":"/c"}}]"#);
        assert_eq!(
            refusal(root, &patch),
            format!("op 0: from /a/- {after_last}")
        );
    }
    assert_eq!(
        patched(root, r#"[{"op":"move","from":"/b","path":"/a/-"}]"#),
        r#"{"a":[1,2]}"#
    );
}

#[test]
fn a_hyphen_is_an_ordinary_key_of_an_object() {
    let patch = r#"[{"op":"add","path":"/-","value":1},{"op":"copy","from":"/-","path":"/01"}]"#;
    assert_eq!(patched("{}", patch), r#"{"-":1,"01":1}"#);
}

#[test]
fn the_empty_key_is_a_key() {
    let patch = r#"[{"op":"add","path":"/","value":1},{"op":"add","path":"/a/","value":2}]"#;
    assert_eq!(patched(r#"{"a":{}}"#, patch), r#"{"a":{"":2},"":1}"#);
}

#[test]
fn what_does_not_exist_cannot_be_removed_replaced_or_tested() {
    for op in ["remove", "replace", "test"] {
        for path in ["/b", "/a/b", "/s/0", "/l/1/x"] {
            let patch = format!(r#"[{{"op":"{op}","path":"{path}","value":null}}]"#);
            let error = refusal(r#"{"a":{},"s":"text","l":[0,1]}"#, &patch);
            assert_eq!(error, format!("op 0: path {path} does not exist"));
        }
    }
}

#[test]
fn a_move_into_its_own_child_is_refused_and_onto_itself_does_nothing() {
    let root = r#"{"a":{"b":1},"ab":2}"#;
    let moving =
        |from: &str, path: &str| format!(r#"[{{"op":"move","from":"{from}","path":"{path}"}}]"#);
    assert_eq!(
        refusal(root, &moving("/a", "/a/b/c")),
        "op 0: /a cannot be moved to /a/b/c, which is inside of it"
    );
    assert!(refusal(root, &moving("", "/a")).contains("inside of it"));
    assert_eq!(patched(root, &moving("/a", "/a")), root);
    assert_eq!(patched(root, &moving("", "")), root);
    assert_eq!(
        refusal(root, &moving("/x", "/x")),
        "op 0: from /x does not exist"
    );
    assert_eq!(patched(root, &moving("/a", "/ab")), r#"{"ab":{"b":1}}"#);
}

#[test]
fn a_move_removes_before_it_adds() {
    let patch = r#"[{"op":"move","from":"/a/0","path":"/a/2"}]"#;
    assert_eq!(
        refusal(r#"{"a":[1,2]}"#, patch),
        "op 0: path /a/2 is beyond the end of a list of 1"
    );
}

#[test]
fn a_copy_is_apart_from_what_it_was_copied_from() {
    let patch = r#"[{"op":"copy","from":"/a","path":"/b"},{"op":"add","path":"/b/0/-","value":2},
        {"op":"copy","from":"","path":"/a/0/0"}]"#;
    assert_eq!(
        patched(r#"{"a":[[1]]}"#, patch),
        r#"{"a":[[{"a":[[1]],"b":[[1,2]]},1]],"b":[[1,2]]}"#
    );
}

#[test]
fn the_root_may_be_replaced_but_stays_an_object() {
    let root = r#"{"a":{"b":1}}"#;
    assert_eq!(
        patched(root, r#"[{"op":"replace","path":"","value":{"c":2}}]"#),
        r#"{"c":2}"#
    );
    assert_eq!(
        patched(root, r#"[{"op":"add","path":"","value":{}}]"#),
        "{}"
    );
    assert_eq!(
        patched(root, r#"[{"op":"move","from":"/a","path":""}]"#),
        r#"{"b":1}"#
    );
    assert_eq!(
        patched(root, r#"[{"op":"copy","from":"/a","path":""}]"#),
        r#"{"b":1}"#
    );
    assert_eq!(
        refusal(root, r#"[{"op":"remove","path":""}]"#),
        "op 0: the root cannot be removed"
    );
    for op in [
        r#"{"op":"replace","path":"","value":[]}"#,
        r#"{"op":"add","path":"","value":null}"#,
        r#"{"op":"copy","from":"/a/b","path":""}"#,
    ] {
        let back = r#"{"op":"add","path":"","value":{}}"#;
        assert_eq!(
            refusal(root, &format!("[{op},{back}]")),
            "op 0: the root of the document must be an object",
        );
    }
}

#[test]
fn numbers_are_tested_by_value() {
    let tests = |number: &str, value: &str| {
        let patch = format!(r#"[{{"op":"test","path":"/n","value":{value}}}]"#);
        apply(&format!(r#"{{"n":{number}}}"#), &patch, &REST).is_ok()
    };
    for (number, value) in [
        ("1", "1.0"),
        ("100", "1e2"),
        ("-5", "-5.0"),
        ("0", "-0.0"),
        ("0.0", "-0"),
        ("9007199254740992", "9007199254740992.0"),
        ("18446744073709551615", "18446744073709551615"),
        ("36893488147419103232", "36893488147419103232.0"),
        ("1e300", "10e299"),
    ] {
        assert!(
            tests(number, value) && tests(value, number),
            "{number} is {value}"
        );
    }
    for (number, value) in [
        ("1", "1.5"),
        ("1", "true"),
        ("1", "\"1\""),
        ("9007199254740993", "9007199254740992.0"),
        ("18446744073709551615", "18446744073709551616"),
        ("18446744073709551615", "-1"),
        ("-9223372036854775808", "9223372036854775808"),
        ("9223372036854775807", "9223372036854775808.0"),
        ("1e300", "1"),
    ] {
        assert!(
            !tests(number, value) && !tests(value, number),
            "{number} is not {value}"
        );
    }
}

#[test]
fn values_are_tested_through_and_through() {
    let root = r#"{"v":{"a":[1,{"b":null,"c":"é"}],"d":true}}"#;
    let test = |value: &str| format!(r#"[{{"op":"test","path":"/v","value":{value}}}]"#);
    assert_eq!(
        patched(
            root,
            &test(r#"{"d":true,"a":[1.0,{"c":"\u00e9","b":null}]}"#)
        ),
        root
    );
    for value in [
        r#"{"d":true,"a":[{"c":"é","b":null},1]}"#,
        r#"{"d":true,"a":[1,{"c":"é"}]}"#,
        r#"{"d":true,"a":[1,{"c":"é","b":null}],"e":null}"#,
        r#"{"d":true,"a":[1,{"c":"e\u0301","b":null}]}"#,
        "null",
        "[]",
    ] {
        assert!(
            refusal(root, &test(value)).contains("not the one tested for"),
            "{value}"
        );
    }
}

#[test]
fn a_member_that_is_null_is_there() {
    let root = r#"{"a":null}"#;
    assert_eq!(
        patched(root, r#"[{"op":"test","path":"/a","value":null}]"#),
        root
    );
    assert_eq!(
        patched(root, r#"[{"op":"replace","path":"/a","value":1}]"#),
        r#"{"a":1}"#
    );
    assert!(
        refusal("{}", r#"[{"op":"test","path":"/a","value":null}]"#).contains("does not exist")
    );
}

#[test]
fn missing_parents_are_created_for_games_and_not_in_rest() {
    let patch = r#"[{"op":"add","path":"/game/text/game_data","value":[1]}]"#;
    assert_eq!(
        apply("{}", patch, &GAME).unwrap(),
        r#"{"game":{"text":{"game_data":[1]}}}"#
    );
    assert_eq!(
        refusal("{}", patch),
        "op 0: path /game/text/game_data has no parent to add to"
    );
    // Names that would be places in a list are keys of the object that is created.
    let patch = r#"[{"op":"add","path":"/l/0/-/x","value":1}]"#;
    assert_eq!(
        apply(r#"{"l":[{}]}"#, patch, &GAME).unwrap(),
        r#"{"l":[{"-":{"x":1}}]}"#
    );
}

#[test]
fn parents_are_created_for_add_alone_and_never_in_lists_or_plain_values() {
    let root = r#"{"a":{"n":null,"l":[1],"s":"x"},"v":1}"#;
    for path in ["/a/n/x", "/a/s/x/y", "/a/l/0/x", "/v/x"] {
        let patch = format!(r#"[{{"op":"add","path":"{path}","value":1}}]"#);
        let error = apply(root, &patch, &GAME).unwrap_err().to_string();
        assert_eq!(error, format!("op 0: path {path} has no parent to add to"));
    }
    for path in ["/a/l/1/x", "/a/l/-/x"] {
        let patch = format!(r#"[{{"op":"add","path":"{path}","value":1}}]"#);
        assert!(apply(root, &patch, &GAME).is_err(), "{path}");
    }
    for op in [
        r#"{"op":"replace","path":"/p/q","value":1}"#,
        r#"{"op":"remove","path":"/p/q"}"#,
        r#"{"op":"test","path":"/p/q","value":1}"#,
        r#"{"op":"copy","from":"/v","path":"/p/q"}"#,
        r#"{"op":"move","from":"/v","path":"/p/q"}"#,
    ] {
        assert!(apply(root, &format!("[{op}]"), &GAME).is_err(), "{op}");
    }
}
