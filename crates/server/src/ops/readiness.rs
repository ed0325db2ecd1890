//! Whether this node should get callers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crowdlink_core::Bus;
use crowdlink_store::{Clock, Store};
use serde::Serialize;

use crate::shutdown::{Phase, Shutdown};

/// What this node stands on.
#[derive(Debug)]
pub struct Watched {
    /// Without it nothing works.
    pub store: Arc<dyn Store>,
    /// Without it the node learns from the store, and later.
    pub bus: Arc<dyn Bus>,
}

/// What decides about readiness.
#[derive(Debug)]
pub struct Readiness {
    started: AtomicBool,
    shutdown: Shutdown,
    watched: Watched,
    clock: Arc<dyn Clock>,
    ping_ms_max: u64,
}

/// The answer of `/readyz`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether callers are welcome: process and store are well. A bus that is down does not count:
    /// it is down for every node at once as a rule, and no node answers better than all.
    pub ready: bool,
    /// `starting`, `running` or `draining`.
    pub process: &'static str,
    /// `ok`, `failed` or `slow`.
    pub store: &'static str,
    /// `ok`, or `degraded` where the other nodes are not heard.
    pub bus: &'static str,
}

impl Readiness {
    /// Of a process that is starting. `ping_ms_max` bounds the wait for the store.
    pub fn new(
        watched: Watched,
        shutdown: Shutdown,
        clock: Arc<dyn Clock>,
        ping_ms_max: u64,
    ) -> Self {
        Self {
            started: AtomicBool::new(false),
            shutdown,
            watched,
            clock,
            ping_ms_max,
        }
    }

    /// Every listener accepts.
    pub fn started(&self) {
        self.started.store(true, Ordering::Release);
    }

    /// Looks at every part.
    pub async fn report(&self) -> Report {
        let store = tokio::select! {
            biased;
            pong = self.watched.store.ping() => if pong.is_ok() { "ok" } else { "failed" },
            () = self.clock.sleep_ms(self.ping_ms_max) => "slow",
        };
        let process = match (self.started.load(Ordering::Acquire), self.shutdown.phase()) {
            (_, Phase::Draining | Phase::Ended) => "draining",
            (false, Phase::Running) => "starting",
            (true, Phase::Running) => "running",
        };
        Report {
            ready: process == "running" && store == "ok",
            process,
            store,
            bus: if self.watched.bus.is_up() {
                "ok"
            } else {
                "degraded"
            },
        }
    }
}
