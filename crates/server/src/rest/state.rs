//! Shared state (`spec 3.2`).

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
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
use super::query::Parameters;
use crate::direct::DirectCall;

type Edge = State<Arc<RestEdge>>;

/// The routes of the five stores.
pub(super) fn routes() -> Router<Arc<RestEdge>> {
    Router::new()
        .route("/v1/e/all_state", get(all))
        .route("/v1/e/channel_state", store(StateId::Channel))
        .route("/v1/e/extension_state", store(StateId::Extension))
        .route("/v1/e/viewer_state", store(StateId::Viewer))
        .route("/v1/e/extension_hidden_state", store(StateId::Hidden))
        .route(
            "/v1/e/extension_viewer_state",
            get(extension_viewer)
                .post(replace_extension_viewer)
                .patch(patch_extension_viewer),
        )
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
fn store(id: StateId) -> axum::routing::MethodRouter<Arc<RestEdge>> {
    get(
        move |edge: Edge, who: Authorized, query: Parameters<Channel>, asked: Asked| {
            read(id, edge, who, query, asked)
        },
    )
    .post(
        move |edge: Edge,
              who: Authorized,
              query: Parameters<Channel>,
              wanted: Wanted,
              body: Text| { replace(id, edge, who, query, wanted, body) },
    )
    .patch(
        move |edge: Edge,
              who: Authorized,
              query: Parameters<Channel>,
              wanted: Wanted,
              body: Text| { patch(id, edge, who, query, wanted, body) },
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
