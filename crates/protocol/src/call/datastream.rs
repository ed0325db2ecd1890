//! What viewers send (`spec 2.8`).

use crate::envelope::Request;

/// What a game asks of the datastream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatastreamCall {
    /// Hear of it.
    Subscribe,
    /// Hear of it no more.
    Unsubscribe,
}

impl DatastreamCall {
    /// `None` where there is no such action.
    pub(super) fn parse(request: &Request<'_>) -> Option<Self> {
        match &*request.action {
            "subscribe" => Some(Self::Subscribe),
            "unsubscribe" => Some(Self::Unsubscribe),
            _ => None,
        }
    }
}
