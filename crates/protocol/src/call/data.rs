//! The members of a request's data.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::CallError;
use crate::envelope::{Fields, Request, Text, fields};

/// The named members of the data, still raw; no data counts as an empty object, `null` as absent.
pub(super) fn members<'a, const N: usize>(
    request: &Request<'a>,
    names: [&'static str; N],
) -> Result<[Option<&'a RawValue>; N], CallError> {
    let Some(raw) = request.data else {
        return Ok([None; N]);
    };
    let Fields(found) = fields(raw.get(), names).map_err(|_| CallError::Field {
        field: "data",
        expected: "must be an object",
    })?;
    Ok(found)
}

/// A text; the empty one counts as absent (`spec 2.2`).
pub(super) fn text<'a>(
    raw: Option<&'a RawValue>,
    field: &'static str,
) -> Result<Option<Cow<'a, str>>, CallError> {
    let Some(raw) = raw else { return Ok(None) };
    let Text(text) = serde_json::from_str(raw.get()).map_err(|_| CallError::Field {
        field,
        expected: "must be a string",
    })?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// A text that must be there, and not be empty.
pub(super) fn required_text<'a>(
    raw: Option<&'a RawValue>,
    field: &'static str,
) -> Result<Cow<'a, str>, CallError> {
    text(raw, field)?.ok_or(CallError::Field {
        field,
        expected: "is required",
    })
}

/// A whole number.
pub(super) fn integer(
    raw: Option<&RawValue>,
    field: &'static str,
) -> Result<Option<i64>, CallError> {
    let number = raw.map(|raw| serde_json::from_str(raw.get()));
    number.transpose().map_err(|_| CallError::Field {
        field,
        expected: "must be an integer",
    })
}

/// JSON as it stood in the frame.
#[derive(Clone, Copy, Debug)]
pub struct Json<'a>(pub &'a RawValue);

impl Json<'_> {
    /// Its text.
    pub fn text(&self) -> &str {
        self.0.get()
    }
}

impl PartialEq for Json<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Json<'_> {}

/// A member that must be there.
pub(super) fn required<'a>(
    raw: Option<&'a RawValue>,
    field: &'static str,
) -> Result<Json<'a>, CallError> {
    raw.map(Json).ok_or(CallError::Field {
        field,
        expected: "is required",
    })
}
