//! Drops on a game's connection (`spec 2.12`).

use std::sync::Arc;

use crowdlink_core::drops::{self, Entitlement, Fulfillment};
use crowdlink_core::{Caller, Error};
use crowdlink_protocol::{DropItem, DropsCall};
use jiff::Timestamp;
use serde::Serialize;

use super::connection::GameConnection;
use super::played::ok;
use super::reply::Echo;
use crate::live::Session;

#[derive(Serialize)]
struct Drops<'a> {
    drops: Vec<DropItem<'a>>,
}

impl GameConnection {
    pub(super) async fn drops(
        &self,
        call: DropsCall<'_>,
        caller: &Caller,
        echo: Echo<'_>,
        session: &Arc<Session>,
    ) -> Result<(), Error> {
        let core = &*self.edge.core;
        match call {
            DropsCall::Get(status) => {
                let status = match status.as_deref() {
                    None => None,
                    Some("CLAIMED") => Some(Fulfillment::Claimed),
                    Some("FULFILLED") => Some(Fulfillment::Fulfilled),
                    Some(_) => {
                        let expected = "must be CLAIMED, FULFILLED, * or empty";
                        return Err(Error::invalid("status", expected));
                    }
                };
                let found = drops::list(core, caller, status).await?;
                let drops = found.iter().map(item).collect();
                echo.data(session, &Drops { drops });
            }
            DropsCall::Validate(id) => {
                drops::fulfil(core, caller, &id).await?;
                ok(echo, session);
            }
        }
        Ok(())
    }
}

fn item(drop: &Entitlement) -> DropItem<'_> {
    let updated = Timestamp::from_millisecond(drop.updated_ms).unwrap_or_default();
    DropItem {
        id: &drop.id,
        benefit_id: &drop.benefit_id,
        user_id: &drop.user_id,
        game_id: &drop.game_id,
        fulfillment_status: drop.fulfillment_status.as_str(),
        service: &drop.service,
        last_updated: updated.to_string(),
    }
}
