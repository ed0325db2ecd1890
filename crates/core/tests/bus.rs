//! The rules of the bus, on the one of a server that is alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::sync::Arc;

use crowdlink_core::bus_conformance::Subject;
use crowdlink_core::{Bus, LocalBus};

fn local() -> Subject {
    let bus = Arc::new(LocalBus::new());
    let nodes: Vec<Arc<dyn Bus>> = vec![bus.clone(), bus.clone()];
    Subject::of(nodes, move || bus.lose(), ())
}

crowdlink_core::bus_conformance_tests!(local_bus, async || local());
