//! What viewers send straight to the game (`spec 2.8`, `spec 3.10`). Nothing of it is stored.

use std::sync::atomic::{AtomicUsize, Ordering};

use crowdlink_protocol::{ClientId, Stage};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::Semaphore;

use crate::caller::Caller;
use crate::core::Core;
use crate::documents::{Bounds, Document};
use crate::error::Error;

/// Where the bus carries [`Streamed`].
pub(crate) const TOPIC: &str = "datastream";

/// One event of a viewer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Streamed {
    /// The world.
    pub stage: Stage,
    /// The extension.
    pub client_id: ClientId,
    /// The channel.
    pub channel: String,
    /// The object, as it was sent but minified.
    pub event: Box<RawValue>,
    /// When it came (Unix ms).
    pub at_ms: i64,
    /// The node it came to.
    pub(crate) node: String,
}

/// Events of this node on their way over the bus: fewer than the bus holds for a subscriber, for
/// what it drops nobody can send again. Who comes when it is full waits.
#[derive(Debug)]
pub(crate) struct InFlight {
    /// This node, among others.
    node: String,
    free: Semaphore,
    sent: AtomicUsize,
}

/// Events of this node that may be on their way.
const IN_FLIGHT_MAX: usize = 1_024;
/// How long an event waits to go on its way.
const WAIT_MS: u64 = 1_000;

impl InFlight {
    pub(crate) fn new(node: String) -> Self {
        Self {
            node,
            free: Semaphore::new(IN_FLIGHT_MAX),
            sent: AtomicUsize::new(0),
        }
    }

    async fn enter(&self, core: &Core) -> Result<(), Error> {
        let wait = core.world.clock.sleep_ms(WAIT_MS);
        tokio::select! {
            biased;
            permit = self.free.acquire() => {
                permit.map_err(|_| Error::Internal("the datastream is closed".to_owned()))?.forget();
                self.sent.fetch_add(1, Ordering::AcqRel);
                Ok(())
            }
            () = wait => Err(Error::RateLimited { retry_after_ms: WAIT_MS }),
        }
    }

    /// An event has come by.
    pub(crate) fn heard(&self, streamed: &Streamed) {
        let one_less = |sent: usize| sent.checked_sub(1);
        let own = streamed.node == self.node;
        if own
            && self
                .sent
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, one_less)
                .is_ok()
        {
            self.free.add_permits(1);
        }
    }

    /// Nobody knows which of them will still come by.
    pub(crate) fn lost(&self) {
        self.free.add_permits(self.sent.swap(0, Ordering::AcqRel));
    }
}

/// Sends an object to the games of a channel, on every node, in the order of these calls.
pub async fn send(
    core: &Core,
    caller: &Caller,
    channel: Option<&str>,
    json: &[u8],
) -> Result<(), Error> {
    let channel = caller.channel(channel)?.to_owned();
    let event = object(core, json, core.limits.datastream_bytes_max)?;
    core.in_flight.enter(core).await?;
    let streamed = Streamed {
        stage: caller.stage,
        client_id: caller.client_id().clone(),
        channel,
        event,
        at_ms: core.world.now_ms(),
        node: core.in_flight.node.clone(),
    };
    core.world.tell(TOPIC, &streamed)
}

/// A JSON object within a bound, minified.
pub(crate) fn object(core: &Core, json: &[u8], bytes_max: usize) -> Result<Box<RawValue>, Error> {
    let bounds = Bounds {
        bytes_max,
        depth_max: core.limits.json_depth_max,
        keys_max: core.limits.json_object_keys_max,
    };
    let document =
        Document::parse(json, &bounds).map_err(|error| Error::Document(error.to_string()))?;
    Ok(serde_json::value::to_raw_value(&document)?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crowdlink_protocol::{Claims, Role};
    use crowdlink_store::{ManualClock, MemoryStore};
    use parking_lot::Mutex;

    use super::*;
    use crate::bus::LocalBus;
    use crate::core::{CoreOptions, Notice};
    use crate::random::SeededRandom;
    use crate::registry::Extension;
    use crate::world::World;

    fn viewer() -> Caller {
        let extension = Extension {
            client_id: ClientId::new("ext").unwrap(),
            owner: String::new(),
            name: String::new(),
            secrets: Vec::new(),
            sandbox_takes_platform_tokens: false,
            auto_registered: false,
        };
        let claims = Claims {
            role: Some(Role::Viewer),
            channel_id: Some("42".to_owned()),
            user_id: Some("77".to_owned()),
            ..Claims::default()
        };
        Caller::from_claims(Stage::Sandbox, Arc::new(extension), claims, i64::MAX).unwrap()
    }

    #[tokio::test]
    async fn no_event_is_lost_between_many_who_send_and_one_who_listens() {
        let clock = ManualClock::new(0);
        let world = World {
            store: MemoryStore::new(clock.clone()),
            clock: clock.clone(),
            random: Arc::new(SeededRandom::from_seed(1)),
            bus: Arc::new(LocalBus::new()),
        };
        let core = Core::open(world, CoreOptions::default()).await.unwrap();
        let viewer = viewer();
        // Nobody listens yet: what is sent waits on the bus.
        for _ in 0..IN_FLIGHT_MAX {
            send(&core, &viewer, None, b"{}").await.unwrap();
        }
        let mut one_more = Box::pin(send(&core, &viewer, None, b"{}"));
        assert!(futures::poll!(one_more.as_mut()).is_pending());
        clock.advance_ms(WAIT_MS);
        let refused = one_more.await;
        assert_eq!(
            refused,
            Err(Error::RateLimited {
                retry_after_ms: WAIT_MS
            })
        );
        core.in_flight.lost();
        // Far more than the bus holds, all at once.
        let heard = Arc::new(Mutex::new(0));
        let listening = {
            let (core, heard) = (Arc::clone(&core), Arc::clone(&heard));
            tokio::spawn(async move {
                let note = |notice| {
                    assert!(
                        !matches!(notice, Notice::MayHaveChanged(_)),
                        "the bus lost some"
                    );
                    *heard.lock() += usize::from(matches!(notice, Notice::Streamed(_)));
                };
                core.run(note).await;
            })
        };
        tokio::task::yield_now().await;
        let sends = (0..10_000).map(|_| send(&core, &viewer, None, b"{}"));
        for sent in futures::future::join_all(sends).await {
            sent.unwrap();
        }
        while *heard.lock() < 10_000 {
            assert!(!listening.is_finished(), "nobody listens any more");
            tokio::task::yield_now().await;
        }
        listening.abort();
        assert_eq!(core.in_flight.free.available_permits(), IN_FLIGHT_MAX);
    }
}
