//! Configuration on a game's connection (`spec 2.5`).

use std::sync::Arc;

use crowdlink_core::config::{self, ConfigId, ConfigOf};
use crowdlink_core::documents::Document;
use crowdlink_core::{Caller, DocumentKind, Error, Parents, Place, Scope, Snapshot};
use crowdlink_protocol::{ConfigCall, ConfigTopic, ReadableConfig};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::connection::GameConnection;
use super::reply::Echo;
use crate::live::Session;

#[derive(Serialize)]
struct Read<T> {
    config: T,
    config_id: &'static str,
}

#[derive(Serialize)]
struct Combined<'a> {
    channel: &'a RawValue,
    extension: &'a RawValue,
}

#[derive(Serialize)]
struct Written<'a> {
    ok: bool,
    config: &'a Document,
    config_id: &'static str,
}

const CHANNEL: ConfigOf<'static> = ConfigOf {
    id: ConfigId::Channel,
    channel: None,
};
const EXTENSION: ConfigOf<'static> = ConfigOf {
    id: ConfigId::Extension,
    channel: None,
};

impl GameConnection {
    pub(super) async fn config(
        &self,
        call: ConfigCall<'_>,
        caller: &Caller,
        echo: Echo<'_>,
        session: &Arc<Session>,
    ) -> Result<(), Error> {
        let core = &*self.edge.core;
        match call {
            ConfigCall::Get(ReadableConfig::One(topic)) => {
                let (of, config_id) = match topic {
                    ConfigTopic::Channel => (CHANNEL, "channel"),
                    ConfigTopic::Extension => (EXTENSION, "extension"),
                };
                let snapshot = config::read(core, caller, of).await?;
                echo.data(
                    session,
                    &Read {
                        config: raw(&snapshot)?,
                        config_id,
                    },
                );
            }
            ConfigCall::Get(ReadableConfig::Combined) => {
                let channel = config::read(core, caller, CHANNEL).await?;
                let extension = config::read(core, caller, EXTENSION).await?;
                let config = Combined {
                    channel: raw(&channel)?,
                    extension: raw(&extension)?,
                };
                echo.data(
                    session,
                    &Read {
                        config,
                        config_id: "combined",
                    },
                );
            }
            ConfigCall::Set(json) => {
                let json = json.text().as_bytes();
                let written = config::replace(core, caller, CHANNEL, json, None).await?;
                reply(echo, session, &written.document);
            }
            ConfigCall::Patch(ops) => {
                let ops = (ops.text().as_bytes(), Parents::Created);
                let written = config::patch(core, caller, CHANNEL, ops, None).await?;
                reply(echo, session, &written.document);
            }
            ConfigCall::Subscribe(topic) => {
                self.hear_of(session, place(caller, topic)?)?;
                echo.data(session, &json!({ "ok": true }));
            }
            ConfigCall::Unsubscribe(topic) => {
                Self::hear_no_more_of(session, &place(caller, topic)?);
                echo.data(session, &json!({ "ok": true }));
            }
        }
        Ok(())
    }
}

fn raw(snapshot: &Snapshot) -> Result<&RawValue, Error> {
    Ok(serde_json::from_slice(&snapshot.json)?)
}

fn reply(echo: Echo<'_>, session: &Arc<Session>, config: &Document) {
    echo.data(
        session,
        &Written {
            ok: true,
            config,
            config_id: "channel",
        },
    );
}

fn place(caller: &Caller, topic: ConfigTopic) -> Result<Place, Error> {
    let scope = match topic {
        ConfigTopic::Channel => Scope::Channel(caller.channel(None)?.to_owned()),
        ConfigTopic::Extension => Scope::Extension,
    };
    let (stage, client_id) = (caller.stage, caller.client_id().clone());
    Ok(Place {
        stage,
        client_id,
        kind: DocumentKind::Config,
        scope,
    })
}
