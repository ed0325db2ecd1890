//! Types of values on the command line.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;

/// Longest client id, in characters (spec 1.1).
const CLIENT_ID_CHARS_MAX: usize = 100;
/// Longest time that may be named: ten years.
const DURATION_MS_MAX: u64 = 3_650 * 24 * 3_600_000;

/// One of the two separate worlds (spec 1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Stage {
    /// For development.
    Sandbox,
    /// For the public.
    Production,
}

impl From<Stage> for crowdlink_protocol::Stage {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Sandbox => Self::Sandbox,
            Stage::Production => Self::Production,
        }
    }
}

/// A secret or a token from the command line; it does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for Hidden {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(…)")
    }
}

/// A length of time such as `90s`, `30m`, `1h` or `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duration {
    /// The time in ms, at most ten years.
    pub ms: u64,
}

impl FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits).unwrap_or((text, ""));
        let unit_ms = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 24 * 3_600_000,
            _ => 0,
        };
        number
            .parse::<u64>()
            .ok()
            .filter(|_| unit_ms > 0)
            .and_then(|number| number.checked_mul(unit_ms))
            .filter(|ms| *ms <= DURATION_MS_MAX)
            .map(|ms| Self { ms })
            .ok_or_else(|| "expected a time such as 90s, 30m, 1h or 7d, at most 3650d".to_owned())
    }
}

pub(super) fn client_id(text: &str) -> Result<String, String> {
    let fits = (1..=CLIENT_ID_CHARS_MAX).contains(&text.chars().count());
    // A space would end the client id in an Authorization header.
    if fits && !text.contains(char::is_whitespace) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "expected 1 to {CLIENT_ID_CHARS_MAX} characters without spaces"
        ))
    }
}
