//! Scripts for a page that runs with no platform (`spec 4.2`, `spec 4.6`), sandbox only.

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use super::ViewerEdge;

const JAVASCRIPT: HeaderValue = HeaderValue::from_static("text/javascript; charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-cache");

/// Calls that published guides use and the library does not have.
const EXTRA: &str = include_str!("medkit-extra.js");
/// Brings the library here, and those calls.
const LOCAL: &str = concat!(
    include_str!("medkit-local.js"),
    "\n",
    include_str!("medkit-extra.js")
);

pub(super) fn routes() -> Router<Arc<ViewerEdge>> {
    Router::new()
        .route("/rig/medkit-local.js", get(|| async { script(LOCAL) }))
        .route("/rig/medkit-extra.js", get(|| async { script(EXTRA) }))
}

fn script(text: &'static str) -> Response {
    (
        [(CONTENT_TYPE, JAVASCRIPT), (CACHE_CONTROL, NO_STORE)],
        text,
    )
        .into_response()
}
