//! Shared state: five stores (`spec 3.2`, `spec 2.4`).

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::caller::{Caller, check_id};
use crate::core::Core;
use crate::error::Error;
use crate::shared::{
    DocumentKind, IfMatch, Parents, Place, Scope, Snapshot, Target, Written, patch_many,
};

/// One of the five stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StateId {
    /// Of the extension; read by all, written by its operator and its owner.
    Extension,
    /// Of a channel; read by all, written by its broadcaster.
    Channel,
    /// Of a viewer in a channel; the viewer's own.
    Viewer,
    /// Of a viewer in all channels; the viewer's own.
    ExtensionViewer,
    /// Of the extension, secret; the operator's.
    Hidden,
}

/// A store, and the channel a trusted caller names.
#[derive(Clone, Copy, Debug)]
pub struct StateOf<'a> {
    /// Which store.
    pub id: StateId,
    /// `?channel_id=`.
    pub channel: Option<&'a str>,
}

impl StateOf<'_> {
    fn readable(&self, core: &Core, caller: &Caller) -> Result<Target, Error> {
        let (kind, scope) = match self.id {
            StateId::Extension => (DocumentKind::State, Scope::Extension),
            StateId::Channel => (
                DocumentKind::State,
                Scope::Channel(caller.channel(self.channel)?.to_owned()),
            ),
            StateId::Viewer => {
                let channel = caller.channel(self.channel)?.to_owned();
                let scope = Scope::ChannelViewer(channel, caller.viewer()?.to_owned());
                (DocumentKind::ViewerState, scope)
            }
            StateId::ExtensionViewer => (
                DocumentKind::ExtensionViewerState,
                Scope::Viewer(caller.viewer()?.to_owned()),
            ),
            StateId::Hidden => {
                caller.require_trusted()?;
                (DocumentKind::HiddenState, Scope::Extension)
            }
        };
        Ok(Target::new(core, caller, kind, scope))
    }

    fn writable(&self, core: &Core, caller: &Caller) -> Result<Target, Error> {
        match self.id {
            StateId::Extension => caller.require_owner()?,
            StateId::Channel => {
                caller.writable_channel(self.channel)?;
            }
            // Whoever may read these may write them.
            StateId::Viewer | StateId::ExtensionViewer | StateId::Hidden => {}
        }
        self.readable(core, caller)
    }
}

/// The state now; `{}` where it was never written.
pub async fn read(
    core: &Core,
    caller: &Caller,
    state: StateOf<'_>,
) -> Result<Arc<Snapshot>, Error> {
    state.readable(core, caller)?.read(core).await
}

/// Puts another state in the place of the one that is there.
pub async fn replace(
    core: &Core,
    caller: &Caller,
    state: StateOf<'_>,
    json: &[u8],
    if_match: Option<IfMatch>,
) -> Result<Written, Error> {
    state
        .writable(core, caller)?
        .replace(core, json, if_match)
        .await
}

/// Patches the state, whole or not at all.
pub async fn patch(
    core: &Core,
    caller: &Caller,
    state: StateOf<'_>,
    (json, parents): (&[u8], Parents),
    if_match: Option<IfMatch>,
) -> Result<Written, Error> {
    state
        .writable(core, caller)?
        .patch(core, json, parents, if_match)
        .await
}

/// What `all_state` answers with.
#[derive(Clone, Debug)]
pub struct AllState {
    /// Of the extension.
    pub extension: Arc<Snapshot>,
    /// Of the channel.
    pub channel: Arc<Snapshot>,
    /// Of the caller in the channel.
    pub viewer: Arc<Snapshot>,
    /// Of the caller in all channels.
    pub extension_viewer: Arc<Snapshot>,
}

/// Everything a caller may see at once. A server without an identity of its own has no viewer
/// state.
pub async fn all(core: &Core, caller: &Caller, channel: Option<&str>) -> Result<AllState, Error> {
    let of = |id| StateOf { id, channel };
    let own = |id| async move {
        match caller.viewer() {
            Ok(_) => read(core, caller, of(id)).await,
            Err(_) => Ok(Arc::new(Snapshot::empty())),
        }
    };
    Ok(AllState {
        extension: read(core, caller, of(StateId::Extension)).await?,
        channel: read(core, caller, of(StateId::Channel)).await?,
        viewer: own(StateId::Viewer).await?,
        extension_viewer: own(StateId::ExtensionViewer).await?,
    })
}

fn viewer_target(core: &Core, caller: &Caller, id: &str) -> Target {
    let scope = Scope::Viewer(id.to_owned());
    Target::new(core, caller, DocumentKind::ExtensionViewerState, scope)
}

/// The states of several viewers in all channels, for a trusted caller; those that exist.
pub async fn read_viewers(
    core: &Core,
    caller: &Caller,
    ids: &[String],
) -> Result<Vec<(String, Snapshot)>, Error> {
    caller.require_trusted()?;
    check_count(core, "user_ids", ids.len())?;
    ids.iter().try_for_each(|id| check_id("user_ids", id))?;
    let places: Vec<Place> = ids
        .iter()
        .map(|id| viewer_target(core, caller, id).place)
        .collect();
    let states = core.shared.read_many(&places).await?;
    let named = ids.iter().cloned().zip(states);
    Ok(named.filter(|(_, state)| state.version != 0).collect())
}

/// Patches the states of several viewers in all channels, for a trusted caller: all or none. Each
/// value is a patch, an array or an object.
pub async fn patch_viewers(
    core: &Core,
    caller: &Caller,
    patches: &[(String, &RawValue)],
) -> Result<(), Error> {
    caller.require_trusted()?;
    check_count(core, "the body", patches.len())?;
    if patches.iter().any(|(id, _)| id.is_empty()) {
        return Err(Error::invalid("the body", "must name viewers by their ids"));
    }
    let kind = DocumentKind::ExtensionViewerState;
    patch_many(core, caller, kind, Scope::Viewer, patches).await
}

pub(crate) fn check_count(core: &Core, what: &'static str, count: usize) -> Result<(), Error> {
    let max = core.limits.documents_per_call_max;
    if count > max {
        return Err(Error::invalid(what, format!("must name at most {max}")));
    }
    Ok(())
}
