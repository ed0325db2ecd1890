//! The path a game connects to (`spec 2.1`).

use std::borrow::Cow;
use std::fmt;

use crate::ids::{ClientId, IdError};

/// Longest projection name, in bytes.
const PROJECTION_BYTES_MAX: usize = 100;

/// Three non-negative integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// Major.
    pub major: u32,
    /// Minor.
    pub minor: u32,
    /// Patch.
    pub patch: u32,
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.').map(|part| {
            let digits = part.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| part.parse::<u32>().ok()).flatten()
        });
        let version = Self {
            major: parts.next()??,
            minor: parts.next()??,
            patch: parts.next()??,
        };
        parts.next().is_none().then_some(version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// What the path of a game's socket says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketPath {
    /// The protocol version the game speaks.
    pub version: Version,
    /// The projection and its version, where the game uses one (`gateway-unity`, …).
    pub projection: Option<(String, Version)>,
    /// The extension.
    pub client_id: ClientId,
}

/// The path is none of `spec 2.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a game connects to /<version>/<client id> or /<version>/<projection>/<version>/<client id>"
)]
pub struct SocketPathError;

impl From<IdError> for SocketPathError {
    fn from(_: IdError) -> Self {
        Self
    }
}

impl SocketPath {
    /// Reads a path whose segments are still percent-encoded; `decode` undoes that for one segment.
    pub fn parse<'a>(
        path: &'a str,
        decode: impl Fn(&'a str) -> Option<Cow<'a, str>>,
    ) -> Result<Self, SocketPathError> {
        let mut segments = path.strip_prefix('/').ok_or(SocketPathError)?.split('/');
        let mut next = || segments.next().and_then(&decode);
        let version = next()
            .as_deref()
            .and_then(Version::parse)
            .ok_or(SocketPathError)?;
        let second = next().ok_or(SocketPathError)?;
        let parsed = match next() {
            None => Self {
                version,
                projection: None,
                client_id: ClientId::new(&second)?,
            },
            Some(third) => {
                if second.is_empty() || second.len() > PROJECTION_BYTES_MAX {
                    return Err(SocketPathError);
                }
                let of_projection = Version::parse(&third).ok_or(SocketPathError)?;
                Self {
                    version,
                    projection: Some((second.into_owned(), of_projection)),
                    client_id: ClientId::new(&next().ok_or(SocketPathError)?)?,
                }
            }
        };
        if segments.next().is_some() {
            return Err(SocketPathError);
        }
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(path: &str) -> Option<SocketPath> {
        SocketPath::parse(path, |segment| Some(segment.into())).ok()
    }

    #[test]
    fn both_forms_of_the_path_are_understood() {
        let short = parse("/0.0.1/abc").unwrap();
        assert_eq!((short.client_id.as_str(), short.projection), ("abc", None));
        let long = parse("/1.22.333/gateway-unity/0.0.4/abc").unwrap();
        let (name, version) = long.projection.unwrap();
        assert_eq!((name.as_str(), version.patch), ("gateway-unity", 4));
        assert_eq!(long.version.to_string(), "1.22.333");
    }

    #[test]
    fn anything_else_is_refused() {
        let long = format!("/0.0.1/{}", "x".repeat(101));
        for path in [
            "",
            "/",
            "/0.0.1",
            "/0.0.1/",
            "/0.0/abc",
            "/0.0.1.2/abc",
            "/a.b.c/abc",
            "/+1.0.0/abc",
            "/-1.0.0/abc",
            "/0.0.1/p/0.0.1",
            "/0.0.1/p/0.0.1/",
            "/0.0.1/p/0.0/abc",
            "/0.0.1//0.0.1/abc",
            "/0.0.1/p/0.0.1/abc/",
            "/0.0.1/p/0.0.1/abc/d",
            "/0.0.1/abc/",
            "/99999999999.0.0/abc",
            &long,
        ] {
            assert_eq!(parse(path), None, "{path}");
        }
    }
}
