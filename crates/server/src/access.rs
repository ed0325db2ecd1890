//! Around every request: an id, a log line, metrics.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use tracing::{Instrument, Level, Span};

use crate::ops::{HttpLabels, HttpMetrics, RouteLabels, Stopwatch};

/// Longest path in a log line, in characters.
const PATH_CHARS_MAX: usize = 200;
/// Digits of a number in hexadecimal, at most.
const HEX_DIGITS_MAX: usize = 16;

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request: an extension of the request, the header `X-Request-Id` of its response,
/// and a field of every log line about it. Unique for the node, no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId {
    started_ms: u64,
    number: u64,
}

impl RequestId {
    /// Marks a response.
    pub(crate) fn mark(self, headers: &mut HeaderMap) {
        let mut text = [0; 2 * HEX_DIGITS_MAX + 1];
        // Every response has one: no formatting, no text that is thrown away.
        let text = self.write(&mut text);
        if let Ok(value) = HeaderValue::from_bytes(text) {
            headers.insert(&X_REQUEST_ID, value);
        }
    }

    /// Writes the id at the end of some room, and gives it.
    fn write(self, room: &mut [u8; 2 * HEX_DIGITS_MAX + 1]) -> &[u8] {
        let mut start = room.len();
        for (number, before) in [(self.number, Some(b'-')), (self.started_ms, None)] {
            let mut rest = number;
            let digits = std::iter::from_fn(|| {
                let digit = b"0123456789abcdef".get((rest & 15) as usize).copied();
                rest >>= 4;
                digit
            });
            let count = HEX_DIGITS_MAX - (number | 1).leading_zeros() as usize / 4;
            for byte in digits.take(count).chain(before) {
                start -= 1;
                if let Some(place) = room.get_mut(start) {
                    *place = byte;
                }
            }
        }
        room.get(start..).unwrap_or_default()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}", self.started_ms, self.number)
    }
}

/// Makes the ids of one process.
#[derive(Debug)]
pub struct RequestIds {
    started_ms: u64,
    count: AtomicU64,
}

impl RequestIds {
    /// Of a process that started at that Unix time in ms.
    pub fn new(started_ms: i64) -> Arc<Self> {
        Arc::new(Self {
            started_ms: started_ms.unsigned_abs(),
            count: AtomicU64::new(0),
        })
    }

    fn next(&self) -> RequestId {
        RequestId {
            started_ms: self.started_ms,
            number: self.count.fetch_add(1, Ordering::Relaxed),
        }
    }
}

/// What watches the requests of an edge.
#[derive(Clone, Debug)]
pub(crate) struct Access {
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
    Access::new(stage, metrics, ids).around(router)
}

async fn around(State(access): State<Access>, mut request: Request, next: Next) -> Response {
    let watch = Stopwatch::start();
    let id = access.next_id();
    let method = known_method(request.method());
    let uri = request.uri().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    request.extensions_mut().insert(id);
    let span = span(id);
    let mut response = next.run(request).instrument(span.clone()).await;
    let seconds = watch.seconds();
    let status = response.status();
    span.in_scope(|| access.log(method, Uri::path(&uri), status, seconds));
    id.mark(response.headers_mut());
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    access.count(method, route, status, seconds);
    response
}

/// What every log line about a request stands in.
pub(crate) fn span(id: RequestId) -> Span {
    tracing::info_span!("request", %id)
}

impl Access {
    pub(crate) fn new(stage: &'static str, metrics: HttpMetrics, ids: Arc<RequestIds>) -> Self {
        Self {
            stage,
            metrics,
            ids,
        }
    }

    /// See [`observed`].
    pub(crate) fn around(self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self, around))
    }

    pub(crate) fn next_id(&self) -> RequestId {
        self.ids.next()
    }

    pub(crate) fn metrics(&self) -> &HttpMetrics {
        &self.metrics
    }

    pub(crate) fn labels(
        &self,
        method: &'static str,
        route: &str,
        status: StatusCode,
    ) -> HttpLabels {
        HttpLabels {
            stage: self.stage,
            method,
            route: route.to_owned(),
            status: status.as_u16(),
        }
    }

    pub(crate) fn route_labels(&self, route: &str) -> RouteLabels {
        RouteLabels {
            stage: self.stage,
            route: route.to_owned(),
        }
    }

    fn count(&self, method: &'static str, route: &str, status: StatusCode, seconds: f64) {
        let labels = self.labels(method, route, status);
        self.metrics.requests.get_or_create(&labels).inc();
        let labels = self.route_labels(route);
        self.metrics.seconds.get_or_create(&labels).observe(seconds);
    }

    /// Whether a line is written about a request that ended so.
    pub(crate) fn is_logged(status: StatusCode) -> bool {
        status.is_server_error() || tracing::enabled!(Level::DEBUG)
    }

    pub(crate) fn log(&self, method: &str, path: &str, status: StatusCode, seconds: f64) {
        let stage = self.stage;
        // Made only where a line is written.
        let path = || path.chars().take(PATH_CHARS_MAX).collect::<String>();
        let ms = seconds * 1_000.0;
        if status.is_server_error() {
            let status = status.as_u16();
            tracing::warn!(stage, method, path = ?path(), status, ms, "request failed");
        } else {
            let status = status.as_u16();
            tracing::debug!(stage, method, path = ?path(), status, ms, "request");
        }
    }
}

/// A caller may send any word as a method; a label may not be any word.
pub(crate) fn known_method(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    KNOWN
        .into_iter()
        .find(|known| *known == method.as_str())
        .unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_the_header_is_the_id_of_the_log() {
        for number in [0, 1, 15, 16, 255, 4_096, u64::MAX] {
            for started_ms in [0, 9, 1_700_000_000_000, u64::MAX] {
                let id = RequestId { started_ms, number };
                let mut headers = HeaderMap::new();
                id.mark(&mut headers);
                assert_eq!(headers[&X_REQUEST_ID], id.to_string());
            }
        }
    }
}
