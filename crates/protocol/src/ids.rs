//! Identifiers.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest client id, in characters (`spec 1.1`).
pub const CLIENT_ID_CHARS_MAX: usize = 100;

/// The opaque id of a registered extension (`spec 1.1`). Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(Arc<str>);

/// Why a text is no identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing there.
    #[error("must not be empty")]
    Empty,
    /// Longer than [`CLIENT_ID_CHARS_MAX`] characters.
    #[error("must be at most {CLIENT_ID_CHARS_MAX} characters")]
    TooLong,
    /// White space, a control character or a slash: it could stand neither in the header of
    /// `spec 1.2` nor in the path of `spec 2.1`.
    #[error("must not contain white space, control characters or slashes")]
    Character,
}

impl ClientId {
    /// Takes a text that fulfils the rules of `spec 1.1`.
    pub fn new(text: &str) -> Result<Self, IdError> {
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        if text.chars().count() > CLIENT_ID_CHARS_MAX {
            return Err(IdError::TooLong);
        }
        if text
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || c == '/')
        {
            return Err(IdError::Character);
        }
        Ok(Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientId({})", self.0)
    }
}

impl FromStr for ClientId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl Borrow<str> for ClientId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Serialize for ClientId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ClientId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_id_has_between_one_and_a_hundred_characters() {
        assert_eq!(ClientId::new(""), Err(IdError::Empty));
        assert!(ClientId::new(&"é".repeat(100)).is_ok());
        assert_eq!(ClientId::new(&"é".repeat(101)), Err(IdError::TooLong));
    }

    #[test]
    fn a_client_id_fits_into_a_header_and_a_path() {
        for bad in ["a b", "a/b", "a\n", "a\u{0}"] {
            assert_eq!(ClientId::new(bad), Err(IdError::Character), "{bad:?}");
        }
    }
}
