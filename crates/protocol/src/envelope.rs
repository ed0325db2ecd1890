//! The envelope of a request on a game's socket, the first of two steps: what it is called, and
//! its data untouched (`spec 2.2`).

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::bounds::{BoundError, JSON_DEPTH_MAX, JSON_OBJECT_KEYS_MAX, check_json_bounds};

/// The request id of events, and of answers to requests that had none (`spec 2.2`).
pub const REQUEST_ID_NONE: u16 = u16::MAX;

/// Levels of an envelope above a document in it: the frame, its `data`, a field of that, and an
/// item of a list.
const ENVELOPE_DEPTH: usize = 4;

/// A request, its data still raw.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// What to do; empty where the frame has none.
    pub action: Cow<'a, str>,
    /// To what; empty where the frame has none.
    pub target: Cow<'a, str>,
    /// An echo, never a key: clients reuse it.
    pub request_id: u16,
    /// The data as it stood in the frame; absent also for `null`.
    pub data: Option<&'a RawValue>,
}

/// Why a frame holds no request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not JSON, or no object; five in a row close the connection.
    #[error("the frame is not a JSON object")]
    NotAnObject,
    /// Breaks a bound of `spec 5`.
    #[error(transparent)]
    Bound(#[from] BoundError),
    /// A field of a wrong type. Id, action and target are what could be read of them.
    #[error("{field} {expected}")]
    Field {
        /// Its name.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
        /// To be echoed.
        request_id: u16,
        /// To be echoed.
        action: String,
        /// To be echoed.
        target: String,
    },
}

impl<'a> Request<'a> {
    /// Reads a frame. Unknown fields are ignored, of duplicate keys the last wins, `null` counts as
    /// absent.
    pub fn parse(frame: &'a str) -> Result<Self, EnvelopeError> {
        check_json_bounds(
            frame.as_bytes(),
            JSON_DEPTH_MAX + ENVELOPE_DEPTH,
            JSON_OBJECT_KEYS_MAX,
        )?;
        let Fields([action, params, data]) =
            fields(frame, ["action", "params", "data"]).map_err(|_| EnvelopeError::NotAnObject)?;
        let mut faults = Faults::default();
        let action = faults.text("action", action);
        let (request_id, target) = match params {
            None => (None, None),
            Some(raw) => {
                let Fields(found) =
                    fields(raw.get(), ["request_id", "target"]).unwrap_or_else(|_| {
                        faults.note("params", "must be an object");
                        Fields([None, None])
                    });
                let [request_id, target] = found;
                (request_id, target)
            }
        };
        let target = faults.text("target", target);
        let request_id = match request_id.map(|raw| serde_json::from_str::<u16>(raw.get())) {
            None => REQUEST_ID_NONE,
            Some(Ok(id)) => id,
            Some(Err(_)) => {
                faults.note("request_id", "must be an integer from 0 to 65535");
                REQUEST_ID_NONE
            }
        };
        match faults.first {
            None => Ok(Self {
                action,
                target,
                request_id,
                data,
            }),
            Some((field, expected)) => Err(EnvelopeError::Field {
                field,
                expected,
                request_id,
                action: action.into_owned(),
                target: target.into_owned(),
            }),
        }
    }
}

/// Remembers the first field that was wrong while the rest is still read, to be echoed.
#[derive(Default)]
struct Faults {
    first: Option<(&'static str, &'static str)>,
}

impl Faults {
    fn note(&mut self, field: &'static str, expected: &'static str) {
        self.first.get_or_insert((field, expected));
    }

    fn text<'a>(&mut self, field: &'static str, raw: Option<&'a RawValue>) -> Cow<'a, str> {
        let Some(raw) = raw else {
            return Cow::Borrowed("");
        };
        if let Ok(Text(text)) = serde_json::from_str::<Text<'a>>(raw.get()) {
            return text;
        }
        self.note(field, "must be a string");
        Cow::Borrowed("")
    }
}

/// A string, borrowed where it has no escapes.
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(TextVisitor)
    }
}

/// The raw values of `N` wanted keys of an object.
pub(crate) struct Fields<'a, const N: usize>(pub(crate) [Option<&'a RawValue>; N]);

pub(crate) fn fields<'a, const N: usize>(
    text: &'a str,
    names: [&'static str; N],
) -> Result<Fields<'a, N>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let found = deserializer.deserialize_map(FieldsVisitor { names })?;
    deserializer.end()?;
    Ok(found)
}

