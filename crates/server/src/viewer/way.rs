//! Events to viewer sockets (`spec 4.4`).

use std::sync::Arc;

use crowdlink_core::broadcast::Target;
use serde::Serialize;

use super::topics;
use crate::events::{Audience, ViewerEvent, ViewerMetrics, WayLabel, WayOut};
use crate::live::{Frame, Live, SlotKey};

/// The label of viewer sockets.
pub(super) const SOCKET: WayLabel = WayLabel { way: "socket" };

/// What a viewer socket is sent for a message.
#[derive(Serialize)]
struct Sent<'a> {
    target: &'a str,
    message: &'a str,
}

/// The way out through viewer sockets.
#[derive(Debug)]
pub struct SocketWay {
    live: Arc<Live>,
    metrics: ViewerMetrics,
}

impl SocketWay {
    /// Through the sockets of an engine.
    pub fn new(live: Arc<Live>, metrics: ViewerMetrics) -> Self {
        Self { live, metrics }
    }

    fn send_to(&self, event: &ViewerEvent, target: &Target) {
        let (topic, target) = match target {
            Target::Broadcast => {
                let all = event.audience.channel.is_none();
                let name = if all { "global" } else { "broadcast" };
                (topics::everybody(&event.audience), name.to_owned())
            }
            Target::Whisper(opaque) => {
                (topics::whisper(&event.audience, opaque), target.to_string())
            }
        };
        let hub = self.live.hub();
        if hub.subscribers(&topic) == 0 {
            return;
        }
        let frame = match frame(&target, &event.messages) {
            Ok(frame) => frame,
            Err(error) => {
                tracing::error!(%error, "an event could not be encoded");
                return;
            }
        };
        let reached = match &event.coalesce {
            None => hub.publish(&topic, &frame),
            Some(name) => hub.publish_latest(&topic, SlotKey::of((&topic, name)), &frame),
        };
        let deliveries = self.metrics.deliveries.get_or_create(&SOCKET);
        deliveries.inc_by(u64::try_from(reached).unwrap_or(u64::MAX));
    }
}

/// All messages of an event as one frame: nothing comes between the parts of one.
fn frame(target: &str, messages: &[String]) -> serde_json::Result<Frame> {
    let frames: Result<Vec<_>, _> = messages
        .iter()
        .map(|message| Frame::json(&Sent { target, message }))
        .collect();
    Ok(Frame::sequence(&frames?))
}

impl WayOut for SocketWay {
    fn wants(&self, audience: &Audience) -> bool {
        self.live.hub().subscribers(&topics::everybody(audience)) > 0
    }

    fn audiences(&self) -> Vec<Audience> {
        let topics = self.live.hub().topics_under(topics::EVERYBODY);
        topics
            .iter()
            .filter_map(|topic| topics::audience(topic))
            .collect()
    }

    fn send(&self, event: &ViewerEvent) {
        for target in &event.targets {
            self.send_to(event, target);
        }
    }
}
