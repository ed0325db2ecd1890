//! Actions and metadata on a game's connection (`spec 2.13`).

use std::sync::Arc;

use crowdlink_core::gateway::{self, ActionChange, ActionState};
use crowdlink_core::{Caller, Error};
use crowdlink_protocol::{ActionStateCall, GatewayCall};

use super::connection::GameConnection;
use super::played::ok;
use super::reply::Echo;
use crate::live::Session;

impl GameConnection {
    pub(super) async fn gateway(
        &self,
        call: GatewayCall<'_>,
        caller: &Caller,
        echo: Echo<'_>,
        session: &Arc<Session>,
    ) -> Result<(), Error> {
        let core = &*self.edge.core;
        match call {
            GatewayCall::SetActions(actions) => {
                gateway::set_actions(core, caller, actions.text()).await?;
            }
            GatewayCall::SetActionState(call) => {
                let change = change(&call)?;
                gateway::change_action(core, caller, call.id.into_owned(), change).await?;
            }
            GatewayCall::SetMetadata(parts) => {
                let parts = parts.each_ref().map(Option::as_deref);
                gateway::set_metadata(core, caller, parts).await?;
            }
        }
        ok(echo, session);
        Ok(())
    }
}

fn change(call: &ActionStateCall<'_>) -> Result<ActionChange, Error> {
    let state = match call.state.as_deref() {
        None => None,
        Some("unavailable") => Some(ActionState::Unavailable),
        Some("available") => Some(ActionState::Available),
        Some("hidden") => Some(ActionState::Hidden),
        Some(_) => {
            let expected = "must be unavailable, available or hidden";
            return Err(Error::invalid("state", expected));
        }
    };
    Ok(ActionChange {
        state,
        count: call.count,
        inventory: call.inventory,
        delta: call.delta,
    })
}
