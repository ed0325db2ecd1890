//! Settings: one table (`table.rs`) drives the defaults, the file, the environment, the flags, the
//! help text and `docs/settings.md`.
//!
//! Sources in rising priority: defaults, the TOML file of `--config`, `CROWDLINK_…` variables,
//! flags. A value that no one can use is an error that names its key and where it was written.

mod environment;
mod error;
mod file;
mod flags;
mod listeners;
mod reference;
mod setting;
mod table;
mod value;

use std::ffi::OsString;
use std::path::Path;

pub use environment::CONFIG_VARIABLE;
pub use error::{SettingsError, Source};
pub use flags::SettingFlags;
pub use listeners::Listeners;
pub use reference::{markdown, text};
pub use setting::{Kind, Setting};
pub use table::{
    Bus, Lifetimes, Limits, Listen, Log, Proxy, Rates, Rig, Settings, Shutdown, Store, TABLE,
    Timeouts, Tls, Twitch,
};
pub use value::{Address, ConnectionUrl, ForwardedHeader};

/// Where the settings of one process come from. Handed in whole, so that a test needs no process
/// environment.
#[derive(Debug, Default)]
pub struct Sources<'a> {
    /// The TOML file of `--config`; it wins over the file of [`CONFIG_VARIABLE`].
    pub file: Option<&'a Path>,
    /// The environment; variables that do not start with `CROWDLINK_` are passed over.
    pub environment: Vec<(OsString, OsString)>,
    /// What stood on the command line.
    pub flags: SettingFlags,
}

impl Settings {
    /// Reads every source and merges them.
    ///
    /// # Errors
    /// The first key that is unknown or whose value cannot be used, with its source.
    pub fn load(sources: &Sources<'_>) -> Result<Self, SettingsError> {
        let environment = environment::read(&sources.environment)?;
        let mut settings = Self::default();
        if let Some(path) = sources.file.or(environment.config.as_deref()) {
            file::read(path)?
                .into_iter()
                .try_for_each(|given| given.apply(&mut settings))?;
        }
        for given in environment.given.into_iter().chain(sources.flags.given()) {
            given.apply(&mut settings)?;
        }
        Ok(settings)
    }
}

/// One value for one setting, as a source gave it.
#[derive(Debug)]
pub(crate) struct Given {
    setting: &'static Setting,
    text: String,
    source: Source,
}

impl Given {
    fn apply(&self, settings: &mut Settings) -> Result<(), SettingsError> {
        (self.setting.set)(settings, &self.text).map_err(|expected| SettingsError::Value {
            key: self.setting.key,
            value: (self.setting.mask)(&self.text),
            expected,
            source: self.source.clone(),
        })
    }
}

#[cfg(test)]
mod tests;
