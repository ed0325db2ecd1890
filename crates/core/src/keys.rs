//! Keys: readable paths, `stage/extension/kind/…`, so that no query can cross a stage or an
//! extension.

use std::fmt::Write as _;

use crowdlink_protocol::{ClientId, Stage};

/// Room that most keys fit in, in bytes.
const KEY_BYTES_USUAL: usize = 128;

/// Ids that start so are the extension's, the others a channel's (`spec 3.4`, `spec 3.5`,
/// `spec 3.6`).
pub(crate) fn is_global(id: &str) -> bool {
    id.starts_with("global")
}

/// A part of a key from outside. ASCII that is not plain is percent-encoded, so that a part can
/// neither end early nor reach into another; other scripts stay as they are, short and readable.
pub(crate) fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push_segment(&mut out, text);
    out
}

/// Adds a [`segment`] to a key.
pub(crate) fn push_segment(out: &mut String, text: &str) {
    let plain = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') || byte >= 0x80
    };
    if text.bytes().all(plain) {
        out.push_str(text);
        return;
    }
    for c in text.chars() {
        if !c.is_ascii() || u8::try_from(c).is_ok_and(plain) {
            out.push(c);
        } else {
            // Writing to a String does not fail.
            let _ = write!(out, "%{:02X}", u32::from(c));
        }
    }
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
    // Every read of a document comes by: no formatting, and room for the rest of the key.
    let mut key = String::with_capacity(KEY_BYTES_USUAL);
    key.push_str(stage.as_str());
    key.push('/');
    push_segment(&mut key, client_id.as_str());
    key.push('/');
    key.push_str(kind);
    key.push('/');
    key
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
