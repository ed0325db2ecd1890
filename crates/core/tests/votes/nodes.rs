//! Two nodes over one store, and who calls them.

use std::sync::Arc;

use crowdlink_core::polls::{self, LogEntry, Voted};
use crowdlink_core::registry::{self, AddExtension};
use crowdlink_core::{
    Caller, Core, CoreOptions, Error, Limits, LocalBus, Rate, SeededRandom, World,
};
use crowdlink_protocol::{Claims, ClientId, Role, Stage};
use crowdlink_store::{Faults, ManualClock, MemoryStore, SqliteOptions, SqliteStore, Store};
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// When tests begin (Unix ms).
const START_MS: i64 = 1_700_000_000_000;
const CHANNEL: &str = "42";
/// The poll that everything is about.
pub const POLL: &str = "p";

/// What the nodes stand on.
pub enum Ground {
    Memory(Arc<MemoryStore>),
    /// On disk; a restart closes it too.
    Disk(TempDir),
}

pub struct Nodes {
    pub clock: Arc<ManualClock>,
    pub ground: Ground,
    pub cores: [Arc<Core>; 2],
    numbers: [u32; 2],
    running: Vec<JoinHandle<()>>,
    starts: u64,
}

impl Nodes {
    /// Two nodes with these numbers.
    pub async fn in_memory(seed: u64, numbers: [u32; 2]) -> Self {
        let clock = ManualClock::new(START_MS);
        let store = MemoryStore::with_faults(clock.clone(), seed, Faults::default());
        Self::start(clock, Ground::Memory(store), numbers).await
    }

    pub async fn on_disk(numbers: [u32; 2]) -> Self {
        let clock = ManualClock::new(START_MS);
        let ground = Ground::Disk(tempfile::tempdir().unwrap());
        Self::start(clock, ground, numbers).await
    }

    async fn start(clock: Arc<ManualClock>, ground: Ground, numbers: [u32; 2]) -> Self {
        let world = world(&clock, &ground, 0);
        let request = AddExtension::new(client_id());
        registry::add(&world, request).await.unwrap();
        let cores = open(&world, numbers).await;
        let running = cores.iter().map(run).collect();
        Self {
            clock,
            ground,
            cores,
            numbers,
            running,
            starts: 1,
        }
    }

    /// Ends both nodes, with all that they have in memory, and starts them again.
    pub async fn restart(&mut self) {
        for running in self.running.drain(..) {
            running.abort();
            let _ = running.await;
        }
        self.starts += 1;
        let world = world(&self.clock, &self.ground, self.starts);
        self.cores = open(&world, self.numbers).await;
        self.running = self.cores.iter().map(run).collect();
    }

    /// From now on the store fails as often; one on disk never does.
    pub fn set_faults(&self, faults: Faults) {
        if let Ground::Memory(store) = &self.ground {
            store.set_faults(faults);
        }
    }

    /// The log as a node tells it.
    pub async fn log(&self, node: usize) -> Vec<LogEntry> {
        let core = &self.cores[node];
        let admin = caller(core, Role::Admin, "server").await;
        let mut log = polls::vote_log(core, &admin, None, POLL).await.unwrap();
        let mut rows = Vec::new();
        loop {
            let page = log.next(core).await.unwrap();
            if page.is_empty() {
                return rows;
            }
            rows.extend(page);
        }
    }

    pub async fn vote(
        &self,
        node: usize,
        voter: usize,
        (value, count): (i64, i64),
    ) -> Result<Voted, Error> {
        let core = &self.cores[node];
        let caller = viewer(core, voter).await;
        polls::vote(core, &caller, None, POLL, (value, count)).await
    }

    /// The numbers as a node tells them, and what a voter voted for last.
    pub async fn read(&self, node: usize, voter: usize) -> Voted {
        let core = &self.cores[node];
        let caller = viewer(core, voter).await;
        polls::votes(core, &caller, None, POLL).await.unwrap()
    }
}

fn client_id() -> ClientId {
    ClientId::new("e").unwrap()
}

fn world(clock: &Arc<ManualClock>, ground: &Ground, seed: u64) -> World {
    let store: Arc<dyn Store> = match ground {
        Ground::Memory(store) => store.clone(),
        Ground::Disk(directory) => {
            let options = SqliteOptions::default();
            SqliteStore::open(directory.path(), clock.clone(), options).unwrap()
        }
    };
    World {
        store,
        clock: clock.clone(),
        random: Arc::new(SeededRandom::from_seed(seed)),
        bus: Arc::new(LocalBus::new()),
    }
}

async fn open(world: &World, numbers: [u32; 2]) -> [Arc<Core>; 2] {
    let often = Rate::per_second(1_000_000, 1_000_000);
    let options = |node| CoreOptions {
        limits: Limits {
            votes: often,
            ..Limits::default()
        },
        node,
        ..CoreOptions::default()
    };
    let [one, other] = numbers;
    // A bus of its own each: votes must be right where no word comes from other nodes.
    let alone = || World {
        bus: Arc::new(LocalBus::new()),
        ..world.clone()
    };
    let one = Core::open(alone(), options(one)).await.unwrap();
    let other = Core::open(alone(), options(other)).await.unwrap();
    [one, other]
}

fn run(core: &Arc<Core>) -> JoinHandle<()> {
    let core = Arc::clone(core);
    tokio::spawn(async move { core.run(|_| {}).await })
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

/// Viewer number so and so.
pub async fn viewer(core: &Core, voter: usize) -> Caller {
    caller(core, Role::Viewer, &voter.to_string()).await
}

/// Whoever runs the channel.
pub async fn broadcaster(core: &Core) -> Caller {
    caller(core, Role::Broadcaster, CHANNEL).await
}
