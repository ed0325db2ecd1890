//! Keys: readable paths, `stage/extension/kind/…`, so that no query can cross a stage or an
//! extension.

use std::fmt::Write as _;

use crowdlink_protocol::{ClientId, Stage};

/// A part of a key from outside. ASCII that is not plain is percent-encoded, so that a part can
/// neither end early nor reach into another; other scripts stay as they are, short and readable.
pub(crate) fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') || !c.is_ascii() {
            out.push(c);
        } else {
            // Writing to a String does not fail.
            let _ = write!(out, "%{:02X}", u32::from(c));
        }
    }
    out
}

/// Undoes [`segment`]; `None` where the text was not made by it.
pub(crate) fn unsegment(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// `stage/extension/kind/`, the prefix of everything of one kind.
pub(crate) fn kind(stage: Stage, client_id: &ClientId, kind: &str) -> String {
    format!("{stage}/{}/{kind}/", segment(client_id.as_str()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_segment_never_reaches_out_of_its_place(text in any::<String>()) {
            let encoded = segment(&text);
            prop_assert!(!encoded.contains('/'));
            prop_assert_eq!(unsegment(&encoded), Some(text));
        }
    }
}
