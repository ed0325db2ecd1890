//! The way out through the platform.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use crowdlink_core::Core;
use crowdlink_core::broadcast::Target;
use crowdlink_core::lease::LeaseOf;
use crowdlink_protocol::{ClientId, Stage};
use crowdlink_store::Clock;
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

use super::channel::{Channel, Worker};
use super::client::Endpoint;
use super::figures::{Figures, Outcome};
use super::queue::Queue;
use crate::events::{Audience, ViewerEvent, ViewerMetrics, WayLabel, WayOut};
use crate::ops::Metrics;
use crate::shutdown::Shutdown;

/// Most channels that have something to send, or had a minute ago.
pub(super) const CHANNELS_MAX: usize = 10_000;
/// Most messages on their way to the platform at once.
const REQUESTS_AT_ONCE_MAX: usize = 256;
/// How often it is said what went wrong.
const REPORT_MS: u64 = 60_000;
/// The work of the leases.
const WORK: &str = "platform-pubsub";
/// The label of messages to the platform.
const PLATFORM: WayLabel = WayLabel { way: "platform" };

/// How to reach the platform.
#[derive(Clone, Copy, Debug)]
pub struct PlatformOptions<'a> {
    /// The base of its API.
    pub url: &'a str,
    /// Messages for one channel in a minute.
    pub messages_per_min_max: u32,
}

/// Whom a queue is for: an extension's channel, or all of them.
pub(super) type Whom = (ClientId, Option<String>);

/// The way out through the platform's PubSub.
#[derive(Debug)]
pub struct PlatformWay {
    pub(super) core: Arc<Core>,
    pub(super) endpoint: Endpoint,
    pub(super) messages_per_min_max: u32,
    pub(super) figures: Figures,
    /// Places among the messages that are on their way.
    pub(super) places: Semaphore,
    viewers: ViewerMetrics,
    channels: Mutex<Channels>,
    woken: Notify,
    total_bytes: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct Channels {
    by_whom: HashMap<Whom, Arc<Channel>>,
    /// Those that nobody works for yet.
    new: Vec<Arc<Channel>>,
}

impl PlatformWay {
    /// A way at rest; [`PlatformWay::run`] sets it going.
    ///
    /// # Errors
    /// The platform's address is none, or the system trusts no certificates.
    pub fn new(
        core: &Arc<Core>,
        options: PlatformOptions<'_>,
        metrics: &Metrics,
        viewers: ViewerMetrics,
    ) -> anyhow::Result<Self> {
        let clock = Arc::clone(&core.world().clock);
        Ok(Self {
            core: Arc::clone(core),
            endpoint: Endpoint::new(options.url, clock)?,
            messages_per_min_max: options.messages_per_min_max,
            figures: Figures::register(metrics),
            places: Semaphore::new(REQUESTS_AT_ONCE_MAX),
            viewers,
            channels: Mutex::default(),
            woken: Notify::new(),
            total_bytes: Arc::default(),
        })
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.core.world().clock
    }

    /// Sends what comes, until it is dropped. The drain waits for what can go at once.
    pub async fn run(self: Arc<Self>, shutdown: Shutdown) {
        let mut workers = JoinSet::new();
        let mut report = self.clock().sleep_ms(REPORT_MS);
        loop {
            tokio::select! {
                () = self.woken.notified() => {}
                Some(_) = workers.join_next(), if !workers.is_empty() => {}
                () = &mut report => {
                    self.figures.report();
                    report = self.clock().sleep_ms(REPORT_MS);
                }
            }
            let new = std::mem::take(&mut self.channels.lock().new);
            for channel in new {
                let worker = Worker::new(Arc::clone(&self), channel, shutdown.clone());
                let in_flight = shutdown.in_flight();
                workers.spawn(async move {
                    worker.run().await;
                    drop(in_flight);
                });
            }
        }
    }

    /// Forgets a channel for which nothing waits; whether it did.
    pub(super) fn forget(&self, channel: &Channel) -> bool {
        let mut channels = self.channels.lock();
        let is_over = channel.queue.lock().is_empty();
        if is_over {
            channels.by_whom.remove(&channel.whom);
        }
        is_over
    }

