//! The two worlds of `spec 1.1`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One of two separate worlds: no data, token, PIN or message crosses (`spec 1.1`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// For development: test tokens may be had for the asking.
    Sandbox,
    /// For real viewers.
    Production,
}

impl Stage {
    /// Both stages.
    pub const ALL: [Self; 2] = [Self::Sandbox, Self::Production];

    /// The name used on the wire and in keys.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Production => "production",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Stage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "sandbox" => Ok(Self::Sandbox),
            "production" => Ok(Self::Production),
            other => Err(format!(
                "`{other}` is not a stage; stages are sandbox and production"
            )),
        }
    }
}
