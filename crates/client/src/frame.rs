//! Frames on the wire (`spec 2.2`): strict in what is sent, liberal in what is read.

use std::fmt;

use crowdlink_protocol::REQUEST_ID_NONE;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::error::Error;

/// The longest request, in bytes: what a server takes of a paired game by default (`spec 5`).
pub const REQUEST_BYTES_MAX: usize = 2 * 1024 * 1024;

#[derive(Serialize)]
struct Params {
    request_id: u16,
    #[serde(skip_serializing_if = "str::is_empty")]
    target: &'static str,
}

#[derive(Serialize)]
struct Request<'a> {
    action: &'static str,
    params: Params,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
}

/// What is asked for, without its id. Its debug form does not show the data, which may hold a secret.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) action: &'static str,
    pub(crate) target: &'static str,
    pub(crate) data: Option<Box<RawValue>>,
}

impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ask({} {})", self.action, self.target)
    }
}

impl Ask {
    /// Fails where the data is no JSON, or too long.
    pub(crate) fn new<T: Serialize>(
        action: &'static str,
        target: &'static str,
        data: &T,
    ) -> Result<Self, Error> {
        let data = serde_json::value::to_raw_value(data)
            .map_err(|error| Error::Unsendable(error.to_string()))?;
        let ask = Self {
            action,
            target,
            data: Some(data),
        };
        let bytes = ask.encode(REQUEST_ID_NONE)?.len();
        if bytes > REQUEST_BYTES_MAX {
            let text = format!("{bytes} bytes, of {REQUEST_BYTES_MAX} at most");
            return Err(Error::Unsendable(text));
        }
        Ok(ask)
    }

    /// Without data.
    pub(crate) fn bare(action: &'static str, target: &'static str) -> Self {
        Self {
            action,
            target,
            data: None,
        }
    }

    /// The frame.
    pub(crate) fn encode(&self, request_id: u16) -> Result<String, Error> {
        let params = Params {
            request_id,
            target: self.target,
        };
        let request = Request {
            action: self.action,
            params,
            data: self.data.as_deref(),
        };
        serde_json::to_string(&request).map_err(|error| Error::Unsendable(error.to_string()))
    }
}

/// A field that may be missing, `null`, or of a type that nobody expected: then it is the default.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).unwrap_or_default())
}

/// A field that may be missing or `null`.
pub(crate) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[derive(Default, Deserialize)]
struct Meta {
    #[serde(default, deserialize_with = "lenient")]
    request_id: Option<u16>,
    #[serde(default, deserialize_with = "lenient")]
    action: String,
    #[serde(default, deserialize_with = "lenient")]
    target: String,
    #[serde(default, deserialize_with = "lenient")]
    timestamp: Option<i64>,
}

#[derive(Default, Deserialize)]
struct ErrorItem {
    #[serde(default, deserialize_with = "lenient")]
    number: u16,
    #[serde(default, deserialize_with = "lenient")]
    status: u16,
    #[serde(default, deserialize_with = "lenient")]
    title: String,
    #[serde(default, deserialize_with = "lenient")]
    detail: String,
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(default, borrow)]
    meta: Option<&'a RawValue>,
    #[serde(default, borrow)]
    data: Option<&'a RawValue>,
    #[serde(default, borrow)]
    errors: Option<&'a RawValue>,
}

/// A frame of the server.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    /// The id of the request, or [`REQUEST_ID_NONE`].
    pub(crate) request_id: u16,
    /// Whether nobody asked for it.
    pub(crate) is_event: bool,
    pub(crate) target: String,
    /// The server's Unix time in ms.
    pub(crate) timestamp: Option<i64>,
    /// Data, or the refusal; `None` where there is neither.
    pub(crate) body: Result<Option<&'a RawValue>, Error>,
}

impl<'a> Frame<'a> {
    /// Reads a frame; `None` where the text is none.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        let fields: Fields<'a> = serde_json::from_str(text).ok()?;
        let meta = fields.meta.map(RawValue::get);
        let meta: Meta = meta
            .and_then(|meta| serde_json::from_str(meta).ok())
            .unwrap_or_default();
        let request_id = meta.request_id.unwrap_or(REQUEST_ID_NONE);
        let body = match fields.errors.and_then(|errors| refusal(errors.get())) {
            Some(error) => Err(error),
            None => Ok(fields.data),
        };
        Some(Self {
            request_id,
            is_event: request_id == REQUEST_ID_NONE && meta.action == "update",
            target: meta.target,
            timestamp: meta.timestamp,
            body,
        })
    }
}

