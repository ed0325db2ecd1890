//! The lines of the file: what they hold, and how they are spelled.

use std::borrow::Cow;
use std::io::Write;

use bytes::Bytes;
use serde::de::{Deserializer, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Origin;
use crate::bulk::Snapshot;
use crate::contract::{Entry, KEY_BYTES_MAX, Record, VALUE_BYTES_MAX};

/// The version of the format that is written, and the highest that is read.
pub const FORMAT_VERSION: u64 = 1;
/// Longest line, in bytes with its end: a byte of text may take six (`\u001f`).
pub const LINE_BYTES_MAX: usize = (KEY_BYTES_MAX + VALUE_BYTES_MAX) * 6 + 256;
/// Names the format.
const FORMAT: &str = "crowdlink-export";
/// How the line of a record begins; the last line begins otherwise.
pub(super) const RECORD_START: &[u8] = br#"{"key":"#;

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    format: String,
    format_version: u64,
    /// The version of the program that wrote the file.
    pub server_version: String,
    /// When it was begun, in Unix ms.
    pub created_at_ms: i64,
    /// The revision of the last commit that the file knows of.
    pub revision: u64,
    /// How many records follow.
    pub records: u64,
}

/// As much of a header as every version of the format has.
#[derive(Deserialize)]
struct AnyHeader {
    format: String,
    format_version: u64,
}

impl Header {
    pub(super) fn new(snapshot: &Snapshot, origin: Origin<'_>) -> Self {
        Self {
            format: FORMAT.into(),
            format_version: FORMAT_VERSION,
            server_version: origin.server_version.into(),
            created_at_ms: origin.created_at_ms,
            revision: snapshot.revision,
            records: snapshot.records,
        }
    }

    /// Reads the first line; the inner error is a version that is not known yet.
    pub(super) fn read(line: &[u8]) -> Result<Result<Self, u64>, String> {
        let any: AnyHeader = serde_json::from_slice(line).map_err(|_| no_export())?;
        if any.format != FORMAT {
            return Err(no_export());
        }
        if any.format_version > FORMAT_VERSION {
            return Ok(Err(any.format_version));
        }
        let header = serde_json::from_slice(line).map_err(|error| explain(&error))?;
        Ok(Ok(header))
    }
}

fn no_export() -> String {
    "this is no export of Crowdlink".to_owned()
}

/// What serde says, without the content that it may quote.
fn explain(error: &serde_json::Error) -> String {
    format!("not as an export writes it, at column {}", error.column())
}

/// The last line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Trailer {
    pub(super) records: u64,
    pub(super) sha256: String,
}

impl Trailer {
    /// The line, with its end.
    pub(super) fn line(&self) -> serde_json::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }

    pub(super) fn read(line: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(line).map_err(|error| explain(&error))
    }
}

/// A digest as the last line spells it.
pub(super) fn hexadecimal(digest: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    digest
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|half| DIGITS.get(usize::from(half)))
        .collect()
}

/// Appends the line of a record.
pub(super) fn write_record(line: &mut Vec<u8>, entry: &Entry) -> std::io::Result<()> {
    let Record {
        value,
        version,
        expires_at_ms,
    } = &entry.record;
    line.extend_from_slice(RECORD_START);
    serde_json::to_writer(&mut *line, &entry.key)?;
    write!(line, ",\"version\":{version},\"expires_at_ms\":")?;
    match expires_at_ms {
        Some(at_ms) => write!(line, "{at_ms}")?,
        None => line.extend_from_slice(b"null"),
    }
    if stands_in_a_line(value) {
        line.extend_from_slice(b",\"value\":");
        line.extend_from_slice(value);
    } else {
        line.extend_from_slice(b",\"text\":");
        let text = std::str::from_utf8(value).map_err(std::io::Error::other)?;
        serde_json::to_writer(&mut *line, text)?;
    }
    line.extend_from_slice(b"}\n");
    Ok(())
}

/// Whether a value comes back byte for byte when it is put into a line as it is.
fn stands_in_a_line(value: &[u8]) -> bool {
    let around = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_whitespace);
    !around(value.first())
        && !around(value.last())
        && !value.iter().any(|byte| matches!(byte, b'\n' | b'\r'))
        && serde_json::from_slice::<IgnoredAny>(value).is_ok()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordLine<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    version: u64,
    expires_at_ms: Option<i64>,
    #[serde(borrow, default, deserialize_with = "present")]
    value: Option<&'a RawValue>,
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
}

/// A value that is there, also where it is `null`.
fn present<'de, D: Deserializer<'de>>(input: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(input).map(Some)
}

/// Reads the line of a record.
pub(super) fn read_record(line: &[u8]) -> Result<Entry, String> {
    let read: RecordLine<'_> = serde_json::from_slice(line).map_err(|error| explain(&error))?;
    let value = match (read.value, read.text) {
        (Some(value), None) => Bytes::copy_from_slice(value.get().as_bytes()),
        (None, Some(text)) => Bytes::from(text.into_owned()),
        (Some(_), Some(_)) | (None, None) => {
            return Err("a record has either a value or a text".to_owned());
        }
    };
    Ok(Entry {
        key: read.key.into_owned(),
        record: Record {
            value,
            version: read.version,
            expires_at_ms: read.expires_at_ms,
        },
    })
}
