//! Configuration (`spec 3.3`).

use std::sync::Arc;

use axum::extract::State;
use crowdlink_core::Parents;
use crowdlink_core::config::{self, ConfigId, ConfigOf};
use http::Method;
use serde_json::value::RawValue;

use super::RestEdge;
use super::answer::{Answer, done};
use super::authorized::Authorized;
use super::document::{Asked, Text, Wanted, tagged, tagged_parts};
use super::named::Named;
use super::openapi::schema::{either, map, object, shape};
use super::openapi::{Bounds, Call, Routes, Who};
use super::query::Parameters;
use super::state::Channel;
use crate::direct::DirectCall;

type Edge = State<Arc<RestEdge>>;

/// The routes, with their aliases.
pub(super) fn routes(bounds: &Bounds) -> Routes {
    let bytes_max = bounds.limits.config_bytes_max;
    let mut routes = Routes::of("config");
    for path in ["/v1/e/config", "/v1/e/all_config"] {
        let both = object([
            ("extension", shape("Document")),
            ("channel", shape("Document")),
        ]);
        let call = Call::of(
            Who::Anyone,
            "The channel's and the extension's configuration",
        )
        .channel()
        .answers(both)
        .tagged();
        routes = routes.get(path, all, call);
    }
    for path in ["/v1/e/config/channel", "/v1/e/channel_config"] {
        routes = channel(routes, path, bytes_max);
    }
    for path in ["/v1/e/config/extension", "/v1/e/extension_config"] {
        routes = extension(routes, path, bytes_max);
    }
    routes
}

fn reads(summary: &'static str) -> Call {
    let call = Call::of(Who::Anyone, summary).channel();
    call.answers(shape("Document")).tagged()
}

/// Reads of configuration, past the router.
pub(super) fn direct(edge: &Arc<RestEdge>) -> Vec<DirectCall> {
    let document = |path, id| {
        let read = move |edge: Edge, who: Authorized, query: Parameters<Channel>, asked: Asked| {
            read(id, edge, who, query, asked)
        };
        DirectCall::new(Method::GET, path, read, edge)
    };
    vec![
        DirectCall::new(Method::GET, "/v1/e/config", all, edge),
        DirectCall::new(Method::GET, "/v1/e/all_config", all, edge),
        document("/v1/e/config/channel", ConfigId::Channel),
        document("/v1/e/channel_config", ConfigId::Channel),
        document("/v1/e/config/extension", ConfigId::Extension),
        document("/v1/e/extension_config", ConfigId::Extension),
    ]
}

/// Reads and replaces a document.
fn document(
    routes: Routes,
    path: &'static str,
    id: ConfigId,
    [reads, replaces]: [Call; 2],
) -> Routes {
    routes
        .get(
            path,
            move |edge: Edge, who: Authorized, query: Parameters<Channel>, asked: Asked| {
                read(id, edge, who, query, asked)
            },
            reads,
        )
        .post(
            path,
            move |edge: Edge,
                  who: Authorized,
                  query: Parameters<Channel>,
                  wanted: Wanted,
                  body: Text| { replace(id, edge, who, query, wanted, body) },
            replaces,
        )
}

fn channel(routes: Routes, path: &'static str, bytes_max: usize) -> Routes {
    let writes = |summary| {
        let call = Call::of(Who::BroadcasterOrTrusted, summary).channel();
        call.conditional()
    };
    let replaces = writes("Replace the channel's configuration")
        .takes(shape("Document"))
        .json_bytes_max(bytes_max);
    let patches = writes("Patch the channel's configuration")
        .told(
            "From admin and backend without a channel, an object whose keys are all channel ids \
             holds a patch for each channel, at most 1,000, all or none.",
        )
        .takes(either([shape("Patch"), map(shape("Patch"))]))
        .json_bytes_max(bytes_max);
    let call = reads("The channel's configuration");
    document(routes, path, ConfigId::Channel, [call, replaces]).patch(path, patch_channel, patches)
}

fn extension(routes: Routes, path: &'static str, bytes_max: usize) -> Routes {
    let writes = |summary, body| {
        let call = Call::of(Who::TrustedOrOwner, summary).takes(shape(body));
        call.json_bytes_max(bytes_max).conditional()
    };
    let calls = [
        reads("The extension's configuration"),
        writes("Replace the extension's configuration", "Document"),
    ];
    document(routes, path, ConfigId::Extension, calls).patch(
        path,
        |edge: Edge, who: Authorized, query: Parameters<Channel>, wanted: Wanted, body: Text| {
            patch(ConfigId::Extension, edge, who, query, wanted, body)
        },
        writes("Patch the extension's configuration", "Patch"),
    )
}

async fn read(
    id: ConfigId,
    State(edge): Edge,
    Authorized(caller): Authorized,
    Parameters(query): Parameters<Channel>,
    asked: Asked,
) -> Answer {
    let of = ConfigOf {
        id,
        channel: query.channel_id.as_deref(),
    };
    tagged(asked, &*config::read(&edge.core, &caller, of).await?)
}

async fn all(
    State(edge): Edge,
    Authorized(caller): Authorized,
    Parameters(query): Parameters<Channel>,
    asked: Asked,
) -> Answer {
    let of = |id| ConfigOf {
        id,
        channel: query.channel_id.as_deref(),
    };
    let extension = config::read(&edge.core, &caller, of(ConfigId::Extension)).await?;
    let channel = config::read(&edge.core, &caller, of(ConfigId::Channel)).await?;
    tagged_parts(asked, &[("extension", &*extension), ("channel", &*channel)])
}

async fn replace(
    id: ConfigId,
    State(edge): Edge,
    Authorized(caller): Authorized,
    Parameters(query): Parameters<Channel>,
    Wanted(if_match): Wanted,
    Text(body): Text,
) -> Answer {
    let of = ConfigOf {
        id,
        channel: query.channel_id.as_deref(),
    };
    config::replace(&edge.core, &caller, of, &body, if_match).await?;
    Ok(done())
}

async fn patch(
    id: ConfigId,
    State(edge): Edge,
    Authorized(caller): Authorized,
    Parameters(query): Parameters<Channel>,
    Wanted(if_match): Wanted,
    Text(body): Text,
) -> Answer {
    let of = ConfigOf {
        id,
        channel: query.channel_id.as_deref(),
    };
    config::patch(
        &edge.core,
        &caller,
        of,
        (&body, Parents::Required),
        if_match,
    )
    .await?;
    Ok(done())
}

/// From a trusted caller that names no channel, an object whose keys are all channel ids is a map
/// of channels (`spec 6.3`).
async fn patch_channel(
    edge: Edge,
    who: Authorized,
    query: Parameters<Channel>,
    wanted: Wanted,
    body: Text,
) -> Answer {
    let caller = &who.0;
    let names_none = query.0.channel_id.is_none() && caller.channel_id.is_none();
    if caller.role.is_trusted()
        && names_none
        && let Some(Named(patches)) = Named::<&RawValue>::of(&body.0)?
        && !patches.is_empty()
        && patches.iter().all(|(id, _)| is_channel_id(id))
    {
        config::patch_channels(&edge.core, caller, &patches).await?;
        return Ok(done());
    }
    patch(ConfigId::Channel, edge, who, query, wanted, body).await
}

/// A channel id is a decimal number (`spec 1.1`).
fn is_channel_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
