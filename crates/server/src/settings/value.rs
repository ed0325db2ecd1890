//! The types a setting may have, each read from text and shown as text.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Serialize, Serializer};

use super::setting::Kind;

/// Longest value repeated in an error, in characters.
const SHOWN_CHARS_MAX: usize = 80;

/// A type that a setting can have.
pub(crate) trait SettingValue: Sized {
    const KIND: Kind;

    /// Reads a value; `None` where the text is not one.
    fn from_text(text: &str) -> Option<Self>;

    /// What is taken, for an error: `an address or off`.
    fn expected() -> String;

    /// The value as a flag would write it, without secrets.
    fn show(&self) -> String;

    /// The text of a value as it may be repeated in an error.
    fn mask(text: &str) -> String {
        text.chars().take(SHOWN_CHARS_MAX).collect()
    }
}

/// A number within bounds, for an error or a value.
pub(crate) fn within<T: SettingValue + PartialOrd + fmt::Display>(
    text: &str,
    range: &RangeInclusive<T>,
) -> Result<T, String> {
    T::from_text(text)
        .filter(|value| range.contains(value))
        .ok_or_else(|| format!("a whole number from {} to {}", range.start(), range.end()))
}

macro_rules! integers {
    ($($ty:ty),+) => {$(
        impl SettingValue for $ty {
            const KIND: Kind = Kind::Integer;

            fn from_text(text: &str) -> Option<Self> {
                text.parse().ok()
            }

            fn expected() -> String {
                "a whole number".to_owned()
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )+};
}
integers!(u32, u64, usize);

impl SettingValue for bool {
    const KIND: Kind = Kind::Boolean;

    fn from_text(text: &str) -> Option<Self> {
        match text {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        }
    }

    fn expected() -> String {
        "true or false".to_owned()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl SettingValue for String {
    const KIND: Kind = Kind::Text;

    fn from_text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }

    fn expected() -> String {
        "text".to_owned()
    }

    fn show(&self) -> String {
        self.clone()
    }
}

impl SettingValue for PathBuf {
    const KIND: Kind = Kind::Text;

    fn from_text(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self::from(text))
    }

    fn expected() -> String {
        "a path".to_owned()
    }

    fn show(&self) -> String {
        self.display().to_string()
    }
}

impl SettingValue for Option<PathBuf> {
    const KIND: Kind = Kind::Text;

    fn from_text(text: &str) -> Option<Self> {
        Some((!text.is_empty()).then(|| PathBuf::from(text)))
    }

    fn expected() -> String {
        "a path or nothing".to_owned()
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(String::new, PathBuf::show)
    }
}

impl SettingValue for Vec<IpNet> {
    const KIND: Kind = Kind::List;

    fn from_text(text: &str) -> Option<Self> {
        text.split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(|item| {
                // A bare address is the network of that one address.
                let address = item.parse::<IpAddr>().map(IpNet::from);
                item.parse().or(address).ok()
            })
            .collect()
    }

    fn expected() -> String {
        "networks such as 10.0.0.0/8 or fd00::/8".to_owned()
    }

    fn show(&self) -> String {
        let items: Vec<_> = self.iter().map(ToString::to_string).collect();
        items.join(",")
    }
}

/// Where an edge listens, if it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Address {
    /// It does not.
    Off,
    /// On this address; port 0 lets the system choose.
    At(SocketAddr),
}

impl Address {
    /// A port of the loopback interface.
    pub const fn loopback(port: u16) -> Self {
        Self::At(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::At(address) => address.fmt(f),
        }
    }
}

impl SettingValue for Address {
    const KIND: Kind = Kind::Text;

    fn from_text(text: &str) -> Option<Self> {
        if text == "off" {
            return Some(Self::Off);
        }
        match text.strip_prefix("localhost:") {
            Some(port) => port.parse().ok().map(Self::loopback),
            None => text.parse().ok().map(Self::At),
        }
    }

    fn expected() -> String {
        "an address such as 127.0.0.1:5050 or [::]:5050, or off".to_owned()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// A URL that may carry a password; neither `Debug` nor `Display` shows it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ConnectionUrl(String);

impl ConnectionUrl {
    /// Reads `scheme://…`, or nothing for none.
    pub fn parse(text: &str) -> Option<Self> {
        (text.is_empty() || text.contains("://")).then(|| Self(text.to_owned()))
    }

    /// The platform's API.
    pub(super) fn twitch() -> Self {
        Self("https://api.twitch.tv".to_owned())
    }

    /// A URL; `None` where the text is none. Empty is none given.
    pub fn new(text: &str) -> Option<Self> {
        Self::from_text(text)
    }

    /// The whole URL, for the one who connects.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether none was given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for ConnectionUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Self::mask(&self.0))
    }
}

impl fmt::Debug for ConnectionUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", Self::mask(&self.0))
    }
}

impl Serialize for ConnectionUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl SettingValue for ConnectionUrl {
    const KIND: Kind = Kind::Text;

    fn from_text(text: &str) -> Option<Self> {
        Self::parse(text)
    }

    fn expected() -> String {
        "a URL such as scheme://host:port/name".to_owned()
    }

    fn show(&self) -> String {
        self.to_string()
    }

    fn mask(text: &str) -> String {
        if text.is_empty() {
            return String::new();
        }
        // What is not surely free of a password is not shown: user info ends at the last `@`,
        // and drivers take passwords from the query too.
        let Some((scheme, rest)) = text.split_once("://") else {
            return "(not shown)".to_owned();
        };
        let rest = rest.split('?').next().unwrap_or_default();
        let host = rest.rsplit('@').next().unwrap_or_default();
        let shown: String = host.chars().take(SHOWN_CHARS_MAX).collect();
        let hidden = if host.len() == rest.len() { "" } else { "…@" };
        format!("{scheme}://{hidden}{shown}")
    }
}

/// The header in which a trusted proxy names the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// `X-Forwarded-For` where it is there, else `Forwarded`.
    Auto,
    /// Only `X-Forwarded-For`.
    XForwardedFor,
    /// Only `Forwarded` (RFC 7239).
    Forwarded,
}

impl SettingValue for ForwardedHeader {
    const KIND: Kind = Kind::Text;

    fn from_text(text: &str) -> Option<Self> {
        match text {
            "auto" => Some(Self::Auto),
            "x-forwarded-for" => Some(Self::XForwardedFor),
            "forwarded" => Some(Self::Forwarded),
            _ => None,
        }
    }

    fn expected() -> String {
        "auto, x-forwarded-for or forwarded".to_owned()
    }

    fn show(&self) -> String {
        match self {
            Self::Auto => "auto",
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
        .to_owned()
    }
}
