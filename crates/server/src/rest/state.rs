//! Shared state (`spec 3.2`).

use std::sync::Arc;

use axum::extract::State;
use crowdlink_core::state::{self, StateId, StateOf};
use crowdlink_core::{Error, Parents};
use http::Method;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::RestEdge;
use super::answer::{Answer, done, json};
use super::authorized::Authorized;
use super::document::{Asked, Text, Wanted, tagged, tagged_parts};
use super::named::Named;
use super::openapi::schema::{either, map, object, shape, string};
use super::openapi::{Bounds, Call, Routes, Who};
use super::query::Parameters;
use crate::direct::DirectCall;

type Edge = State<Arc<RestEdge>>;

/// The routes of the five stores.
pub(super) fn routes(bounds: &Bounds) -> Routes {
    let whole = object([
        ("extension", shape("Document")),
        ("channel", shape("Document")),
        ("viewer", shape("Document")),
        ("extension_viewer", shape("Document")),
    ]);
    let call = Call::of(Who::Anyone, "All state that the caller may read")
        .channel()
        .answers(whole)
        .tagged();
    let mut routes = Routes::of("state").get("/v1/e/all_state", all, call);
    for kept in kinds(bounds) {
        routes = store(routes, kept);
    }
    extension_viewer_routes(routes, bounds.limits.extension_viewer_bytes_max)
}

/// One of the stores.
#[derive(Clone, Copy)]
struct Kept {
    id: StateId,
    path: &'static str,
    /// Who reads, and who writes.
    who: [Who; 2],
    /// What it is to do so.
    told: [&'static str; 3],
    bytes_max: usize,
}

fn kinds(bounds: &Bounds) -> [Kept; 4] {
    let limits = &bounds.limits;
    [
        Kept {
            id: StateId::Channel,
            path: "/v1/e/channel_state",
            who: [Who::Anyone, Who::BroadcasterOrTrusted],
            told: [
                "The channel's state",
                "Replace the channel's state",
                "Patch the channel's state",
            ],
            bytes_max: limits.state_bytes_max,
        },
        Kept {
            id: StateId::Extension,
            path: "/v1/e/extension_state",
            who: [Who::Anyone, Who::TrustedOrOwner],
            told: [
                "The extension's state",
                "Replace the extension's state",
                "Patch the extension's state",
            ],
            bytes_max: limits.state_bytes_max,
        },
        Kept {
            id: StateId::Viewer,
            path: "/v1/e/viewer_state",
            who: [Who::Anyone, Who::Anyone],
            told: [
                "The caller's state in the channel",
                "Replace the caller's state in the channel",
                "Patch the caller's state in the channel",
            ],
            bytes_max: limits.viewer_bytes_max,
        },
        Kept {
            id: StateId::Hidden,
            path: "/v1/e/extension_hidden_state",
            who: [Who::Trusted, Who::Trusted],
            told: [
                "The extension's hidden state",
                "Replace the extension's hidden state",
                "Patch the extension's hidden state",
            ],
            bytes_max: limits.hidden_bytes_max,
        },
    ]
}

fn extension_viewer_routes(routes: Routes, bytes_max: usize) -> Routes {
    const PATH: &str = "/v1/e/extension_viewer_state";
    let read = Call::of(Who::Anyone, "The caller's state in all channels")
        .told("Admin and backend may name viewers: the answer of several is an object by id.")
        .query(
            "user_ids",
            string(),
            "For admin and backend: at most 1,000 ids with commas.",
        )
        .query("userID", string(), "For admin and backend: one viewer.")
        .answers(either([shape("Document"), map(shape("Document"))]))
        .tagged();
    let replace = Call::of(Who::Anyone, "Replace the caller's state in all channels")
        .takes(shape("Document"))
        .json_bytes_max(bytes_max)
        .conditional();
    let patch = Call::of(Who::Anyone, "Patch the caller's state in all channels")
        .told(
            "From admin and backend an object holds a patch for each viewer by id, at most \
             1,000, all or none.",
        )
        .takes(either([shape("Patch"), map(shape("Patch"))]))
        .json_bytes_max(bytes_max)
        .conditional();
    routes
        .get(PATH, extension_viewer, read)
        .post(PATH, replace_extension_viewer, replace)
        .patch(PATH, patch_extension_viewer, patch)
}

/// Reads of the stores, past the router.
pub(super) fn direct(edge: &Arc<RestEdge>) -> Vec<DirectCall> {
    let store = |path, id| {
        let read = move |edge: Edge, who: Authorized, query: Parameters<Channel>, asked: Asked| {
            read(id, edge, who, query, asked)
        };
        DirectCall::new(Method::GET, path, read, edge)
    };
    vec![
        DirectCall::new(Method::GET, "/v1/e/all_state", all, edge),
        store("/v1/e/channel_state", StateId::Channel),
        store("/v1/e/extension_state", StateId::Extension),
        store("/v1/e/viewer_state", StateId::Viewer),
        DirectCall::new(
            Method::GET,
            "/v1/e/extension_viewer_state",
            extension_viewer,
            edge,
        ),
    ]
}

/// GET, POST and PATCH of one store.
fn store(routes: Routes, kept: Kept) -> Routes {
    let Kept { id, path, .. } = kept;
    let [readers, writers] = kept.who;
    let [reads, replaces, patches] = kept.told;
    let writes = |summary, body| {
        let call = Call::of(writers, summary).channel().takes(shape(body));
        call.json_bytes_max(kept.bytes_max).conditional()
    };
    routes
        .get(
            path,
            move |edge: Edge, who: Authorized, query: Parameters<Channel>, asked: Asked| {
                read(id, edge, who, query, asked)
            },
            Call::of(readers, reads)
                .channel()
                .answers(shape("Document"))
                .tagged(),
        )
        .post(
            path,
            move |edge: Edge,
                  who: Authorized,
                  query: Parameters<Channel>,
                  wanted: Wanted,
                  body: Text| { replace(id, edge, who, query, wanted, body) },
            writes(replaces, "Document"),
        )
        .patch(
            path,
            move |edge: Edge,
                  who: Authorized,
                  query: Parameters<Channel>,
                  wanted: Wanted,
                  body: Text| { patch(id, edge, who, query, wanted, body) },
            writes(patches, "Patch"),
        )
}

#[derive(Deserialize)]
pub(super) struct Channel {
    pub(super) channel_id: Option<String>,
}

async fn read(
    id: StateId,
    State(edge): Edge,
    Authorized(caller): Authorized,
    Parameters(query): Parameters<Channel>,
    asked: Asked,
) -> Answer {
    let of = StateOf {
        id,
        channel: query.channel_id.as_deref(),
    };
    tagged(asked, &*state::read(&edge.core, &caller, of).await?)
}

async fn replace(
    id: StateId,
    State(edge): Edge,
    Authorized(caller): Authorized,
    Parameters(query): Parameters<Channel>,
    Wanted(if_match): Wanted,
    Text(body): Text,
) -> Answer {
    let of = StateOf {
        id,
        channel: query.channel_id.as_deref(),
    };
    state::replace(&edge.core, &caller, of, &body, if_match).await?;
    Ok(done())
}

async fn patch(
    id: StateId,
    State(edge): Edge,
    Authorized(caller): Authorized,
    Parameters(query): Parameters<Channel>,
    Wanted(if_match): Wanted,
    Text(body): Text,
) -> Answer {
    let of = StateOf {
        id,
        channel: query.channel_id.as_deref(),
    };
    state::patch(
        &edge.core,
        &caller,
        of,
        (&body, Parents::Required),
        if_match,
    )
    .await?;
    Ok(done())
}

async fn all(
    State(edge): Edge,
    Authorized(caller): Authorized,
    Parameters(query): Parameters<Channel>,
    asked: Asked,
) -> Answer {
    let all = state::all(&edge.core, &caller, query.channel_id.as_deref()).await?;
    let parts = [
        ("extension", &*all.extension),
        ("channel", &*all.channel),
        ("viewer", &*all.viewer),
        ("extension_viewer", &*all.extension_viewer),
    ];
    tagged_parts(asked, &parts)
}

#[derive(Deserialize)]
struct Viewers {
    user_ids: Option<String>,
    #[serde(rename = "userID")]
    user_id: Option<String>,
}

const OWN: StateOf<'static> = StateOf {
    id: StateId::ExtensionViewer,
    channel: None,
};

