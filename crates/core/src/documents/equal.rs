//! Equality as `test` means it (RFC 6902, 4.6).

use serde_json::Number;

use super::node::Node;

/// Whether two values are the same: numbers by value, objects whatever the order of their keys.
/// Looks at no more of either than the smaller one has.
pub(super) fn same(left: &Node, right: &Node) -> bool {
    match (left, right) {
        (Node::Number(left), Node::Number(right)) => same_number(left, right),
        (Node::List(left), Node::List(right)) => {
            let (left, right) = (left.items(), right.items());
            left.len() == right.len() && left.iter().zip(right).all(|(l, r)| same(l, r))
        }
        (Node::Object(left), Node::Object(right)) => {
            let (left, right) = (left.members(), right.members());
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, l)| right.get(key).is_some_and(|r| same(l, r)))
        }
        (left, right) => left == right,
    }
}

/// Integers are compared exactly, for not all of 64 bits fit a float: 2^53 + 1 is not 2^53.0.
fn same_number(left: &Number, right: &Number) -> bool {
    match (integer(left), integer(right)) {
        (Some(left), Some(right)) => left == right,
        (None, None) => left.as_f64() == right.as_f64(),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// Every integer that serde_json keeps exactly is smaller than this, 2^65.
const INTEGERS_END: f64 = 36_893_488_147_419_103_232.0;

/// The whole number that this is, also if it was written as a float.
fn integer(number: &Number) -> Option<i128> {
    if let Some(integer) = number.as_i128() {
        return Some(integer);
    }
    let float = number.as_f64()?;
    #[expect(clippy::cast_possible_truncation, reason = "whole, and within i128")]
    (float.fract() == 0.0 && float.abs() < INTEGERS_END).then_some(float as i128)
}
