//! `/v1/openapi.json`: the document of this edge (`spec 3.12`).
//!
//! A route and what the document says of it are one entry of [`Routes`], which the router and the
//! document are both made of. Refusals are values of core's table. The tests hold every answer of
//! the server against the document.

mod call;
mod document;
mod refusals;
mod routes;
pub(super) mod schema;
mod shapes;

use std::sync::Arc;

use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use crowdlink_core::{Error, Limits};
use crowdlink_protocol::Stage;

pub(super) use call::Call;
pub(crate) use call::Who;
pub(super) use routes::Routes;
use sha1::{Digest as _, Sha1};
pub(super) use shapes::trivia_state;

use super::RestEdge;
use super::answer::Answer;
use super::document::{Asked, tagged_json};
use crate::app::core_options;
use crate::settings::Settings;

/// Where it stands.
const PATH: &str = "/v1/openapi.json";

/// Limits that the document tells.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Of a request's body.
    pub body_bytes_max: usize,
    /// Of an upload of codes.
    pub codes_body_bytes_max: usize,
    /// Those of core.
    pub limits: Limits,
}

impl Bounds {
    /// As the settings have them.
    pub fn of(settings: &Settings) -> Self {
        Self {
            body_bytes_max: settings.limits.rest_body_bytes_max,
            codes_body_bytes_max: settings.limits.codes_body_bytes_max,
            limits: core_options(settings, false).limits,
        }
    }
}

/// The document as it is served.
#[derive(Debug)]
pub(super) struct Served {
    json: Bytes,
    tag: String,
}

impl Served {
    fn of(edge: &RestEdge) -> serde_json::Result<Self> {
        let json = Bytes::from(openapi(edge.stage, &edge.bounds)?);
        let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(Sha1::digest(&json)));
        Ok(Self { json, tag })
    }
}

/// The document of a stage, as JSON.
///
/// # Errors
/// It cannot be written as JSON; never, as far as is known.
pub fn openapi(stage: Stage, bounds: &Bounds) -> serde_json::Result<String> {
    document::of(stage, super::routes(stage, bounds).routes, bounds).to_pretty_json()
}

/// Who may make a call; `None` where there is no such call. HEAD counts as GET.
pub(crate) fn who(method: &str, path: &str) -> Option<Who> {
    let method = if method == "HEAD" { "GET" } else { method };
    let bounds = Bounds::of(&Settings::default());
    let routes = super::routes(Stage::Sandbox, &bounds).routes.into_iter();
    let mut found = routes.filter(|route| route.path == path && route.method == method);
    found.next().map(|route| route.call.who)
}

/// The one route.
pub(super) fn routes() -> Routes {
    let call = Call::of(Who::Open, "This document")
        .answers(schema::any_object())
        .tagged();
    Routes::of("document").get(PATH, read, call)
}

async fn read(State(edge): State<Arc<RestEdge>>, asked: Asked) -> Answer {
    let served = if let Some(served) = edge.openapi.get() {
        served
    } else {
        let made = Served::of(&edge).map_err(Error::from)?;
        edge.openapi.get_or_init(|| made)
    };
    tagged_json(asked, served.json.clone(), &served.tag)
}
