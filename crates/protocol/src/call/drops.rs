//! Drops (`spec 2.12`).

use std::borrow::Cow;

use super::CallError;
use super::data::{members, required_text, text};
use crate::envelope::Request;

/// What a game asks of drops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DropsCall<'a> {
    /// Those of a status; `None` for all.
    Get(Option<Cow<'a, str>>),
    /// This one was handed out.
    Validate(Cow<'a, str>),
}

impl<'a> DropsCall<'a> {
    /// `None` where there is no such action.
    pub(super) fn parse(request: &Request<'a>) -> Result<Option<Self>, CallError> {
        let [status, id] = members(request, ["status", "id"])?;
        Ok(Some(match &*request.action {
            "get" => Self::Get(text(status, "status")?.filter(|status| status != "*")),
            "validate" => Self::Validate(required_text(id, "id")?),
            _ => return Ok(None),
        }))
    }
}