/// A viewer's own state; for a trusted caller that names viewers, theirs.
async fn extension_viewer(
    State(edge): Edge,
    Authorized(caller): Authorized,
    Parameters(query): Parameters<Viewers>,
    asked: Asked,
) -> Answer {
    let core = &*edge.core;
    if let Some(user_id) = query.user_id.filter(|id| !id.is_empty()) {
        let found = state::read_viewers(core, &caller, &[user_id]).await?;
        let state = found
            .into_iter()
            .next()
            .map_or_else(empty, |(_, state)| state);
        return tagged(asked, &state);
    }
    let Some(user_ids) = query.user_ids else {
        return tagged(asked, &*state::read(core, &caller, OWN).await?);
    };
    let ids = user_ids
        .split(',')
        .map(str::trim)
        .filter(|id| !id.is_empty());
    let ids: Vec<String> = ids.map(str::to_owned).collect();
    let mut states = serde_json::Map::new();
    for (id, state) in state::read_viewers(core, &caller, &ids).await? {
        let state: Value = serde_json::from_slice(&state.json).map_err(Error::from)?;
        states.insert(id, state);
    }
    json(&states)
}

fn empty() -> crowdlink_core::Snapshot {
    crowdlink_core::Snapshot::empty()
}

async fn replace_extension_viewer(
    State(edge): Edge,
    Authorized(caller): Authorized,
    Wanted(if_match): Wanted,
    Text(body): Text,
) -> Answer {
    state::replace(&edge.core, &caller, OWN, &body, if_match).await?;
    Ok(done())
}

/// An object is a merge patch of a viewer, and a map of viewers from a trusted caller
/// (`spec 3.2`).
async fn patch_extension_viewer(
    State(edge): Edge,
    Authorized(caller): Authorized,
    Wanted(if_match): Wanted,
    Text(body): Text,
) -> Answer {
    let core = &*edge.core;
    if caller.role.is_trusted()
        && let Some(Named(patches)) = Named::<&RawValue>::of(&body)?
    {
        state::patch_viewers(core, &caller, &patches).await?;
    } else {
        state::patch(core, &caller, OWN, (&body, Parents::Required), if_match).await?;
    }
    Ok(done())
}
