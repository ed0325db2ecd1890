//! Viewers who want to play (`spec 2.11`).

use std::borrow::Cow;

use super::CallError;
use super::data::{members, required_text, text};
use crate::envelope::Request;

/// What a game asks of matchmaking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MatchmakingCall<'a> {
    /// Hear of viewers who join.
    Subscribe,
    /// Hear of them no more.
    Unsubscribe,
    /// Who waits.
    Get,
    /// Everybody is to leave the queue.
    Clear,
    /// This viewer is to leave it.
    Remove(Cow<'a, str>),
}

impl<'a> MatchmakingCall<'a> {
    /// `None` where there is no such action.
    pub(super) fn parse(request: &Request<'a>) -> Result<Option<Self>, CallError> {
        let [operation, id] = members(request, ["operation", "id"])?;
        let invited = || match text(operation, "operation")?.as_deref() {
            None | Some("invite") => Ok(()),
            Some(_) => Err(CallError::Field {
                field: "operation",
                expected: "must be invite",
            }),
        };
        Ok(Some(match &*request.action {
            "subscribe" => {
                invited()?;
                Self::Subscribe
            }
            "unsubscribe" => {
                invited()?;
                Self::Unsubscribe
            }
            "get" => Self::Get,
            "clear" => Self::Clear,
            "remove" => Self::Remove(required_text(id, "id")?),
            _ => return Ok(None),
        }))
    }
}
