//! What is counted of TLS.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use crate::listen::EdgeName;
use crate::ops::Metrics;

/// Labels of handshakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct HandshakeLabels {
    /// The listener.
    edge: &'static str,
    /// `done`, `failed`, `late`, `refused` (too many of one address) or `dropped` (in the drain).
    outcome: &'static str,
}

/// Handshakes, and how long the certificate is good.
#[derive(Clone, Debug, Default)]
pub struct TlsMetrics {
    handshakes: Family<HandshakeLabels, Counter>,
    pending: Gauge,
    expires_s: Gauge,
}

impl TlsMetrics {
    /// Shows them to operators.
    pub fn register(&self, metrics: &Metrics) {
        metrics.register(|registry| {
            registry.register(
                "tls_handshakes",
                "TLS handshakes by listener and outcome",
                self.handshakes.clone(),
            );
            registry.register(
                "tls_handshakes_pending",
                "TLS handshakes that are under way",
                self.pending.clone(),
            );
            registry.register(
                "tls_certificate_expires_timestamp_seconds",
                "When the certificate in use stops being valid, in Unix time",
                self.expires_s.clone(),
            );
        });
    }

    pub(super) fn expires_at(&self, ms: i64) {
        self.expires_s.set(ms / 1_000);
    }

    pub(super) fn count(&self, name: EdgeName, outcome: &'static str) {
        let edge = name.as_str();
        let labels = HandshakeLabels { edge, outcome };
        self.handshakes.get_or_create_owned(&labels).inc();
    }

    /// Counts a handshake as under way until what is returned is dropped.
    pub(super) fn begin(&self) -> Pending {
        self.pending.inc();
        Pending(self.pending.clone())
    }
}

/// A handshake that is under way.
#[derive(Debug)]
pub(super) struct Pending(Gauge);

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.dec();
    }
}
