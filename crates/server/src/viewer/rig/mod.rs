//! Scripts for a page that runs with no platform (`spec 4.2`, `spec 4.4`, `spec 4.6`), sandbox only.

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use super::ViewerEdge;

const JAVASCRIPT: HeaderValue = HeaderValue::from_static("text/javascript; charset=utf-8");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

/// Calls that published guides use and the library does not have.
const EXTRA: &str = include_str!("medkit-extra.js");
/// Brings the library here, and those calls.
const LOCAL: &str = concat!(
    include_str!("medkit-local.js"),
    "\n",
    include_str!("medkit-extra.js")
);
/// The platform's helper, from this server.
const HELPER: &str = include_str!("twitch-ext.js");
/// Stands in the helper for the port of production's REST side.
const PRODUCTION_PORT: &str = "'PRODUCTION_PORT'";

/// The routes. The helper takes production's tokens to `production_port`.
pub(super) fn routes(production_port: Option<u16>) -> Router<Arc<ViewerEdge>> {
    let port = production_port.map_or_else(|| "null".to_owned(), |port| port.to_string());
    let helper = Bytes::from(HELPER.replacen(PRODUCTION_PORT, &port, 1));
    Router::new()
        .route("/rig/medkit-local.js", get(|| async { script(LOCAL) }))
        .route("/rig/medkit-extra.js", get(|| async { script(EXTRA) }))
        .route("/rig/twitch-ext.js", get(|| async { script(helper) }))
}

fn script(text: impl IntoResponse) -> Response {
    let headers = [(CONTENT_TYPE, JAVASCRIPT), (CACHE_CONTROL, NO_CACHE)];
    (headers, text).into_response()
}
