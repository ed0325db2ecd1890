//! Why settings could not be read, in words for the person who wrote them.

use std::fmt;
use std::path::PathBuf;

/// Where a value or a key was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A TOML file, with the line counted from 1.
    File {
        /// The file as it was named.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// An environment variable.
    Variable(String),
    /// A flag, without its dashes.
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag --{name}"),
        }
    }
}

/// Why settings could not be read.
#[derive(Debug, PartialEq, Eq)]
pub enum SettingsError {
    /// The file cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// The file is not TOML.
    NotToml {
        /// The place.
        source: Source,
        /// What is wrong there.
        cause: String,
    },
    /// There is no such setting.
    UnknownKey {
        /// The key as it was written.
        key: String,
        /// The known key most like it.
        nearest: Option<String>,
        /// Where it was written.
        source: Source,
    },
    /// A value of the wrong type or out of range.
    Value {
        /// The setting.
        key: &'static str,
        /// The value, without secrets.
        value: String,
        /// What would be taken.
        expected: String,
        /// Where it was written.
        source: Source,
    },
    /// Two variables set the same thing, and none is better than the other.
    Twice {
        /// The setting.
        key: &'static str,
        /// The first source.
        first: Source,
        /// The second source.
        second: Source,
    },
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, cause } => {
                write!(f, "cannot read settings from {}: {cause}", path.display())
            }
            Self::NotToml { source, cause } => write!(f, "{source}: not TOML: {cause}"),
            Self::UnknownKey {
                key,
                nearest,
                source,
            } => {
                write!(f, "{source}: there is no setting {key}")?;
                match nearest {
                    Some(nearest) => write!(f, "; did you mean {nearest}?"),
                    None => write!(f, "; `crowdlink settings` lists them all"),
                }
            }
            Self::Value {
                key,
                value,
                expected,
                source,
            } => write!(
                f,
                "{source}: {key} cannot be {value:?}: expected {expected}"
            ),
            Self::Twice { key, first, second } => {
                write!(f, "{key} is set twice: by {first} and by {second}")
            }
        }
    }
}

impl std::error::Error for SettingsError {}
