//! Whether this node should get callers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crowdlink_store::{Clock, Store};
use serde::Serialize;

use crate::shutdown::{Phase, Shutdown};

/// What decides about readiness.
#[derive(Debug)]
pub struct Readiness {
    started: AtomicBool,
    shutdown: Shutdown,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    ping_ms_max: u64,
}

/// The answer of `/readyz`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether callers are welcome: every part is well.
    pub ready: bool,
    /// `starting`, `running` or `draining`.
    pub process: &'static str,
    /// `ok`, `failed` or `slow`.
    pub store: &'static str,
}

impl Readiness {
    /// Of a process that is starting. `ping_ms_max` bounds the wait for the store.
    pub fn new(
        store: Arc<dyn Store>,
        shutdown: Shutdown,
        clock: Arc<dyn Clock>,
        ping_ms_max: u64,
    ) -> Self {
        Self {
            started: AtomicBool::new(false),
            shutdown,
            store,
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
            pong = self.store.ping() => if pong.is_ok() { "ok" } else { "failed" },
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
        }
    }
}
