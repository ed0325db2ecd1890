//! Events to Pusher channels.

use std::sync::Arc;

use crowdlink_core::broadcast::Target;
use crowdlink_protocol::Stage;

use super::super::topics;
use super::channel::name_of;
use super::frames;
use crate::events::{Audience, ViewerEvent, ViewerMetrics, WayLabel, WayOut};
use crate::live::{Live, SlotKey};

/// The label of Pusher connections.
pub(super) const PUSHER: WayLabel = WayLabel { way: "pusher" };

/// The way out through the Pusher endpoint.
#[derive(Debug)]
pub struct PusherWay {
    live: Arc<Live>,
    metrics: ViewerMetrics,
}

impl PusherWay {
    /// Through the sockets of an engine.
    pub fn new(live: Arc<Live>, metrics: ViewerMetrics) -> Self {
        Self { live, metrics }
    }

    fn send_to(&self, event: &ViewerEvent, target: &Target, topic: &str, channel: &str) {
        let frame = match frames::event(&target.to_string(), channel, &event.messages) {
            Ok(frame) => frame,
            Err(error) => {
                tracing::error!(%error, "an event could not be encoded");
                return;
            }
        };
        let hub = self.live.hub();
        let reached = match &event.coalesce {
            None => hub.publish(topic, &frame),
            Some(name) => hub.publish_latest(topic, SlotKey::of((topic, name)), &frame),
        };
        let deliveries = self.metrics.deliveries.get_or_create(&PUSHER);
        deliveries.inc_by(u64::try_from(reached).unwrap_or(u64::MAX));
    }
}

impl WayOut for PusherWay {
    fn wants(&self, audience: &Audience) -> bool {
        let hub = self.live.hub();
        audience.stage == Stage::Sandbox && hub.subscribers(&topics::pusher(audience)) > 0
    }

    fn audiences(&self) -> Vec<Audience> {
        let topics = self.live.hub().topics_under(topics::PUSHER);
        topics
            .iter()
            .filter_map(|topic| topics::audience(topic))
            .collect()
    }

    fn send(&self, event: &ViewerEvent) {
        if !self.wants(&event.audience) {
            return;
        }
        let (topic, channel) = (topics::pusher(&event.audience), name_of(&event.audience));
        for target in &event.targets {
            self.send_to(event, target, &topic, &channel);
        }
    }
}