/// The first of a list of errors. A list that cannot be read is a refusal all the same.
fn refusal(errors: &str) -> Option<Error> {
    let item = match serde_json::from_str::<Vec<ErrorItem>>(errors) {
        Ok(items) => items.into_iter().next()?,
        Err(_) => ErrorItem::default(),
    };
    let number = match (item.number, item.status) {
        (0, 0) => 500,
        (0, status) => status,
        (number, _) => number,
    };
    Some(Error::Refused {
        number,
        title: item.title,
        detail: item.detail,
    })
}

/// Reads an answer's data as what it must be.
pub(crate) fn typed<T: DeserializeOwned>(data: Option<&RawValue>) -> Result<T, Error> {
    let text = data.map_or("{}", RawValue::get);
    serde_json::from_str(text).map_err(|error| Error::Unreadable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_leaves_out_what_it_does_not_have() {
        let ask = Ask::bare("subscribe", "datastream");
        assert_eq!(
            ask.encode(5).unwrap(),
            r#"{"action":"subscribe","params":{"request_id":5,"target":"datastream"}}"#
        );
        let ask = Ask::new("broadcast", "", &json!({ "topic": "a" })).unwrap();
        assert_eq!(
            ask.encode(6).unwrap(),
            r#"{"action":"broadcast","params":{"request_id":6},"data":{"topic":"a"}}"#
        );
    }

    #[test]
    fn the_debug_form_of_a_request_tells_no_secret() {
        let ask = Ask::new("authenticate", "", &json!({ "refresh": "hunter2" })).unwrap();
        assert_eq!(format!("{ask:?}"), "Ask(authenticate )");
    }

    #[test]
    fn a_request_of_the_longest_is_sent_and_a_longer_one_is_not() {
        let empty = Ask::new("broadcast", "", &"").unwrap();
        let room = REQUEST_BYTES_MAX - empty.encode(REQUEST_ID_NONE).unwrap().len();
        assert!(Ask::new("broadcast", "", &"x".repeat(room)).is_ok());
        let error = Ask::new("broadcast", "", &"x".repeat(room + 1)).unwrap_err();
        assert!(matches!(error, Error::Unsendable(_)), "{error}");
    }

    #[test]
    fn fields_of_other_types_and_unknown_fields_do_no_harm() {
        let frame = Frame::read(
            r#"{"meta":{"request_id":"7","action":5,"target":null,"timestamp":1.5,"channel":"1"},"more":[],"data":{"a":1}}"#,
        )
        .unwrap();
        assert_eq!((frame.request_id, &*frame.target), (REQUEST_ID_NONE, ""));
        assert!(!frame.is_event && frame.timestamp.is_none());
        assert_eq!(frame.body.unwrap().unwrap().get(), r#"{"a":1}"#);
        assert!(Frame::read("{").is_none() && Frame::read("7").is_none());
    }

    #[test]
    fn a_refusal_is_one_whatever_it_looks_like() {
        for (errors, number) in [
            (r#"[{"number":404,"status":404}]"#, Some(404)),
            (r#"[{"status":403}]"#, Some(403)),
            ("[{}]", Some(500)),
            (r#""no""#, Some(500)),
            (r#"[{"number":null}]"#, Some(500)),
            ("[]", None),
            ("null", None),
        ] {
            let text = format!(r#"{{"meta":{{"request_id":1}},"errors":{errors}}}"#);
            let body = Frame::read(&text).unwrap().body;
            assert_eq!(
                body.err().and_then(|error| error.number()),
                number,
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange_to_be_read(text in ".*") {
            let _ = Frame::read(&text);
        }

        #[test]
        fn no_envelope_is_too_strange_to_be_read(meta in "[\\[{\"a-z0-9:,}\\]]{0,40}", errors in ".{0,20}") {
            for value in [meta.as_str(), "null", "{}", "[]", "7", "\"\""] {
                let _ = Frame::read(&format!(r#"{{"meta":{value},"errors":{errors},"data":{value}}}"#));
                let _ = Frame::read(&format!(r#"{{"meta":{{"request_id":{value},"target":{value}}}}}"#));
            }
        }
    }
}
