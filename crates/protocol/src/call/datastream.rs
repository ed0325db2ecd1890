//! What viewers send (`spec 2.8`).

use super::CallError;
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
    pub(super) fn parse(request: &Request<'_>) -> Result<Option<Self>, CallError> {
        Ok(match &*request.action {
            "subscribe" => Some(Self::Subscribe),
            "unsubscribe" => Some(Self::Unsubscribe),
            _ => None,
        })
    }
}
