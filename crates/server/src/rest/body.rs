//! Request bodies: JSON whatever their content type says (`spec 3`).

use std::sync::Arc;

use axum::body::{Body, HttpBody as _};
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use crowdlink_core::Error;
use crowdlink_protocol::{JSON_DEPTH_MAX, JSON_OBJECT_KEYS_MAX, check_json_bounds};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::Value;

use super::RestEdge;
use super::answer::Refusal;
use crate::listen::is_body_timeout;

/// A body as it came, within the limit.
pub(super) struct Raw(pub(super) Bytes);

impl FromRequest<Arc<RestEdge>> for Raw {
    type Rejection = Refusal;

    async fn from_request(request: Request, edge: &Arc<RestEdge>) -> Result<Self, Self::Rejection> {
        let bytes_max = edge.bounds.body_bytes_max;
        refuse_announced(request.body(), bytes_max)?;
        match Limited::new(request.into_body(), bytes_max).collect().await {
            Ok(body) => Ok(Self(body.to_bytes())),
            Err(error) => Err(unread(&*error, bytes_max).into()),
        }
    }
}

/// What says that it is too big need not be waited for.
fn refuse_announced(body: &Body, bytes_max: usize) -> Result<usize, Error> {
    let bytes_min = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if bytes_min > bytes_max {
        return Err(Error::TooLarge { bytes_max });
    }
    Ok(bytes_min)
}

/// Why a body did not come.
fn unread(error: &(dyn std::error::Error + Send + Sync + 'static), bytes_max: usize) -> Error {
    if error.is::<LengthLimitError>() {
        Error::TooLarge { bytes_max }
    } else if is_body_timeout(error) {
        Error::RequestTimeout
    } else {
        Error::invalid("body", "must arrive whole")
    }
}

/// Reads a body that may be large, holding it once.
pub(super) async fn read_large(body: Body, bytes_max: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::with_capacity(refuse_announced(&body, bytes_max)?);
    let mut body = Limited::new(body, bytes_max);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| unread(&*error, bytes_max))?;
        if let Ok(data) = frame.into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes)
}

/// A JSON body. None at all counts as `{}`; a text that holds an object or a list counts as that,
/// for some clients encode twice.
pub(super) struct Json(pub(super) Value);

impl FromRequest<Arc<RestEdge>> for Json {
    type Rejection = Refusal;

    async fn from_request(request: Request, edge: &Arc<RestEdge>) -> Result<Self, Self::Rejection> {
        let Raw(bytes) = Raw::from_request(request, edge).await?;
        Ok(Self(parse(&bytes)?))
    }
}

fn parse(bytes: &[u8]) -> Result<Value, Error> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    let value = parse_bounded(bytes)?;
    if let Value::String(text) = &value
        && let Ok(inner @ (Value::Object(_) | Value::Array(_))) = parse_bounded(text.as_bytes())
    {
        return Ok(inner);
    }
    Ok(value)
}

fn parse_bounded(bytes: &[u8]) -> Result<Value, Error> {
    check_json_bounds(bytes, JSON_DEPTH_MAX, JSON_OBJECT_KEYS_MAX)
        .map_err(|error| Error::invalid("body", format!("is refused: {error}")))?;
    serde_json::from_slice(bytes).map_err(|_| Error::invalid("body", "must be JSON"))
}

/// A field of a JSON body that must be a text.
pub(super) fn text<'a>(body: &'a Value, field: &'static str) -> Result<Option<&'a str>, Error> {
    let Value::Object(fields) = body else {
        return Err(Error::invalid("body", "must be a JSON object"));
    };
    match fields.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            Err(Error::invalid(field, "must be a string"))
        }
    }
}

/// A field of a JSON body that must be a list.
pub(super) fn list<'a>(body: &'a Value, field: &'static str) -> Result<&'a [Value], Error> {
    let Value::Object(fields) = body else {
        return Err(Error::invalid("body", "must be a JSON object"));
    };
    match fields.get(field) {
        Some(Value::Array(items)) => Ok(items),
        _ => Err(Error::invalid(field, "must be a list")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_body_counts_as_an_empty_object() {
        assert_eq!(parse(b""), Ok(json!({})));
        assert_eq!(parse(b" \n"), Ok(json!({})));
    }

    #[test]
    fn what_was_encoded_twice_is_undone_once() {
        assert_eq!(parse(br#""{\"pin\":\"A\"}""#), Ok(json!({ "pin": "A" })));
        assert_eq!(parse(br#""[1]""#), Ok(json!([1])));
        assert_eq!(parse(br#""1""#), Ok(json!("1")));
        assert_eq!(parse(br#""no json""#), Ok(json!("no json")));
    }

    #[test]
    fn what_is_no_json_or_too_deep_is_refused() {
        assert!(parse(b"{").is_err());
        assert!(parse(b"\xff").is_err());
        assert!(parse("[".repeat(65).as_bytes()).is_err());
    }
}
