//! What is counted of the bus.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::NatsBus;

/// A number that only grows.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) published: Count,
    pub(super) received: Count,
    pub(super) dropped: Count,
    pub(super) gaps: Count,
    pub(super) gone: Count,
    pub(super) foreign: Count,
    pub(super) connects: Count,
}

/// Whether a figure only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FigureKind {
    /// It does, from the start of the process.
    Counter,
    /// It is as it is now.
    Gauge,
}

/// One figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figure {
    /// Its whole name, without the ending that counters get.
    pub name: &'static str,
    /// What it tells.
    pub help: &'static str,
    /// Counter or gauge.
    pub kind: FigureKind,
    /// Now.
    pub value: u64,
}

impl Counts {
    pub(super) fn figures(&self, up: bool, peers: usize) -> Vec<Figure> {
        let gauge = |name, help, value| Figure {
            name,
            help,
            kind: FigureKind::Gauge,
            value,
        };
        let counter = |name, help, count: &Count| Figure {
            name,
            help,
            kind: FigureKind::Counter,
            value: count.get(),
        };
        vec![
            gauge(
                "crowdlink_bus_connected",
                "Whether the bus reaches the other nodes",
                u64::from(up),
            ),
            gauge(
                "crowdlink_bus_peers",
                "Other nodes heard within the last two seconds",
                peers as u64,
            ),
            counter(
                "crowdlink_bus_published",
                "Messages of this node put in line for the others",
                &self.published,
            ),
            counter(
                "crowdlink_bus_received",
                "Messages of other nodes",
                &self.received,
            ),
            counter(
                "crowdlink_bus_dropped",
                "Messages of this node that the others do not get",
                &self.dropped,
            ),
            counter(
                "crowdlink_bus_gaps",
                "Times that messages of another node were found missing",
                &self.gaps,
            ),
            counter(
                "crowdlink_bus_missed",
                "Messages of other nodes found missing",
                &self.gone,
            ),
            counter(
                "crowdlink_bus_foreign",
                "Messages under our subjects that no node of ours made",
                &self.foreign,
            ),
            counter(
                "crowdlink_bus_connects",
                "Connections made; all but the first are reconnections",
                &self.connects,
            ),
        ]
    }
}

/// Shows the figures of a bus to operators.
pub(super) fn collector(bus: Arc<NatsBus>) -> Box<dyn Collector> {
    Box::new(Shown(bus))
}

#[derive(Debug)]
struct Shown(Arc<NatsBus>);

impl Collector for Shown {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        for figure in self.0.figures() {
            let Figure {
                name,
                help,
                kind,
                value,
            } = figure;
            match kind {
                FigureKind::Counter => {
                    let counter = ConstCounter::new(value);
                    let metric =
                        encoder.encode_descriptor(name, help, None, counter.metric_type())?;
                    counter.encode(metric)?;
                }
                FigureKind::Gauge => {
                    let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
                    let metric =
                        encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
                    gauge.encode(metric)?;
                }
            }
        }
        Ok(())
    }
}
