//! What others may know of a viewer's connection: enough to end it when what it rests on ends.

use std::sync::Arc;

use crowdlink_core::{Core, Ended, Revocable, tokens};
use crowdlink_protocol::ClientId;
use parking_lot::Mutex;

use crate::live::Session;

/// Attached to the session of every viewer.
#[derive(Debug, Default)]
pub(super) struct ViewerTag(Mutex<RestsOn>);

/// What a connection rests on.
#[derive(Debug, Default)]
pub(super) struct RestsOn {
    /// The extensions it hears of.
    pub(super) extensions: Vec<ClientId>,
    /// Its token, where it has one.
    pub(super) token: Option<Revocable>,
}

impl ViewerTag {
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(super) fn set(&self, rests_on: RestsOn) {
        *self.0.lock() = rests_on;
    }

    pub(super) fn add_extension(&self, client_id: ClientId) {
        self.0.lock().extensions.push(client_id);
    }
}

/// Whether a notice ends a session of a viewer.
pub(crate) fn concerned(core: &Core, session: &Session, ended: &Ended) -> bool {
    let Some(tag) = session.tag() else {
        return false;
    };
    let Some(ViewerTag(rests_on)) = tag.downcast_ref::<ViewerTag>() else {
        return false;
    };
    let rests_on = rests_on.lock();
    let token = rests_on.token.as_ref();
    match ended {
        Ended::ExtensionRemoved(client_id) => rests_on.extensions.contains(client_id),
        Ended::Revoked(ids) => token.is_some_and(|held| held.ids().any(|id| ids.contains(id))),
        Ended::RevocationsMissed => token.is_some_and(|held| tokens::is_revoked(core, held)),
    }
}
