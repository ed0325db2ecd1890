//! Broadcast to viewers (`spec 3.11`).

use std::sync::Arc;

use axum::extract::State;
use crowdlink_core::broadcast::{self, Outgoing, Target};
use crowdlink_core::{Caller, Error};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::RestEdge;
use super::answer::{Answer, done};
use super::authorized::Authorized;
use super::document::Text;
use super::named::Named;
use super::openapi::schema::shape;
use super::openapi::{Bounds, Call, Routes, Who};
use super::query::Parameters;

/// What the four calls differ in.
#[derive(Clone, Copy)]
enum To {
    Channel,
    Extension,
    Caller,
    /// To a channel, by the page library where there is no platform.
    Scoped,
}

/// The routes of the four calls. They are also asked with GET and a body.
pub(super) fn routes(bounds: &Bounds) -> Routes {
    let calls = [
        ("/v1/e/broadcast", To::Channel),
        ("/v1/e/extension_broadcast", To::Extension),
        ("/v1/e/broadcast_extension", To::Extension),
        ("/v1/e/whisper_self", To::Caller),
        ("/v1/e/pusher_broadcast", To::Scoped),
    ];
    let bytes_max = bounds.limits.broadcast_bytes_max;
    let add = |routes, (path, to)| route(routes, path, to, bytes_max);
    calls.into_iter().fold(Routes::of("broadcast"), add)
}

fn route(routes: Routes, path: &'static str, to: To, bytes_max: usize) -> Routes {
    let (who, summary) = match to {
        To::Channel => (
            Who::BroadcasterOrTrusted,
            "Send an event to a channel's viewers",
        ),
        To::Extension => (
            Who::TrustedOrOwner,
            "Send an event to all viewers of the extension",
        ),
        To::Caller => (Who::Anyone, "Send an event to the caller alone"),
        To::Scoped => (
            Who::BroadcasterOrTrusted,
            "Send an event whose name has its scope already to a channel's viewers",
        ),
    };
    let call = || {
        let call = Call::of(who, summary)
            .told("`user_id` names the channel; `target` is `broadcast` or `whisper-<id>`.");
        let call = call.channel().takes(shape("Broadcast"));
        call.json_bytes_max(bytes_max)
    };
    let handler =
        move |State(edge): State<Arc<RestEdge>>,
              Authorized(caller): Authorized,
              Parameters(query): Parameters<Query>,
              Text(body): Text| async move { send(to, &edge, &caller, &query, &body).await };
    routes
        .get(path, handler, call())
        .post(path, handler, call())
}

#[derive(Deserialize)]
struct Query {
    channel_id: Option<String>,
}

/// The fields of a body; `data` stays as it is written.
#[derive(Default)]
struct Fields<'a> {
    target: Option<String>,
    event: Option<String>,
    user_id: Option<String>,
    data: Option<&'a RawValue>,
}

impl<'a> Fields<'a> {
    fn of(body: &'a [u8]) -> Result<Self, Error> {
        let Some(Named(named)) = Named::<&RawValue>::of(body)? else {
            return Err(Error::invalid("body", "must be a JSON object"));
        };
        let mut fields = Self::default();
        for (name, raw) in named {
            match name.as_str() {
                "target" => fields.target = text(raw, "target")?,
                "event" => fields.event = text(raw, "event")?,
                "user_id" => fields.user_id = text(raw, "user_id")?,
                "data" => fields.data = Some(raw),
                _ => {}
            }
        }
        Ok(fields)
    }

    fn target(&self) -> Result<Target, Error> {
        Target::parse(self.target.as_deref().unwrap_or_default())
    }
}

fn text(raw: &RawValue, field: &'static str) -> Result<Option<String>, Error> {
    let text: Option<String> =
        serde_json::from_str(raw.get()).map_err(|_| Error::invalid(field, "must be a string"))?;
    Ok(text.filter(|text| !text.is_empty()))
}

async fn send(to: To, edge: &RestEdge, caller: &Caller, query: &Query, body: &[u8]) -> Answer {
    let core = &*edge.core;
    let fields = Fields::of(body)?;
    // A channel in the query was checked already; where the body names one too, that one counts.
    let channel = fields.user_id.as_deref().or(query.channel_id.as_deref());
    let outgoing = Outgoing {
        event: fields.event.as_deref().unwrap_or_default(),
        data: fields.data,
    };
    match to {
        To::Channel => {
            broadcast::to_channel(core, caller, channel, fields.target()?, outgoing).await?;
        }
        To::Extension => {
            broadcast::to_extension(core, caller, fields.target()?, outgoing).await?;
        }
        To::Caller => broadcast::to_self(core, caller, channel, outgoing).await?,
        To::Scoped => {
            broadcast::scoped_to_channel(core, caller, channel, fields.target()?, outgoing).await?;
        }
    }
    Ok(done())
}
