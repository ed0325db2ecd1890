//! What goes out to viewers: the message text and its encodings (`spec 4.1`).

use std::io::Read as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use crowdlink_protocol::{ClientId, Stage};
use flate2::Compression;
use flate2::bufread::ZlibEncoder;
use serde::Serialize;

use crate::error::Error;

#[derive(Serialize)]
struct Text<'a, T: ?Sized> {
    data: &'a T,
    event: String,
}

/// The message text of an event: `{"data":…,"event":"<stage>:<client id>:<name>"}`.
pub fn message_text<T: Serialize + ?Sized>(
    stage: Stage,
    client_id: &ClientId,
    name: &str,
    data: &T,
) -> Result<String, Error> {
    let event = format!("{stage}:{client_id}:{name}");
    Ok(serde_json::to_string(&Text { data, event })?)
}

/// What is sent for a message text, in this order and with nothing of another message between: the
/// text itself where it is under `bytes_max`, else the text deflated and in base64, in parts
/// `<i,n>…` where even that is over `bytes_max`. No part is over `bytes_max`.
pub fn encode_message(text: String, bytes_max: usize) -> Result<Vec<String>, Error> {
    if text.len() < bytes_max {
        return Ok(vec![text]);
    }
    let mut deflated = Vec::new();
    ZlibEncoder::new(text.as_bytes(), Compression::default())
        .read_to_end(&mut deflated)
        .map_err(|error| Error::Internal(format!("a message was not deflated: {error}")))?;
    let packed = BASE64_STANDARD.encode(deflated);
    if packed.len() <= bytes_max {
        return Ok(vec![packed]);
    }
    Ok(split(&packed, bytes_max))
}

/// Parts of an ASCII text, each with its number and their count before it.
fn split(packed: &str, bytes_max: usize) -> Vec<String> {
    let mut count = packed.len().div_ceil(bytes_max);
    // The more parts, the longer their headers: few rounds, for each adds a part at least.
    let share = loop {
        let header = format!("<{count},{count}>").len();
        let share = bytes_max.saturating_sub(header).max(1);
        let needed = packed.len().div_ceil(share);
        if needed <= count {
            break share;
        }
        count = needed;
    };
    let count = packed.len().div_ceil(share);
    let mut rest = packed;
    let mut parts = Vec::with_capacity(count);
    while !rest.is_empty() {
        let (part, after) = rest.split_at(share.min(rest.len()));
        parts.push(format!("<{},{count}>{part}", parts.len()));
        rest = after;
    }
    parts
}

/// A JSON text without white space between its tokens; what its numbers and strings say stays to
/// the byte.
pub(crate) fn minified(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for c in json.chars() {
        if in_string {
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if c.is_ascii_whitespace() {
            continue;
        } else {
            in_string = c == '"';
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use flate2::bufread::ZlibDecoder;
    use proptest::prelude::*;

    use super::*;

    const BYTES_MAX: usize = 5_000;

    /// Text that does not become smaller: base64 of what a simple generator makes.
    fn noise(bytes: usize) -> String {
        let mut state = 1_u64;
        let next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state.to_be_bytes()[0]
        };
        let raw: Vec<u8> = std::iter::repeat_with(next).take(bytes).collect();
        let mut text = BASE64_STANDARD.encode(raw);
        text.truncate(bytes);
        text
    }

    /// What the page library makes of it.
    fn decoded(messages: &[String]) -> String {
        let first = &messages[0];
        if first.starts_with('{') {
            assert_eq!(messages.len(), 1);
            return first.clone();
        }
        let packed: String = if first.starts_with('<') {
            let count = messages.len();
            let parts = messages.iter().enumerate().map(|(index, message)| {
                let header = format!("<{index},{count}>");
                let part = message.strip_prefix(&header).unwrap();
                assert!(
                    !part.is_empty(),
                    "the library takes it for one that is missing"
                );
                part
            });
            parts.collect()
        } else {
            assert_eq!(messages.len(), 1);
            first.clone()
        };
        let deflated = BASE64_STANDARD.decode(packed).unwrap();
        let mut text = String::new();
        ZlibDecoder::new(&*deflated)
            .read_to_string(&mut text)
            .unwrap();
        text
    }

    fn text_of(bytes: usize) -> String {
        let empty = r#"{"data":"","event":"sandbox:x:e"}"#;
        format!(
            r#"{{"data":"{}","event":"sandbox:x:e"}}"#,
            noise(bytes - empty.len())
        )
    }

    #[test]
    fn a_text_stays_plain_below_5_000_bytes_and_not_at_5_000() {
        let (plain, deflated) = (text_of(4_999), text_of(5_000));
        assert_eq!(encode_message(plain.clone(), BYTES_MAX).unwrap(), [plain]);
        let messages = encode_message(deflated.clone(), BYTES_MAX).unwrap();
        assert!(!messages[0].starts_with('{'));
        assert_eq!(decoded(&messages), deflated);
    }

    #[test]
    fn a_long_text_that_packs_well_is_one_message() {
        let text = format!(r#"{{"data":"{}"}}"#, "a".repeat(80_000));
        let messages = encode_message(text.clone(), BYTES_MAX).unwrap();
        assert_eq!((messages.len(), decoded(&messages)), (1, text));
    }

    #[test]
    fn parts_are_at_most_5_000_bytes_and_numbered_from_0() {
        let text = text_of(81_920);
        let messages = encode_message(text.clone(), BYTES_MAX).unwrap();
        assert!(messages[0].starts_with(&format!("<0,{}>", messages.len())));
        assert!(messages.iter().all(|message| message.len() <= BYTES_MAX));
        assert!(messages.len() > 10);
        assert_eq!(decoded(&messages), text);
    }

    #[test]
    fn parts_fit_also_where_their_count_grows_by_a_digit() {
        for length in 1..400 {
            let packed = "x".repeat(length);
            let parts = split(&packed, 12);
            assert!(parts.iter().all(|part| part.len() <= 12), "{length}");
            let count = parts.len();
            for (index, part) in parts.iter().enumerate() {
                assert!(part.starts_with(&format!("<{index},{count}>")), "{part}");
                assert!(part.ends_with('x'), "{part}");
            }
        }
    }

    #[test]
    fn white_space_goes_and_nothing_else_does() {
        let json = " { \"a b\" : [ 1.0 , 1e400 ,\n\t\"\\\" \\\\\" , \" \" ] } ";
        assert_eq!(minified(json), r#"{"a b":[1.0,1e400,"\" \\"," "]}"#);
    }

    proptest! {
        #[test]
        fn every_text_is_read_back_as_it_was(text in any::<String>(), repeat in 1_usize..200) {
            let text = serde_json::json!({ "data": text.repeat(repeat) }).to_string();
            let messages = encode_message(text.clone(), 512).unwrap();
            prop_assert!(messages.iter().all(|message| message.len() <= 512));
            prop_assert_eq!(decoded(&messages), text);
        }
    }
}
