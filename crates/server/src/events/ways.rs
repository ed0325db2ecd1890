//! Events for viewers, and the ways they go out by (`spec 4.1`).

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use crowdlink_core::broadcast::{Broadcast, Target};
use crowdlink_core::{Error, encode_message, message_text};
use crowdlink_protocol::{ClientId, Stage};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use serde::Serialize;

use crate::ops::Metrics;

/// The viewers of a channel, or those of all channels of an extension.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Audience {
    /// The world.
    pub stage: Stage,
    /// The extension.
    pub client_id: ClientId,
    /// The channel; none for all.
    pub channel: Option<String>,
}

/// An event on its way to viewers.
#[derive(Clone, Debug)]
pub struct ViewerEvent {
    /// In which channel.
    pub audience: Audience,
    /// For whom there: each target gets all messages.
    pub targets: Vec<Target>,
    /// The message text, encoded: one message or the parts of one, to be sent back to back.
    pub messages: Vec<String>,
    /// Of the events that wait under this name for one audience only the newest matters.
    pub coalesce: Option<String>,
    /// The same where messages are few, as on the platform (`spec 4.5`): there it holds of more
    /// events than elsewhere.
    pub newest_of: Option<String>,
}

/// Whether an older event of the same name may be left out for a newer one (DESIGN 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only the newest matters.
    State,
    /// Each one matters; where messages are few, only the newest of those that wait.
    Step,
    /// Each one matters.
    Stream,
}

/// One way out. Several stand side by side; each gets every event, in the same order.
pub trait WayOut: fmt::Debug + Send + Sync {
    /// Whether anybody would get an event now. What nobody wants is not made.
    fn wants(&self, audience: &Audience) -> bool;

    /// Whose viewers would get events now, as far as the way knows them: they are told again what
    /// they may have missed.
    fn audiences(&self) -> Vec<Audience> {
        Vec::new()
    }

    /// Sends an event. Never waits: what cannot go at once waits in the way's own bounded queue.
    fn send(&self, event: &ViewerEvent);
}

/// All ways out.
#[derive(Debug)]
pub struct Viewers {
    ways: Vec<Arc<dyn WayOut>>,
    message_bytes_max: usize,
    metrics: ViewerMetrics,
}

impl Viewers {
    /// The ways in the order in which they are tried, and the longest message that goes out plain.
    pub fn new(
        ways: Vec<Arc<dyn WayOut>>,
        message_bytes_max: usize,
        metrics: ViewerMetrics,
    ) -> Self {
        Self {
            ways,
            message_bytes_max,
            metrics,
        }
    }

    /// Whether anybody would get an event now.
    pub fn want(&self, audience: &Audience) -> bool {
        self.ways.iter().any(|way| way.wants(audience))
    }

    /// The audiences that somebody belongs to, each once.
    pub fn audiences(&self) -> HashSet<Audience> {
        let ways = self.ways.iter();
        ways.flat_map(|way| way.audiences()).collect()
    }

    /// Tells everybody of an audience of an event that the server raises itself (`spec 4.3`).
    pub fn tell<T: Serialize + ?Sized>(
        &self,
        audience: Audience,
        name: &str,
        data: &T,
        kind: Kind,
    ) -> Result<(), Error> {
        if !self.want(&audience) {
            return Ok(());
        }
        let text = message_text(audience.stage, &audience.client_id, name, data)?;
        self.send(&ViewerEvent {
            audience,
            targets: vec![Target::Broadcast],
            messages: encode_message(text, self.message_bytes_max)?,
            coalesce: (kind == Kind::State).then(|| name.to_owned()),
            newest_of: (kind != Kind::Stream).then(|| name.to_owned()),
        });
        Ok(())
    }

    /// Passes on what somebody broadcast.
    pub fn pass_on(&self, broadcast: Broadcast) {
        let Broadcast {
            stage,
            client_id,
            channel,
            targets,
            messages,
        } = broadcast;
        self.send(&ViewerEvent {
            audience: Audience {
                stage,
                client_id,
                channel,
            },
            targets,
            messages,
            coalesce: None,
            newest_of: None,
        });
    }

    fn send(&self, event: &ViewerEvent) {
        self.metrics.events.inc();
        for way in &self.ways {
            way.send(event);
        }
    }
}

/// The label of a way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct WayLabel {
    /// `socket`, `pusher` or `platform`.
    pub way: &'static str,
}

/// What is counted of events to viewers.
#[derive(Clone, Debug, Default)]
pub struct ViewerMetrics {
    events: Counter,
    /// Events handed to connections, or to the platform.
    pub deliveries: Family<WayLabel, Counter>,
    /// Open connections.
    pub connections: Family<WayLabel, Gauge>,
}

impl ViewerMetrics {
    /// Counters at nothing, shown to operators.
    pub fn register(metrics: &Metrics) -> Self {
        let own = Self::default();
        metrics.register(|registry| {
            registry.register(
                "viewer_events",
                "Events to viewers, each counted once",
                own.events.clone(),
            );
            registry.register(
                "viewer_deliveries",
                "Events handed to a viewer's connection or to the platform",
                own.deliveries.clone(),
            );
            registry.register(
                "viewer_connections",
                "Open connections of viewers",
                own.connections.clone(),
            );
        });
        own
    }
}
