//! What is counted, under which name. No label takes a value that callers choose: no channel, no
//! client id, no raw path.

use std::fmt;

use parking_lot::RwLock;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::process::ProcessCollector;

/// Upper bounds of latency buckets in seconds: 0.1 ms to 10 s.
const LATENCY_BUCKETS_S: [f64; 14] = [
    0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

/// Labels of a finished request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct HttpLabels {
    /// `sandbox`, `production` or `none`.
    pub stage: &'static str,
    /// A known method, else `other`.
    pub method: &'static str,
    /// The route as the router knows it, with its parameters unfilled; `unmatched` for none.
    pub route: String,
    /// The status code.
    pub status: u16,
}

/// Labels of a request's latency.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RouteLabels {
    /// `sandbox`, `production` or `none`.
    pub stage: &'static str,
    /// The route as the router knows it.
    pub route: String,
}

/// Labels of a call of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StoreLabels {
    /// The function of the contract.
    pub operation: &'static str,
    /// `ok`, `conflict`, `refused` or `unavailable`.
    pub outcome: &'static str,
}

/// Requests.
#[derive(Clone, Debug)]
pub struct HttpMetrics {
    /// Finished requests.
    pub requests: Family<HttpLabels, Counter>,
    /// How long they took.
    pub seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
}

/// Calls of the store.
#[derive(Clone, Debug)]
pub struct StoreMetrics {
    /// How long they took; its count is their number.
    pub seconds: Family<StoreLabels, Histogram, fn() -> Histogram>,
}

/// The registry and the families everybody needs. Features register their own with
/// [`Metrics::register`].
pub struct Metrics {
    registry: RwLock<Registry>,
    /// Requests.
    pub http: HttpMetrics,
    /// Calls of the store.
    pub store: StoreMetrics,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

fn latency() -> Histogram {
    Histogram::new(LATENCY_BUCKETS_S)
}

fn latencies<L: Clone + Eq + std::hash::Hash>() -> Family<L, Histogram, fn() -> Histogram> {
    Family::new_with_constructor(latency as fn() -> Histogram)
}

impl Metrics {
    /// All families at nothing.
    pub fn new() -> Self {
        let metrics = Self {
            registry: RwLock::new(Registry::default()),
            http: HttpMetrics {
                requests: Family::default(),
                seconds: latencies(),
            },
            store: StoreMetrics {
                seconds: latencies(),
            },
        };
        metrics.register(|registry| {
            let http = &metrics.http;
            registry.register("http_requests", "Finished requests", http.requests.clone());
            registry.register_with_unit(
                "http_request_duration",
                "Time from the head of a request to the head of its response",
                Unit::Seconds,
                http.seconds.clone(),
            );
            registry.register_with_unit(
                "store_operation_duration",
                "Time of a call of the store",
                Unit::Seconds,
                metrics.store.seconds.clone(),
            );
        });
        let collector = Box::new(ProcessCollector);
        metrics.registry.write().register_collector(collector);
        metrics
    }

    /// Registers further families; their names get the prefix `crowdlink_`.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        let mut registry = self.registry.write();
        add(registry.sub_registry_with_prefix("crowdlink"));
    }

    /// Adds figures that somebody counts anyway; their names are whole.
    pub fn collect(&self, collector: Box<dyn Collector>) {
        self.registry.write().register_collector(collector);
    }

    /// Everything as OpenMetrics text.
    ///
    /// # Errors
    /// A family that cannot be written.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry.read())?;
        Ok(text)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