struct FieldsVisitor<const N: usize> {
    names: [&'static str; N],
}

impl<'de, const N: usize> Visitor<'de> for FieldsVisitor<N> {
    type Value = Fields<'de, N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = [None; N];
        while let Some(Text(key)) = map.next_key::<Text<'de>>()? {
            let value = map.next_value::<&'de RawValue>()?;
            let slots = self.names.iter().zip(found.iter_mut());
            if let Some((_, slot)) = slots.into_iter().find(|(name, _)| **name == key) {
                *slot = (value.get() != "null").then_some(value);
            }
        }
        Ok(Fields(found))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_request_is_read_with_its_data_untouched() {
        let frame =
            r#" {"action":"get","params":{"request_id":17,"target":"state"},"data":{"a" : 1.0}} "#;
        let request = Request::parse(frame).unwrap();
        assert_eq!(
            (&*request.action, &*request.target, request.request_id),
            ("get", "state", 17)
        );
        assert_eq!(request.data.unwrap().get(), r#"{"a" : 1.0}"#);
    }

    #[test]
    fn every_part_may_be_left_out_or_null() {
        for frame in [
            "{}",
            r#"{"action":null,"params":null,"data":null}"#,
            r#"{"params":{"request_id":null,"target":null}}"#,
            r#"{"params":{}}"#,
        ] {
            let request = Request::parse(frame).unwrap();
            assert_eq!((&*request.action, &*request.target), ("", ""));
            assert_eq!(
                (request.request_id, request.data.is_none()),
                (REQUEST_ID_NONE, true)
            );
        }
    }

    #[test]
    fn of_duplicate_keys_the_last_wins_and_escapes_are_undone() {
        let request = Request::parse(r#"{"action":"a","action":"g\u0065t"}"#).unwrap();
        assert_eq!(request.action, "get");
    }

    #[test]
    fn half_a_surrogate_pair_is_refused_where_it_is_read_and_left_alone_elsewhere() {
        let data = r#""\udadd""#;
        let frame = format!(r#"{{"action":"get","data":{data},"other":"dd\udaddd"}}"#);
        let request = Request::parse(&frame).unwrap();
        assert_eq!(request.data.unwrap().get(), data);
        for frame in [
            r#"{"action":"\udadd"}"#,
            r#"{"params":{"target":"\udaddd"}}"#,
        ] {
            let refused = Request::parse(frame);
            assert!(
                matches!(refused, Err(EnvelopeError::Field { .. })),
                "{frame}"
            );
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for frame in [
            "",
            " ",
            "null",
            "[]",
            "\"{}\"",
            "1",
            "{",
            "{}{}",
            "{\"a\"}",
            "{'a':1}",
            "\u{feff}{}",
        ] {
            assert_eq!(
                Request::parse(frame).unwrap_err(),
                EnvelopeError::NotAnObject,
                "{frame}"
            );
        }
    }

    #[test]
    fn fields_of_a_wrong_type_are_named() {
        for (frame, name) in [
            (r#"{"action":1}"#, "action"),
            (r#"{"params":[]}"#, "params"),
            (r#"{"params":{"target":{}}}"#, "target"),
            (r#"{"params":{"request_id":65536}}"#, "request_id"),
            (r#"{"params":{"request_id":-1}}"#, "request_id"),
            (r#"{"params":{"request_id":"1"}}"#, "request_id"),
            (r#"{"params":{"request_id":1.5}}"#, "request_id"),
        ] {
            let error = Request::parse(frame).unwrap_err();
            assert!(
                matches!(error, EnvelopeError::Field { field, .. } if field == name),
                "{frame}"
            );
        }
    }

    #[test]
    fn a_frame_nested_without_end_is_refused_by_its_depth() {
        let frame = format!("{{\"data\":{}", "[".repeat(1_000_000));
        assert!(matches!(
            Request::parse(&frame),
            Err(EnvelopeError::Bound(_))
        ));
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in any::<String>()) {
            let _ = Request::parse(&text);
        }

        #[test]
        fn near_misses_never_panic(text in r#"[\{\}\[\]",:a-e0-9\\ .]{0,60}"#) {
            let _ = Request::parse(&text);
        }

        #[test]
        fn what_was_asked_is_what_is_read(action in any::<String>(), target in any::<String>(), id: u16) {
            let frame = serde_json::json!({
                "action": action, "params": { "request_id": id, "target": target }
            }).to_string();
            let request = Request::parse(&frame).unwrap();
            prop_assert_eq!((&*request.action, &*request.target, request.request_id), (&*action, &*target, id));
        }
    }
}
