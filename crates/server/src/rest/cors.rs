//! CORS: any page may call (`spec 1.2`). The headers never depend on who asks, so they are
//! constants, and a response costs three insertions.

use axum::body::Body;
use axum::response::Response;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderName, VARY,
};
use http::{HeaderMap, HeaderValue};

const ANY: HeaderValue = HeaderValue::from_static("*");
const METHODS: HeaderValue = HeaderValue::from_static("GET,POST,PUT,PATCH,DELETE");
const HEADERS: HeaderValue =
    HeaderValue::from_static("authorization,content-type,if-match,if-none-match");
const EXPOSED: HeaderValue = HeaderValue::from_static("etag,retry-after,x-request-id");
/// What caches must tell apart: a preflight from a call.
const VARIES: HeaderValue = HeaderValue::from_static(
    "origin, access-control-request-method, access-control-request-headers",
);
/// How long a browser may remember a preflight, in seconds: a day.
const MAX_AGE_S: HeaderValue = HeaderValue::from_static("86400");
const TRUE: HeaderValue = HeaderValue::from_static("true");

static REQUEST_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-request-private-network");
static ALLOW_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-allow-private-network");

/// Answers a preflight, which carries no token.
pub(super) fn preflight(asked: &HeaderMap) -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(VARY, VARIES);
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE_S);
    // Pages on the public web may call a server on the developer's own machine.
    if asked.get(&REQUEST_PRIVATE_NETWORK) == Some(&TRUE) {
        headers.insert(&ALLOW_PRIVATE_NETWORK, TRUE);
    }
    response
}

/// Lets pages read a response.
pub(super) fn mark(headers: &mut HeaderMap) {
    headers.insert(VARY, VARIES);
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
}
