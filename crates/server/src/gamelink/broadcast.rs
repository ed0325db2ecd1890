//! Broadcast on a game's connection (`spec 2.7`).

use std::sync::Arc;

use crowdlink_core::broadcast::{self, Outgoing};
use crowdlink_core::{Caller, Error};
use crowdlink_protocol::BroadcastCall;
use serde_json::json;

use super::connection::GameConnection;
use super::reply::Echo;
use crate::live::Session;

impl GameConnection {
    pub(super) async fn broadcast(
        &self,
        call: BroadcastCall<'_>,
        caller: &Caller,
        echo: Echo<'_>,
        session: &Arc<Session>,
    ) -> Result<(), Error> {
        let outgoing = Outgoing {
            event: &call.topic,
            data: Some(call.data.0),
        };
        broadcast::by_game(&self.edge.core, caller, call.ids.as_deref(), outgoing).await?;
        echo.data(session, &json!({ "ok": true }));
        Ok(())
    }
}
