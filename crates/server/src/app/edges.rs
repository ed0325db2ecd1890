//! Which router answers at which listener.

use std::sync::Arc;

use crowdlink_core::Core;
use crowdlink_protocol::Stage;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::{App, configured};
use crate::access::{Access, RequestIds};
use crate::client_address::ClientAddress;
use crate::direct::Direct;
use crate::gamelink::{self, GameEdge};
use crate::listen::{Bound, Edge, EdgeName};
use crate::live::{Live, Quota};
use crate::ops::{self, Metrics};
use crate::rest::{self, Bounds, RestEdge};
use crate::tls::{HandshakeLimits, Handshakes};
use crate::viewer::{self, ViewerEdge};

/// The edges of an app on their sockets.
pub(super) fn of(app: &App, bound: Vec<Bound>) -> Vec<Edge> {
    let ids = RequestIds::new(app.clock.now_ms());
    let settings = &app.settings;
    let quota = |max: usize| u32::try_from(max).unwrap_or(u32::MAX);
    let per_address = Quota::new(quota(settings.limits.connections_per_address_max));
    let per_extension = Quota::new(quota(settings.limits.connections_per_extension_max));
    let games = |stage| {
        gamelink::router(Arc::new(GameEdge {
            core: Arc::clone(&app.core),
            stage,
            live: Arc::clone(&app.live),
            pump: Arc::clone(&app.pump),
            address: ClientAddress::new(&settings.proxy),
            per_address: Arc::clone(&per_address),
            per_extension: Arc::clone(&per_extension),
            limits: configured::game_limits(settings),
        }))
    };
    let production_port = bound
        .iter()
        .find(|bound| bound.name == EdgeName::ProductionRest)
        .and_then(|bound| bound.listener.local_addr().ok())
        .map(|address| address.port());
    let viewers = |stage| {
        viewer::router(Arc::new(ViewerEdge {
            core: Arc::clone(&app.core),
            stage,
            live: Arc::clone(&app.live),
            address: ClientAddress::new(&settings.proxy),
            per_address: Arc::clone(&per_address),
            per_extension: Arc::clone(&per_extension),
            limits: configured::viewer_limits(settings),
            production_port,
            metrics: app.viewer_metrics.clone(),
        }))
    };
    let rest = |stage, access: &Access| {
        let address = ClientAddress::new(&settings.proxy);
        let bounds = Bounds::of(settings);
        let edge = Arc::new(RestEdge::new(Arc::clone(&app.core), stage, address, bounds));
        let direct = rest::direct(&edge, access);
        // The REST port accepts the paths of games too (spec 2.1).
        let others = viewers(stage).merge(games(stage));
        (rest::router(edge, others), direct)
    };
    let ops = || ops::router(Arc::clone(&app.metrics), Arc::clone(&app.readiness));
    let secured = |name| {
        let tls = app.tls.as_ref()?;
        let proxies = ClientAddress::new(&settings.proxy);
        let limits = HandshakeLimits::new(settings);
        Handshakes::of(tls, name, limits, proxies, Arc::clone(&app.clock))
    };
    let edge = |bound: Bound| {
        let name = bound.name;
        let access = Access::new(name.stage(), app.metrics.http.clone(), Arc::clone(&ids));
        let (router, direct) = match name {
            EdgeName::SandboxRest => rest(Stage::Sandbox, &access),
            EdgeName::ProductionRest => rest(Stage::Production, &access),
            EdgeName::SandboxGamelink => (games(Stage::Sandbox), Direct::default()),
            EdgeName::ProductionGamelink => (games(Stage::Production), Direct::default()),
            EdgeName::Ops => (ops(), Direct::default()),
        };
        Edge {
            bound,
            router: access.around(router),
            direct,
            tls: secured(name),
        }
    };
    bound.into_iter().map(edge).collect()
}

/// Tells operators what core and the live connections count themselves.
pub(super) fn register_figures(metrics: &Metrics, core: &Arc<Core>, live: &Arc<Live>) {
    let figures = Figures {
        core: Arc::clone(core),
        live: Arc::clone(live),
    };
    metrics.collect(Box::new(figures));
}

#[derive(Debug)]
struct Figures {
    core: Arc<Core>,
    live: Arc<Live>,
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let stats = self.core.stats();
        let count = |number: usize| ConstGauge::new(i64::try_from(number).unwrap_or(i64::MAX));
        let gauges = [
            (
                "crowdlink_live_connections",
                "Open WebSocket connections",
                self.live.sessions(),
            ),
            (
                "crowdlink_live_topics",
                "Topics with subscribers",
                self.live.hub().topics(),
            ),
            (
                "crowdlink_extensions",
                "Registered extensions",
                stats.extensions,
            ),
        ];
        for (name, help, number) in gauges {
            let gauge = count(number);
            let metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        let counters = [
            (
                "crowdlink_pin_failures",
                "PINs that were wrong",
                stats.pin_failures,
            ),
            (
                "crowdlink_bus_losses",
                "Times that word of other nodes was lost; streams lose it for good",
                stats.bus_losses,
            ),
            (
                "crowdlink_pin_tightened",
                "PIN tries under attack",
                stats.pin_tightened,
            ),
        ];
        for (name, help, number) in counters {
            let counter = ConstCounter::new(number);
            let metric = encoder.encode_descriptor(name, help, None, counter.metric_type())?;
            counter.encode(metric)?;
        }
        Ok(())
    }
}
