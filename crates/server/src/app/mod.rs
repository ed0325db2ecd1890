//! The server as a whole: what it is made of, how it starts, and how it ends.

mod configured;
mod demo;
mod edges;
mod ended;
mod store;
mod waiting;

use std::io;
use std::sync::Arc;

use crowdlink_core::{Bus, Core, CoreOptions, Notice, Random, SeededRandom, World};
use crowdlink_store::{Clock, Store, spawn_sweeper};
use tokio::task::JoinSet;

pub use configured::{core_options, live_limits};
pub use demo::{DEMO_CLIENT_ID, Demo};
pub use store::{Opened, STORE_FILE, bulk, open_embedded, open_store, open_to_read};
pub use waiting::{Waiting, await_store};

use crate::events::{Pump, ViewerMetrics, Viewers, WayOut};
use crate::listen::{self, Bound, ConnectionLimits};
use crate::live::Live;
use crate::ops::{MeteredStore, Metrics, Readiness, Watched};
use crate::settings::Settings;
use crate::shutdown::{Outcome, Shutdown};
use crate::tls::Tls;
use crate::twitch::PlatformWay;
use crate::viewer::{PusherWay, SocketWay};

/// How often expired records are removed.
const SWEEP_MS: u64 = 10_000;

/// What a server runs on. Tests hand in their own.
#[derive(Clone, Debug)]
pub struct Foundation {
    /// Everything durable.
    pub store: Arc<dyn Store>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// The other nodes.
    pub bus: Arc<dyn Bus>,
    /// The number of this node among those of a cluster.
    pub node: u32,
    /// Its end.
    pub shutdown: Shutdown,
}

/// The system's randomness.
pub fn system_random() -> anyhow::Result<Arc<dyn Random>> {
    let random = SeededRandom::from_system();
    Ok(Arc::new(random.map_err(|error| {
        anyhow::anyhow!("no randomness: {error}")
    })?))
}

/// A server that is set up and serves once [`App::run`] is called.
#[derive(Debug)]
pub struct App {
    /// The domain.
    pub core: Arc<Core>,
    /// The connections.
    pub live: Arc<Live>,
    /// What carries events to them.
    pub pump: Arc<Pump>,
    /// Figures.
    pub metrics: Arc<Metrics>,
    /// Its end.
    pub shutdown: Shutdown,
    /// The certificate, where there is one.
    pub tls: Option<Arc<Tls>>,
    settings: Settings,
    clock: Arc<dyn Clock>,
    store: Arc<dyn Store>,
    readiness: Arc<Readiness>,
    viewer_metrics: ViewerMetrics,
    platform: Option<Arc<PlatformWay>>,
}

