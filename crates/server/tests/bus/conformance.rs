//! The rules of the bus, on NATS.

use std::sync::Arc;

use crowdlink_core::Bus;
use crowdlink_core::bus_conformance::Subject;
use services::Nats;

use crate::cluster::nodes;

async fn nats() -> Subject {
    let nats = Arc::new(Nats::start().unwrap());
    let nodes = nodes(&nats.url(), 3).await;
    let nodes = nodes.into_iter().map(|node| node as Arc<dyn Bus>).collect();
    let breaks = Arc::clone(&nats);
    let lose = move || {
        breaks.kill().unwrap();
        breaks.start_again().unwrap();
    };
    Subject::of(nodes, lose, nats)
}

crowdlink_core::bus_conformance_tests!(nats_bus, async || nats().await);
