//! What others may know of a game's connection: enough to end it when its credentials end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crowdlink_core::{Core, Ended, Revocable, tokens};
use crowdlink_protocol::ClientId;
use parking_lot::Mutex;
use serde_json::json;

use super::reply;
use crate::live::Session;

/// Attached to every game's session.
#[derive(Debug)]
pub struct GameTag {
    /// The extension of its path.
    pub client_id: ClientId,
    credentials: Mutex<Option<Revocable>>,
    wants_authentication_events: AtomicBool,
}

impl GameTag {
    pub(super) fn new(client_id: ClientId) -> Arc<Self> {
        Arc::new(Self {
            client_id,
            credentials: Mutex::default(),
            wants_authentication_events: AtomicBool::new(false),
        })
    }

    /// Whether the connection subscribed to `authentication`.
    pub(super) fn wants_authentication_events(&self) -> bool {
        self.wants_authentication_events.load(Ordering::Relaxed)
    }

    pub(super) fn set_authentication_events(&self, wanted: bool) {
        self.wants_authentication_events
            .store(wanted, Ordering::Relaxed);
    }

    pub(super) fn set_credentials(&self, credentials: Revocable) {
        *self.credentials.lock() = Some(credentials);
    }

    fn rests_on(&self, revoked: impl Fn(&Revocable) -> bool) -> bool {
        self.credentials.lock().as_ref().is_some_and(revoked)
    }
}

/// Whether a notice ends a session. Where it was revoked, the session is told first, if it asked
/// to be (`spec 2.3`).
pub(crate) fn concerned(core: &Core, session: &Arc<Session>, ended: &Ended) -> bool {
    let Some(tag) = session.tag() else {
        return false;
    };
    let Some(tag) = tag.downcast_ref::<GameTag>() else {
        return false;
    };
    match ended {
        Ended::ExtensionRemoved(client_id) => tag.client_id == *client_id,
        Ended::Revoked(ids) => {
            tag.rests_on(|held| held.ids().any(|id| ids.contains(id))) && told(session, tag)
        }
        Ended::RevocationsMissed => {
            tag.rests_on(|held| tokens::is_revoked(core, held)) && told(session, tag)
        }
    }
}

/// Tells a session that its end is near, if it asked to be told; always `true`.
fn told(session: &Arc<Session>, tag: &GameTag) -> bool {
    if tag.wants_authentication_events() {
        reply::event(session, "authentication", &json!({ "event": "revoked" }));
    }
    true
}
