//! The nodes, and who calls them.

use std::future::Future;
use std::sync::Arc;

use crowdlink_core::registry::{self, AddExtension};
use crowdlink_core::{Caller, Core, CoreOptions, Limits, Notice, Rate, SeededRandom, World};
use crowdlink_protocol::{Claims, ClientId, Role, Stage};
use crowdlink_store::{Faults, ManualClock, MemoryStore};
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use crate::wire::Wire;

/// When tests begin (Unix ms).
const START_MS: i64 = 1_700_000_000_000;
pub const CHANNEL: &str = "42";
/// Turns given to others before a condition is given up.
const TURNS_MAX: usize = 100_000;

/// What a node told its connections.
pub type Notices = Arc<Mutex<Vec<Notice>>>;

pub struct Cluster {
    pub clock: Arc<ManualClock>,
    pub store: Arc<MemoryStore>,
    pub wire: Arc<Wire>,
    pub cores: Vec<Arc<Core>>,
    pub told: Vec<Notices>,
    running: Vec<JoinHandle<()>>,
}

impl Cluster {
    pub async fn start(nodes: usize) -> Self {
        Self::with_faults(nodes, 0, Faults::default()).await
    }

    /// The same over a store that fails or delays.
    pub async fn with_faults(nodes: usize, seed: u64, faults: Faults) -> Self {
        let clock = ManualClock::new(START_MS);
        let store = MemoryStore::with_faults(clock.clone(), seed, Faults::default());
        let wire = Wire::new(nodes);
        let world = |node: usize| World {
            store: store.clone(),
            clock: clock.clone(),
            random: Arc::new(SeededRandom::from_seed(seed * 100 + node as u64)),
            bus: wire.end(node),
        };
        let request = AddExtension::new(client_id());
        registry::add(&world(0), request).await.unwrap();
        let mut cores = Vec::new();
        for node in 0..nodes {
            let often = Rate::per_second(1_000_000, 1_000_000);
            let options = CoreOptions {
                limits: Limits {
                    votes: often,
                    ..Limits::default()
                },
                node: u32::try_from(node).unwrap(),
                ..CoreOptions::default()
            };
            cores.push(Core::open(world(node), options).await.unwrap());
        }
        let told: Vec<Notices> = cores.iter().map(|_| Notices::default()).collect();
        let run = |(core, told): (&Arc<Core>, &Notices)| {
            let (core, told) = (Arc::clone(core), Arc::clone(told));
            tokio::spawn(async move { core.run(|notice| told.lock().push(notice)).await })
        };
        let running = cores.iter().zip(&told).map(run).collect();
        let cluster = Self {
            clock,
            store,
            wire,
            cores,
            told,
            running,
        };
        cluster.settle().await;
        cluster.store.set_faults(faults);
        cluster
    }

    /// Lets the nodes do what they can do without time.
    pub async fn settle(&self) {
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
    }

    /// Moves time as the nodes see it go by.
    pub async fn pass_ms(&self, ms: u64) {
        self.clock.advance_ms(ms);
        self.settle().await;
    }

    /// How many notices of a kind a node has told.
    pub fn count(&self, node: usize, is_so: impl Fn(&Notice) -> bool) -> usize {
        let told = self.told[node].lock();
        told.iter().filter(|notice| is_so(notice)).count()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for running in &self.running {
            running.abort();
        }
    }
}

/// Waits until a condition holds, without time.
pub async fn soon<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    for _ in 0..TURNS_MAX {
        if holds().await {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("never happened: {what}");
}

pub fn client_id() -> ClientId {
    ClientId::new("e").unwrap()
}

async fn caller(core: &Core, role: Role, user: &str) -> Caller {
    let extension = core.extension(Stage::Sandbox, &client_id()).await;
    let claims = Claims {
        role: Some(role),
        channel_id: Some(CHANNEL.to_owned()),
        user_id: Some(user.to_owned()),
        opaque_user_id: Some(format!("U{user}")),
        ..Claims::default()
    };
    let extension = extension.unwrap().unwrap();
    Caller::from_claims(Stage::Sandbox, extension, claims, i64::MAX).unwrap()
}

pub async fn viewer(core: &Core, user: &str) -> Caller {
    caller(core, Role::Viewer, user).await
}

/// Whoever runs the channel.
pub async fn broadcaster(core: &Core) -> Caller {
    caller(core, Role::Broadcaster, CHANNEL).await
}

/// The extension's own server.
pub async fn admin(core: &Core) -> Caller {
    caller(core, Role::Admin, "server").await
}
