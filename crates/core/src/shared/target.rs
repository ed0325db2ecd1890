//! A document as a feature addresses it: where it stands, and on which terms it is written.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::cache::Snapshot;
use super::change::{Change, IfMatch};
use super::combine::{Terms, Written};
use super::many::{NamedChange, named_error};
use super::place::{DocumentKind, Place, Scope};
use crate::caller::{Caller, check_id};
use crate::core::Core;
use crate::documents::{Bounds, Document, Patch};
use crate::error::Error;

/// A document that a caller may read or write, whichever it was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) place: Place,
    pub(crate) terms: Terms,
}

/// How a patch is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parents {
    /// What `add` adds to must be there.
    Required,
    /// `add` creates objects on its way (`spec 2.4`: on game sockets only).
    Created,
}

impl Target {
    pub(crate) fn new(core: &Core, caller: &Caller, kind: DocumentKind, scope: Scope) -> Self {
        let limits = &core.limits;
        let state_ms = Some(core.lifetimes.state_ms).filter(|ms| *ms > 0);
        let (bytes_max, lifetime_ms) = match kind {
            DocumentKind::State => (limits.state_bytes_max, state_ms),
            DocumentKind::HiddenState => (limits.hidden_bytes_max, state_ms),
            DocumentKind::ViewerState => (limits.viewer_bytes_max, state_ms),
            DocumentKind::ExtensionViewerState => (limits.extension_viewer_bytes_max, state_ms),
            DocumentKind::Config | DocumentKind::GatewayActions | DocumentKind::GatewayMetadata => {
                (limits.config_bytes_max, None)
            }
        };
        let bounds = Bounds {
            bytes_max,
            depth_max: limits.json_depth_max,
            keys_max: limits.json_object_keys_max,
        };
        let (stage, client_id) = (caller.stage, caller.client_id().clone());
        let place = Place {
            stage,
            client_id,
            kind,
            scope,
        };
        Self {
            place,
            terms: Terms {
                bounds,
                lifetime_ms,
            },
        }
    }

    pub(crate) async fn read(&self, core: &Core) -> Result<Arc<Snapshot>, Error> {
        core.shared.read(&self.place).await
    }

    pub(crate) async fn replace(
        &self,
        core: &Core,
        json: &[u8],
        if_match: Option<IfMatch>,
    ) -> Result<Written, Error> {
        let document = Document::parse(json, &self.terms.bounds)
            .map_err(|error| Error::Document(error.to_string()))?;
        let change = Change::Replace(document);
        core.shared
            .write(&self.place, self.terms, change, if_match)
            .await
    }

    pub(crate) async fn patch(
        &self,
        core: &Core,
        json: &[u8],
        parents: Parents,
        if_match: Option<IfMatch>,
    ) -> Result<Written, Error> {
        let change = parse_patch(core, json, parents)?;
        core.shared
            .write(&self.place, self.terms, change, if_match)
            .await
    }
}

/// Patches several documents of one kind, all or none: each id is the scope of one, by `scope_of`,
/// each value a patch.
pub(crate) async fn patch_many(
    core: &Core,
    caller: &Caller,
    kind: DocumentKind,
    scope_of: impl Fn(String) -> Scope,
    patches: &[(String, &RawValue)],
) -> Result<(), Error> {
    let target = |id: &str| Target::new(core, caller, kind, scope_of(id.to_owned()));
    let mut changes = Vec::with_capacity(patches.len());
    for (id, patch) in patches {
        check_id("an id in the body", id)?;
        let change = parse_patch(core, patch.get().as_bytes(), Parents::Required)
            .map_err(|error| named_error(id, &error))?;
        changes.push(NamedChange {
            id: id.clone(),
            place: target(id).place,
            change,
        });
    }
    core.shared.write_many(&changes, target("").terms).await
}

/// An array is JSON Patch, an object JSON Merge Patch (`spec 3.2`).
fn parse_patch(core: &Core, json: &[u8], parents: Parents) -> Result<Change, Error> {
    let refused = |fault: &dyn std::fmt::Display| Error::Document(fault.to_string());
    match json.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'[') => {
            let patch =
                Patch::parse(json, core.limits.patch_ops_max).map_err(|error| refused(&error))?;
            Ok(Change::Patch {
                patch,
                create_parents: parents == Parents::Created,
            })
        }
        Some(b'{') if parents == Parents::Required => {
            let bounds = Bounds {
                bytes_max: usize::MAX,
                depth_max: core.limits.json_depth_max,
                keys_max: core.limits.json_object_keys_max,
            };
            let merge = Document::parse(json, &bounds).map_err(|error| refused(&error))?;
            Ok(Change::Merge(merge))
        }
        _ if parents == Parents::Created => Err(Error::Document(
            "a patch must be an array of operations".to_owned(),
        )),
        _ => Err(Error::Document(
            "a patch must be an array of operations, or an object to merge".to_owned(),
        )),
    }
}
