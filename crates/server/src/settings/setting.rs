//! What the table knows about one setting.

use super::Settings;

/// The kind of value a setting takes, which decides what a TOML file may write for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A string.
    Text,
    /// A list of strings; comma-separated in variables and flags.
    List,
}

/// One setting: a row of [`super::TABLE`].
#[derive(Debug)]
pub struct Setting {
    /// `group.name`, as the TOML file writes it.
    pub key: &'static str,
    /// The heading its flag stands under.
    pub heading: &'static str,
    /// One or two sentences for people.
    pub doc: &'static str,
    /// The unit of the value, empty where it has none.
    pub unit: &'static str,
    /// The well-known short name of the flag and the variable, if it has one.
    pub short: Option<&'static str>,
    /// What it takes.
    pub kind: Kind,
    /// The default, as a flag would write it.
    pub default: fn() -> String,
    /// Reads a value into the settings, or tells what was expected.
    pub(crate) set: fn(&mut Settings, &str) -> Result<(), String>,
    /// The value as it may be shown: without secrets, of bounded length.
    pub(crate) mask: fn(&str) -> String,
}

impl Setting {
    /// The flag without its dashes: the short name, else the key with dashes.
    pub fn flag(&self) -> String {
        self.short
            .map_or_else(|| self.long_flag(), ToOwned::to_owned)
    }

    /// The flag made from the key; works beside a short name.
    pub fn long_flag(&self) -> String {
        self.key.replace(['.', '_'], "-")
    }

    /// The environment variables that set it: from the key, and from the short name.
    pub fn variables(&self) -> impl Iterator<Item = String> {
        [Some(self.key), self.short]
            .into_iter()
            .flatten()
            .map(|name| {
                let name = name.replace(['.', '-'], "_").to_uppercase();
                format!("CROWDLINK_{name}")
            })
    }
}

/// The candidate that resembles `wanted` most, if any does.
pub(super) fn nearest(wanted: &str, candidates: impl Iterator<Item = String>) -> Option<String> {
    const SIMILARITY_MIN: f64 = 0.7;
    candidates
        .map(|candidate| (strsim::jaro_winkler(wanted, &candidate), candidate))
        .filter(|(similarity, _)| *similarity >= SIMILARITY_MIN)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}
