//! Configuration: of a channel, and of the extension (`spec 3.3`, `spec 2.5`). Never expires.

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::caller::Caller;
use crate::core::Core;
use crate::error::Error;
use crate::shared::{DocumentKind, IfMatch, Parents, Scope, Snapshot, Target, Written, patch_many};
use crate::state::check_count;

/// One of the two stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConfigId {
    /// Of the extension; written by its operator and its owner.
    Extension,
    /// Of a channel; written by its broadcaster.
    Channel,
}

/// A store, and the channel a trusted caller names.
#[derive(Clone, Copy, Debug)]
pub struct ConfigOf<'a> {
    /// Which store.
    pub id: ConfigId,
    /// `?channel_id=`.
    pub channel: Option<&'a str>,
}

impl ConfigOf<'_> {
    fn readable(&self, core: &Core, caller: &Caller) -> Result<Target, Error> {
        let scope = match self.id {
            ConfigId::Extension => Scope::Extension,
            ConfigId::Channel => Scope::Channel(caller.channel(self.channel)?.to_owned()),
        };
        Ok(Target::new(core, caller, DocumentKind::Config, scope))
    }

    fn writable(&self, core: &Core, caller: &Caller) -> Result<Target, Error> {
        match self.id {
            ConfigId::Extension => caller.require_owner()?,
            ConfigId::Channel => {
                caller.writable_channel(self.channel)?;
            }
        }
        self.readable(core, caller)
    }
}

/// The configuration now; `{}` where it was never written.
pub async fn read(
    core: &Core,
    caller: &Caller,
    config: ConfigOf<'_>,
) -> Result<Arc<Snapshot>, Error> {
    config.readable(core, caller)?.read(core).await
}

/// Puts another configuration in the place of the one that is there.
pub async fn replace(
    core: &Core,
    caller: &Caller,
    config: ConfigOf<'_>,
    json: &[u8],
    if_match: Option<IfMatch>,
) -> Result<Written, Error> {
    config
        .writable(core, caller)?
        .replace(core, json, if_match)
        .await
}

/// Patches the configuration, whole or not at all.
pub async fn patch(
    core: &Core,
    caller: &Caller,
    config: ConfigOf<'_>,
    (json, parents): (&[u8], Parents),
    if_match: Option<IfMatch>,
) -> Result<Written, Error> {
    config
        .writable(core, caller)?
        .patch(core, json, parents, if_match)
        .await
}

/// Patches the configuration of several channels, for a trusted caller: all or none
/// (`spec 6.3`).
pub async fn patch_channels(
    core: &Core,
    caller: &Caller,
    patches: &[(String, &RawValue)],
) -> Result<(), Error> {
    caller.require_trusted()?;
    check_count(core, "the body", patches.len())?;
    patch_many(core, caller, DocumentKind::Config, Scope::Channel, patches).await
}
