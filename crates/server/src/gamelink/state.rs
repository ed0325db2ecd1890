//! Shared state on a game's connection (`spec 2.4`).

use std::sync::Arc;

use crowdlink_core::documents::Document;
use crowdlink_core::state::{self, StateId, StateOf};
use crowdlink_core::{Caller, DocumentKind, Error, Parents, Place, Scope};
use crowdlink_protocol::{StateCall, StateTopic};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::connection::GameConnection;
use super::reply::Echo;
use crate::live::Session;

#[derive(Serialize)]
struct State<T> {
    ok: bool,
    state: T,
}

const fn of(topic: StateTopic) -> StateOf<'static> {
    let id = match topic {
        StateTopic::Channel => StateId::Channel,
        StateTopic::Extension => StateId::Extension,
    };
    StateOf { id, channel: None }
}

impl GameConnection {
    pub(super) async fn state(
        &self,
        call: StateCall<'_>,
        caller: &Caller,
        echo: Echo<'_>,
        session: &Arc<Session>,
    ) -> Result<(), Error> {
        let core = &*self.edge.core;
        match call {
            StateCall::Get(topic) => {
                let snapshot = state::read(core, caller, of(topic)).await?;
                let state: &RawValue = serde_json::from_slice(&snapshot.json)?;
                echo.data(session, &State { ok: true, state });
            }
            StateCall::Set(topic, json) => {
                let json = json.text().as_bytes();
                let written = state::replace(core, caller, of(topic), json, None).await?;
                reply(echo, session, &written.document);
            }
            StateCall::Patch(topic, ops) => {
                let ops = (ops.text().as_bytes(), Parents::Created);
                let written = state::patch(core, caller, of(topic), ops, None).await?;
                reply(echo, session, &written.document);
            }
            StateCall::Subscribe(topic) => {
                self.hear_of(session, place(caller, topic)?)?;
                echo.data(session, &json!({ "ok": true }));
            }
            StateCall::Unsubscribe(topic) => {
                Self::hear_no_more_of(session, &place(caller, topic)?);
                echo.data(session, &json!({ "ok": true }));
            }
        }
        Ok(())
    }
}

fn reply(echo: Echo<'_>, session: &Arc<Session>, state: &Document) {
    echo.data(session, &State { ok: true, state });
}

fn place(caller: &Caller, topic: StateTopic) -> Result<Place, Error> {
    let scope = match topic {
        StateTopic::Channel => Scope::Channel(caller.channel(None)?.to_owned()),
        StateTopic::Extension => Scope::Extension,
    };
    let (stage, client_id) = (caller.stage, caller.client_id().clone());
    Ok(Place {
        stage,
        client_id,
        kind: DocumentKind::State,
        scope,
    })
}