impl App {
    /// Builds a server on a foundation. `auto_register` is for development: the sandbox then
    /// registers client ids that it does not know.
    pub async fn new(
        settings: Settings,
        foundation: Foundation,
        auto_register: bool,
    ) -> anyhow::Result<Self> {
        let metrics = Arc::new(Metrics::new());
        let tls = Tls::open(&settings.tls, foundation.clock.now_ms())?;
        if let Some(tls) = &tls {
            tls.metrics().register(&metrics);
        }
        let metered = MeteredStore::new(foundation.store, metrics.store.clone());
        let store: Arc<dyn Store> = Arc::new(metered);
        let (clock, bus) = (foundation.clock, foundation.bus);
        let world = World {
            store: Arc::clone(&store),
            clock: Arc::clone(&clock),
            random: foundation.random,
            bus: Arc::clone(&bus),
        };
        let options = CoreOptions {
            node: foundation.node,
            ..core_options(&settings, auto_register)
        };
        let core = Core::open(world, options).await?;
        let live = Live::start(Arc::clone(&clock), live_limits(&settings));
        let viewer_metrics = ViewerMetrics::register(&metrics);
        let platform = configured::platform(&settings, &core, &metrics, &viewer_metrics)?;
        // The ways out to viewers (spec 4.1); one more stands here.
        let mut ways: Vec<Arc<dyn WayOut>> = vec![
            Arc::new(SocketWay::new(Arc::clone(&live), viewer_metrics.clone())),
            Arc::new(PusherWay::new(Arc::clone(&live), viewer_metrics.clone())),
        ];
        ways.extend(platform.clone().map(|way| way as Arc<dyn WayOut>));
        let viewers = Viewers::new(
            ways,
            settings.limits.platform_message_bytes_max,
            viewer_metrics.clone(),
        );
        let rhythm = configured::poll_rhythm(&settings);
        let pump = Pump::new(Arc::clone(&core), Arc::clone(&live), viewers, rhythm);
        let shutdown = foundation.shutdown;
        let ping_ms_max = settings.timeouts.store_ping_ms_max;
        let watched = Watched {
            store: Arc::clone(&store),
            bus,
        };
        let readiness = Readiness::new(watched, shutdown.clone(), Arc::clone(&clock), ping_ms_max);
        edges::register_figures(&metrics, &core, &live);
        let readiness = Arc::new(readiness);
        Ok(Self {
            core,
            live,
            pump,
            metrics,
            shutdown,
            tls,
            settings,
            clock,
            store,
            readiness,
            viewer_metrics,
            platform,
        })
    }

    /// Serves on listening sockets until the shutdown has run its course. `ready` is called once
    /// all of them accept.
    pub async fn run(&self, bound: Vec<Bound>, ready: impl FnOnce()) -> io::Result<Outcome> {
        let open_files = listen::raise_open_files(&self.settings.limits);
        let limits = ConnectionLimits::new(&self.settings, open_files);
        let edges = edges::of(self, bound);
        let serving = listen::serve(
            edges,
            limits,
            self.shutdown.clone(),
            Arc::clone(&self.clock),
        );
        let mut background = JoinSet::new();
        let (core, live) = (Arc::clone(&self.core), Arc::clone(&self.live));
        let pump = Arc::clone(&self.pump);
        background.spawn(async move {
            let hear = |notice| match notice {
                Notice::Ended(ended) => ended::close(&core, &live, &ended),
                notice @ (Notice::Changed(_)
                | Notice::JsonStoreWritten(_)
                | Notice::Broadcast(_)
                | Notice::Poll(_)
                | Notice::MatchPoll(_)
                | Notice::TriviaChanged(_)
                | Notice::Streamed(_)
                | Notice::Purchased(_)
                | Notice::Settled(_)
                | Notice::Joined(_)
                | Notice::MayHaveChanged(_)) => pump.notice(notice),
            };
            core.run(hear).await;
        });
        let pump = Arc::clone(&self.pump);
        background.spawn(async move { pump.run().await });
        if let Some(platform) = self.platform.clone() {
            background.spawn(platform.run(self.shutdown.clone()));
        }
        if let Some(tls) = &self.tls {
            background.spawn(Arc::clone(tls).watch(Arc::clone(&self.clock)));
        }
        let _sweeper = spawn_sweeper(Arc::clone(&self.store), Arc::clone(&self.clock), SWEEP_MS);
        self.readiness.started();
        ready();
        let drain_ms_max = self.settings.shutdown.drain_ms_max;
        let sockets = async {
            self.shutdown.draining().await;
            let in_flight = self.shutdown.in_flight();
            tokio::select! {
                cut_off = self.live.drain(drain_ms_max) => {
                    if cut_off > 0 {
                        tracing::warn!(cut_off, "connections did not close in time");
                    }
                }
                () = self.shutdown.ended() => {}
            }
            drop(in_flight);
        };
        let (served, (), outcome) = tokio::join!(
            serving,
            sockets,
            self.shutdown.run(&*self.clock, drain_ms_max)
        );
        served?;
        Ok(outcome)
    }
}