    /// Forgets a channel with everything that waits for it.
    pub(super) fn abandon(&self, channel: &Channel) {
        self.channels.lock().by_whom.remove(&channel.whom);
    }

    pub(super) fn delivered(&self) {
        self.figures.count(Outcome::Sent, 1);
        self.viewers.deliveries.get_or_create(&PLATFORM).inc();
    }

    fn new_channel(&self, whom: Whom) -> Arc<Channel> {
        let of = LeaseOf {
            stage: Stage::Production,
            client_id: whom.0.clone(),
            work: WORK,
            place: whom.1.clone().unwrap_or_else(|| "all".to_owned()),
        };
        Arc::new(Channel {
            of,
            whom,
            queue: Mutex::new(Queue::new(Arc::clone(&self.total_bytes))),
            woken: Notify::new(),
        })
    }
}

impl WayOut for PlatformWay {
    /// Who watches is known to the platform alone.
    fn wants(&self, audience: &Audience) -> bool {
        audience.stage == Stage::Production
    }

    fn send(&self, event: &ViewerEvent) {
        if !self.wants(&event.audience) {
            return;
        }
        let channel = event.audience.channel.as_deref();
        let names = event
            .targets
            .iter()
            .filter_map(|target| name(target, channel));
        let targets: Vec<_> = names.collect();
        if targets.is_empty() || event.messages.is_empty() {
            self.figures.count(Outcome::Refused, 1);
            return;
        }
        let heard = (self.clock().monotonic_ms(), self.clock().now_ms());
        let whom = (event.audience.client_id.clone(), channel.map(str::to_owned));
        let mut channels = self.channels.lock();
        let known = channels.by_whom.get(&whom).cloned();
        if known.is_none() && channels.by_whom.len() >= CHANNELS_MAX {
            self.figures.count(Outcome::Overflowed, 1);
            return;
        }
        let channel = known.unwrap_or_else(|| {
            let new = self.new_channel(whom.clone());
            channels.by_whom.insert(whom, Arc::clone(&new));
            channels.new.push(Arc::clone(&new));
            self.woken.notify_one();
            new
        });
        let pushed = channel.queue.lock().push(event, targets, heard);
        drop(channels);
        channel.woken.notify_one();
        self.figures.count(Outcome::Superseded, pushed.superseded);
        self.figures.count(Outcome::Overflowed, pushed.overflowed);
    }
}

/// A target as the platform calls it; none for a whisper in no channel, which it does not know.
fn name(target: &Target, channel: Option<&str>) -> Option<String> {
    match (target, channel) {
        (Target::Broadcast, None) => Some("global".to_owned()),
        (Target::Whisper(_), None) => None,
        (Target::Broadcast | Target::Whisper(_), Some(_)) => Some(target.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use crowdlink_core::{CoreOptions, LocalBus, SeededRandom, World};
    use crowdlink_store::{ManualClock, MemoryStore};

    use super::*;

    #[tokio::test]
    async fn of_more_channels_than_may_wait_the_last_is_turned_away() {
        let clock = ManualClock::new(0);
        let world = World {
            store: MemoryStore::new(clock.clone()),
            clock,
            random: Arc::new(SeededRandom::from_seed(1)),
            bus: Arc::new(LocalBus::new()),
        };
        let core = Core::open(world, CoreOptions::default()).await.unwrap();
        let options = PlatformOptions {
            url: "http://127.0.0.1:1",
            messages_per_min_max: 100,
        };
        let viewers = ViewerMetrics::default();
        let way = PlatformWay::new(&core, options, &Metrics::new(), viewers).unwrap();
        let mut event = ViewerEvent {
            audience: Audience {
                stage: Stage::Production,
                client_id: ClientId::new("x").unwrap(),
                channel: None,
            },
            targets: vec![Target::Broadcast],
            messages: vec!["m".to_owned()],
            coalesce: None,
            newest_of: None,
        };
        for n in 0..=CHANNELS_MAX {
            event.audience.channel = Some(n.to_string());
            way.send(&event);
        }
        assert_eq!(way.channels.lock().by_whom.len(), CHANNELS_MAX);
        let known = (event.audience.client_id.clone(), event.audience.channel);
        assert!(!way.channels.lock().by_whom.contains_key(&known));
    }
}
