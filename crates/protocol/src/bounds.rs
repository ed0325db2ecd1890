//! Bounds on JSON before it is parsed (`spec 5`).

/// Deepest nesting of a document, its own root being 1 (`spec 5`, `spec 6.4`).
pub const JSON_DEPTH_MAX: usize = 64;
/// Most keys of one object (`spec 5`).
pub const JSON_OBJECT_KEYS_MAX: usize = 10_000;

/// Which bound a JSON text breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BoundError {
    /// Nested too deep.
    #[error("JSON is nested deeper than {max} levels")]
    Depth {
        /// The bound.
        max: usize,
    },
    /// Too many keys in one object.
    #[error("an object has more than {max} keys")]
    Keys {
        /// The bound.
        max: usize,
    },
}

/// Checks the nesting and the size of objects of a JSON text without parsing or allocating more
/// than `depth_max` counters. A text that is not JSON may pass: the parser refuses it later.
pub fn check_json_bounds(
    text: &[u8],
    depth_max: usize,
    object_keys_max: usize,
) -> Result<(), BoundError> {
    // One counter of keys for each open bracket; brackets of arrays count none, for colons
    // stand in objects alone.
    let mut keys: Vec<usize> = Vec::new();
    let mut in_string = false;
    let mut escaped = false;
    for byte in text {
        if in_string {
            match (escaped, byte) {
                (true, _) => escaped = false,
                (false, b'\\') => escaped = true,
                (false, b'"') => in_string = false,
                (false, _) => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                if keys.len() == depth_max {
                    return Err(BoundError::Depth { max: depth_max });
                }
                keys.push(0);
            }
            b'}' | b']' => {
                keys.pop();
            }
            b':' => {
                if let Some(count) = keys.last_mut() {
                    *count += 1;
                    if *count > object_keys_max {
                        return Err(BoundError::Keys {
                            max: object_keys_max,
                        });
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> String {
        format!("{}{}", "[".repeat(depth), "]".repeat(depth))
    }

    #[test]
    fn sixty_four_levels_pass_and_sixty_five_do_not() {
        let check = |text: &str| check_json_bounds(text.as_bytes(), JSON_DEPTH_MAX, 10);
        assert_eq!(check(&nested(64)), Ok(()));
        assert_eq!(check(&nested(65)), Err(BoundError::Depth { max: 64 }));
    }

    #[test]
    fn brackets_and_colons_inside_strings_do_not_count() {
        assert_eq!(check_json_bounds(br#"{"[[[[\"::::":"]]{{"}"#, 1, 1), Ok(()));
    }

    #[test]
    fn keys_are_counted_for_each_object_alone() {
        assert_eq!(
            check_json_bounds(br#"[{"a":1,"b":{"c":2}},{"a":1,"b":2}]"#, 3, 2),
            Ok(())
        );
        let text = br#"{"a":1,"b":2,"c":3}"#;
        assert_eq!(
            check_json_bounds(text, 3, 2),
            Err(BoundError::Keys { max: 2 })
        );
    }
}
