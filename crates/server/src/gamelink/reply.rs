//! Frames to a game (`spec 2.2`).

use std::sync::Arc;

use crowdlink_core::Error;
use crowdlink_protocol::{
    EnvelopeError, Meta, REQUEST_ID_NONE, Request, encode_data, encode_errors, encode_event,
};
use serde::Serialize;

use crate::live::{Frame, Session};

/// Whom an answer is for: what of its request it echoes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Echo<'a> {
    pub(super) request_id: u16,
    pub(super) action: &'a str,
    pub(super) target: &'a str,
}

impl<'a> Echo<'a> {
    pub(super) fn of(request: &'a Request<'_>) -> Self {
        Self {
            request_id: request.request_id,
            action: &request.action,
            target: &request.target,
        }
    }

    /// What could be read of a frame that is no request.
    pub(super) fn of_fault(error: &'a EnvelopeError) -> Self {
        match error {
            EnvelopeError::Field {
                request_id,
                action,
                target,
                ..
            }
            | EnvelopeError::Bound {
                request_id,
                action,
                target,
                ..
            } => Self {
                request_id: *request_id,
                action,
                target,
            },
            EnvelopeError::NotAnObject => Self {
                request_id: REQUEST_ID_NONE,
                action: "",
                target: "",
            },
        }
    }

    fn meta(self, session: &Session) -> Meta<'a> {
        Meta {
            request_id: self.request_id,
            action: self.action,
            target: self.target,
            timestamp: session.live().clock().now_ms(),
        }
    }

    /// Answers a request that was fulfilled.
    pub(super) fn data<T: Serialize>(self, session: &Arc<Session>, data: &T) {
        match encode_data(self.meta(session), data) {
            Ok(text) => send(session, &text),
            Err(error) => self.error(session, &error.into()),
        }
    }

    /// Answers a request that was refused. Of a fault of ours the log is told what happened.
    pub(super) fn error(self, session: &Arc<Session>, error: &Error) {
        if let Error::Internal(detail) = error {
            tracing::error!(%detail, session = session.id(), "request of a game failed");
        }
        self.refusal(session, error.status(), error.title(), &detail(error));
    }

    /// Answers with a status, its name and a detail.
    pub(super) fn refusal(self, session: &Arc<Session>, status: u16, title: &str, detail: &str) {
        // Nothing in it can fail to be encoded.
        if let Ok(text) = encode_errors(self.meta(session), status, title, detail) {
            send(session, &text);
        }
    }
}

/// The sentence for people: the reason, and for a refusal of rights what would be needed.
fn detail(error: &Error) -> String {
    if let Error::Forbidden(requirement) = error {
        requirement.clone().into_owned()
    } else {
        error.reason().into_owned()
    }
}

/// Sends an event.
pub(super) fn event<T: Serialize>(session: &Arc<Session>, target: &str, data: &T) {
    match encode_event(target, session.live().clock().now_ms(), data) {
        Ok(text) => send(session, &text),
        Err(error) => tracing::error!(%error, target, "an event could not be encoded"),
    }
}

fn send(session: &Arc<Session>, text: &str) {
    session.send(&Frame::text(text));
}
