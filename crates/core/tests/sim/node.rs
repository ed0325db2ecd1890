//! A node: a runtime of its own, so that a crash takes every task with it.

use std::sync::Arc;
use std::task::{Poll, Waker};

use crowdlink_core::{Core, CoreOptions, Limits, Notice, Rate, SeededRandom, World};
use crowdlink_store::MemoryStore;
use parking_lot::Mutex;
use tokio::runtime::{Builder, Runtime};

use crate::gates::Gates;
use crate::observer::Observer;
use crate::store::FaultyStore;
use crate::time::{NodeClock, Time};
use crate::trace::Trace;
use crate::wire::{NodeBus, Wire};

/// What all nodes stand on.
pub struct Ground {
    pub seed: u64,
    pub time: Arc<Time>,
    pub trace: Arc<Trace>,
    pub store: Arc<MemoryStore>,
    pub gates: Arc<Gates>,
    pub wire: Arc<Wire>,
}

/// How the store treats a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Calm,
    /// Calls that fail, before and after, per mille.
    Flaky(usize, usize),
    /// All do.
    CutOff,
}

/// Tells when a runtime has nothing left to do.
#[derive(Default)]
struct Idle(Mutex<(bool, Option<Waker>)>);

impl Idle {
    /// Called whenever the runtime is about to sleep.
    fn parks(&self) {
        let mut inner = self.0.lock();
        inner.0 = true;
        if let Some(waker) = inner.1.take() {
            waker.wake();
        }
    }
}

struct Running {
    runtime: Runtime,
    idle: Arc<Idle>,
    bus: Arc<NodeBus>,
    core: Arc<Mutex<Option<Arc<Core>>>>,
    observer: Arc<Observer>,
}

pub struct Node {
    pub index: usize,
    /// The name of its tallies.
    pub number: u32,
    pub offset_ms: i64,
    pub mood: Mood,
    /// When the store last failed it, or it was not up (ms since the beginning).
    pub trouble_ms: u64,
    starts: u64,
    running: Option<Running>,
}

impl Node {
    pub fn new(index: usize, number: u32, offset_ms: i64) -> Self {
        Self {
            index,
            number,
            offset_ms,
            mood: Mood::Calm,
            trouble_ms: 0,
            starts: 0,
            running: None,
        }
    }

    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Starts it; it takes calls once it could read the store.
    pub fn start(&mut self, ground: &Ground) {
        self.starts += 1;
        let idle = Arc::new(Idle::default());
        let parks = Arc::clone(&idle);
        let runtime = Builder::new_current_thread()
            .on_thread_park(move || parks.parks())
            .build()
            .unwrap();
        let bus = NodeBus::new(self.index, &ground.wire);
        let random = ground.seed ^ (self.starts * 1_000 + self.index as u64) << 32;
        let world = World {
            store: Arc::new(FaultyStore {
                node: self.index,
                inner: Arc::clone(&ground.store),
                gates: Arc::clone(&ground.gates),
                trace: Arc::clone(&ground.trace),
            }),
            clock: NodeClock::new(&ground.time, self.offset_ms),
            random: Arc::new(SeededRandom::from_seed(random)),
            bus: bus.clone(),
        };
        let (core, observer) = (Arc::default(), Observer::new(self.index, &ground.trace));
        runtime.spawn(live(
            world,
            self.number,
            Arc::clone(&core),
            Arc::clone(&observer),
        ));
        self.running = Some(Running {
            runtime,
            idle,
            bus,
            core,
            observer,
        });
        self.settle();
    }

    /// Ends it with everything that it was doing.
    pub fn crash(&mut self) {
        self.running = None;
    }

    /// Lets it do all that it can do now.
    pub fn settle(&self) {
        let Some(Running { runtime, idle, .. }) = &self.running else {
            return;
        };
        idle.0.lock().0 = false;
        runtime.block_on(std::future::poll_fn(|context| {
            let mut inner = idle.0.lock();
            if inner.0 {
                return Poll::Ready(());
            }
            inner.1 = Some(context.waker().clone());
            Poll::Pending
        }));
    }

    /// Its domain, once it takes calls.
    pub fn core(&self) -> Option<Arc<Core>> {
        self.running.as_ref()?.core.lock().clone()
    }

    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(running) = &self.running {
            running.runtime.spawn(task);
        }
    }

    pub fn bus(&self) -> Option<&NodeBus> {
        self.running.as_ref().map(|running| &*running.bus)
    }

    pub fn observer(&self) -> Option<Arc<Observer>> {
        self.running
            .as_ref()
            .map(|running| Arc::clone(&running.observer))
    }
}

fn options(node: u32) -> CoreOptions {
    let often = Rate::per_second(1_000_000, 1_000_000);
    CoreOptions {
        limits: Limits {
            votes: often,
            pin_channel: often,
            pin_address: often,
            pin_extension: often,
            ..Limits::default()
        },
        sign_receipts: true,
        node,
        ..CoreOptions::default()
    }
}

async fn live(
    world: World,
    number: u32,
    slot: Arc<Mutex<Option<Arc<Core>>>>,
    observer: Arc<Observer>,
) {
    let core = loop {
        match Core::open(world.clone(), options(number)).await {
            Ok(core) => break core,
            Err(_) => world.clock.sleep_ms(500).await,
        }
    };
    *slot.lock() = Some(Arc::clone(&core));
    let notice = |notice: Notice| observer.hear(notice);
    tokio::join!(core.run(notice), observer.run(&core));
}
