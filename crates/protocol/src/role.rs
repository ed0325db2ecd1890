//! Roles of `spec 1.1`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a token lets its holder be (`spec 1.1`, `spec 1.7`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A member of the audience.
    Viewer,
    /// The owner of the channel, or a game paired with it.
    Broadcaster,
    /// Treated as a viewer.
    Moderator,
    /// The extension's own server, under the platform's name for it.
    External,
    /// The extension's own server.
    Backend,
    /// An operator of the extension.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 6] = [
        Self::Viewer,
        Self::Broadcaster,
        Self::Moderator,
        Self::External,
        Self::Backend,
        Self::Admin,
    ];

    /// The name used on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Broadcaster => "broadcaster",
            Self::Moderator => "moderator",
            Self::External => "external",
            Self::Backend => "backend",
            Self::Admin => "admin",
        }
    }

    /// Whether the role acts for the extension itself, in any channel (`spec 1.7`, `spec 6.1`).
    pub const fn is_trusted(self) -> bool {
        match self {
            Self::External | Self::Backend | Self::Admin => true,
            Self::Viewer | Self::Broadcaster | Self::Moderator => false,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a role"))
    }
}
