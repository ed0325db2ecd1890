//! The port for operators: health, readiness, metrics. Not for the public.

mod metered_store;
mod metrics;
mod process;
mod readiness;
mod stopwatch;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use http::{StatusCode, header};

pub use metered_store::MeteredStore;
pub use metrics::{HttpLabels, HttpMetrics, Metrics, RouteLabels, StoreLabels, StoreMetrics};
pub use readiness::{Readiness, Report, Watched};
pub use stopwatch::Stopwatch;

/// The content type of OpenMetrics text.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug)]
struct Ops {
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
}

/// `/healthz`, `/readyz` and `/metrics`.
pub fn router(metrics: Arc<Metrics>, readiness: Arc<Readiness>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(text))
        .with_state(Ops { metrics, readiness })
}

async fn readyz(State(ops): State<Ops>) -> impl IntoResponse {
    let report = ops.readiness.report().await;
    let status = if report.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let kind = [(header::CONTENT_TYPE, "application/json")];
    let body = serde_json::to_string(&report).unwrap_or_default();
    (status, kind, body)
}

async fn text(State(ops): State<Ops>) -> impl IntoResponse {
    match ops.metrics.encode() {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
