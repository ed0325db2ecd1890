//! CORS: any page may call (`spec 1.2`).

use std::time::Duration;

use http::Method;
use http::header::{
    AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH, RETRY_AFTER,
};
use tower_http::cors::{Any, CorsLayer};

/// How long a browser may remember a preflight.
const MAX_AGE: Duration = Duration::from_hours(24);

/// Answers preflights, which carry no token, and marks every answer as readable.
pub(super) fn layer() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH])
        .expose_headers([ETAG, RETRY_AFTER, HeaderName::from_static("x-request-id")])
        // Pages on the public web may call a server on the developer's own machine.
        .allow_private_network(true)
        .max_age(MAX_AGE)
}
