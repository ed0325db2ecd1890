//! Actions and metadata (`spec 2.13`).

use std::borrow::Cow;

use super::CallError;
use super::data::{Json, integer, members, required, required_text, text};
use crate::envelope::Request;

/// What is to change in one action; what is left out stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionStateCall<'a> {
    /// Which one.
    pub id: Cow<'a, str>,
    /// Whether it is offered.
    pub state: Option<Cow<'a, str>>,
    /// The most there can be.
    pub count: Option<i64>,
    /// How many there are.
    pub inventory: Option<i64>,
    /// How many more there are, or fewer.
    pub delta: Option<i64>,
}

/// What a game asks of the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GatewayCall<'a> {
    /// Other actions in the place of those before.
    SetActions(Json<'a>),
    /// Change one.
    SetActionState(ActionStateCall<'a>),
    /// Another name, logo and theme in the place of those before.
    SetMetadata([Option<Cow<'a, str>>; 3]),
}

impl<'a> GatewayCall<'a> {
    /// `None` where there is no such action.
    pub(super) fn parse(request: &Request<'a>) -> Result<Option<Self>, CallError> {
        if request.action != "set" {
            return Ok(None);
        }
        Ok(Some(match &*request.target {
            "gatewayActions" => {
                let [actions] = members(request, ["actions"])?;
                Self::SetActions(required(actions, "actions")?)
            }
            "gatewayActionState" => {
                let names = ["id", "state", "count", "inventory", "delta_inventory"];
                let [id, state, count, inventory, delta] = members(request, names)?;
                let delta = match delta {
                    None => None,
                    Some(raw) => {
                        let named = Request {
                            data: Some(raw),
                            ..request.clone()
                        };
                        let [change] = members(&named, ["change"])?;
                        integer(change, "delta_inventory.change")?
                    }
                };
                Self::SetActionState(ActionStateCall {
                    id: required_text(id, "id")?,
                    state: text(state, "state")?,
                    count: integer(count, "count")?,
                    inventory: integer(inventory, "inventory")?,
                    delta,
                })
            }
            "gameMetadata" => {
                let [name, logo, theme] = members(request, ["name", "logo", "theme"])?;
                Self::SetMetadata([
                    text(name, "name")?,
                    text(logo, "logo")?,
                    text(theme, "theme")?,
                ])
            }
            _ => return Ok(None),
        }))
    }
}
