//! Around every request: an id, a log line, metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use tracing::Instrument;

use crate::ops::{HttpLabels, HttpMetrics, RouteLabels, Stopwatch};

/// Longest path in a log line, in characters.
const PATH_CHARS_MAX: usize = 200;

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request: an extension of the request, the header `X-Request-Id` of its response,
/// and a field of every log line about it. Unique for the node, no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(pub Arc<str>);

/// Makes the ids of one process.
#[derive(Debug)]
pub struct RequestIds {
    started_ms: i64,
    count: AtomicU64,
}

impl RequestIds {
    /// Of a process that started at that Unix time in ms.
    pub fn new(started_ms: i64) -> Arc<Self> {
        Arc::new(Self {
            started_ms,
            count: AtomicU64::new(0),
        })
    }

    fn next(&self) -> RequestId {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        RequestId(format!("{:x}-{number:x}", self.started_ms).into())
    }
}

#[derive(Clone, Debug)]
struct Access {
    stage: &'static str,
    metrics: HttpMetrics,
    ids: Arc<RequestIds>,
}

/// Adds ids, logs and metrics to every route and the fallback of a router. `stage` is the label,
/// see [`crate::listen::EdgeName::stage`].
///
/// Lines are of level debug, of level warn for faults of ours; the target is
/// `crowdlink_server::access`. They hold the path, and neither the query nor a header: tokens
/// travel there.
pub fn observed(
    router: Router,
    stage: &'static str,
    metrics: HttpMetrics,
    ids: Arc<RequestIds>,
) -> Router {
    let access = Access {
        stage,
        metrics,
        ids,
    };
    router.layer(middleware::from_fn_with_state(access, around))
}

async fn around(State(access): State<Access>, mut request: Request, next: Next) -> Response {
    let watch = Stopwatch::start();
    let id = access.ids.next();
    let method = known_method(request.method());
    let uri = request.uri().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    request.extensions_mut().insert(id.clone());
    let span = tracing::info_span!("request", id = %id.0);
    let mut response = next.run(request).instrument(span.clone()).await;
    let seconds = watch.seconds();
    let status = response.status();
    span.in_scope(|| log(access.stage, method, &uri, status, seconds));
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(&X_REQUEST_ID, value);
    }
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    access.count(method, route, status, seconds);
    response
}

impl Access {
    fn count(&self, method: &'static str, route: &str, status: StatusCode, seconds: f64) {
        let stage = self.stage;
        let labels = HttpLabels {
            stage,
            method,
            route: route.to_owned(),
            status: status.as_u16(),
        };
        self.metrics.requests.get_or_create(&labels).inc();
        let HttpLabels { route, .. } = labels;
        let labels = RouteLabels { stage, route };
        self.metrics.seconds.get_or_create(&labels).observe(seconds);
    }
}

fn log(stage: &str, method: &str, uri: &Uri, status: StatusCode, seconds: f64) {
    // Made only where a line is written.
    let path = || uri.path().chars().take(PATH_CHARS_MAX).collect::<String>();
    let (status, ms) = (status.as_u16(), seconds * 1_000.0);
    if status >= 500 {
        tracing::warn!(stage, method, path = ?path(), status, ms, "request failed");
    } else {
        tracing::debug!(stage, method, path = ?path(), status, ms, "request");
    }
}

/// A caller may send any word as a method; a label may not be any word.
fn known_method(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    KNOWN
        .into_iter()
        .find(|known| *known == method.as_str())
        .unwrap_or("other")
}
