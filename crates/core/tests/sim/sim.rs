//! The scheduler: one seed, one order of everything.
//!
//! Nothing runs by itself. Nodes do all that they can do until they wait; then the scheduler draws
//! what happens next: a call begins, one call of the store goes on, a message arrives or is lost,
//! time passes, something breaks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crowdlink_core::registry::{self, AddExtension};
use crowdlink_core::{Bus as _, Core, LocalBus, SeededRandom, World};
use crowdlink_store::MemoryStore;
use futures::FutureExt as _;
use parking_lot::Mutex;

use crate::dice::Dice;
use crate::faults::Weather;
use crate::feature::{Feature, Turn, client_id};
use crate::gates::{Fate, Gates, Parked, Side};
use crate::history::Clerk;
use crate::node::{Ground, Mood, Node};
use crate::observer::watched;
use crate::time::{NodeClock, Time};
use crate::trace::Trace;
use crate::wire::Wire;
use crate::{NODES, faults};

/// What the scheduler draws before it heals everything.
const STEPS: usize = 700;
/// Calls under way together.
const IN_FLIGHT_MAX: usize = 6;
/// How long a call of the store waits at most, on each side.
const HELD_MS_MAX: u64 = 200;
/// What it takes at most until everything is at rest.
const DRAIN_STEPS_MAX: usize = 50_000;

/// How a simulation ended.
#[derive(Debug)]
pub struct Ended {
    /// Of everything that happened.
    pub hash: u64,
    /// The last that happened, and what was wrong.
    pub failure: Option<String>,
}

pub struct Sim {
    pub dice: Dice,
    pub ground: Ground,
    pub nodes: Vec<Node>,
    clerk: Clerk,
    features: Vec<Box<dyn Feature>>,
    pub weather: Weather,
    /// How often days passed at once.
    pub jumps: usize,
}

/// Plays one seed.
pub fn play(seed: u64) -> Ended {
    let mut sim = Sim::new(seed);
    sim.ground.trace.say(&format!("seed {seed}"));
    sim.set_up();
    for _ in 0..STEPS {
        if sim.ground.trace.is_wrong() {
            break;
        }
        sim.step();
    }
    if !sim.ground.trace.is_wrong() {
        sim.finish();
    }
    Ended {
        hash: sim.ground.trace.hash(),
        failure: sim.ground.trace.failure(),
    }
}

impl Sim {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let time = Arc::new(Time::default());
        let trace = Trace::new(&time);
        let ground = Ground {
            seed,
            store: MemoryStore::new(NodeClock::new(&time, 0)),
            gates: Gates::new(&time),
            wire: Arc::new(Wire::default()),
            trace: Arc::clone(&trace),
            time,
        };
        let nodes = faults::nodes(&mut dice);
        let offsets_ms: Vec<_> = nodes.iter().map(|node: &Node| node.offset_ms).collect();
        let features = crate::features(&mut dice, &offsets_ms);
        let weather = Weather::draw(&mut dice);
        let in_flight = Arc::new(AtomicUsize::new(0));
        Self {
            dice,
            ground,
            nodes,
            clerk: Clerk { trace, in_flight },
            features,
            weather,
            jumps: 0,
        }
    }

    /// Registers the extension, starts the nodes and prepares every feature, with nothing failing.
    fn set_up(&mut self) {
        let world = World {
            store: self.ground.store.clone(),
            clock: NodeClock::new(&self.ground.time, 0),
            random: Arc::new(SeededRandom::from_seed(self.ground.seed)),
            bus: Arc::new(LocalBus::new()),
        };
        let request = AddExtension::new(client_id());
        let added = registry::add(&world, request).now_or_never();
        added.expect("a store that answers at once").unwrap();
        for node in &mut self.nodes {
            node.start(&self.ground);
        }
        self.drain();
        let core = self.nodes[0].core().expect("a node that is up");
        for feature in &mut self.features {
            let trace = Arc::clone(&self.ground.trace);
            let set_up = feature.set_up(Arc::clone(&core));
            self.nodes[0].spawn(async move {
                if let Err(error) = set_up.await {
                    trace.wrong(format!("nothing was prepared: {error:?}"));
                }
            });
        }
        self.nodes[0].settle();
        self.drain();
        // Long enough for every node to read the registry again.
        self.pass_ms(2_000);
        self.drain();
    }

    fn in_flight(&self) -> usize {
        self.clerk.in_flight.load(Ordering::SeqCst)
    }

    /// Whether no call is under way.
    pub fn is_at_rest(&self) -> bool {
        self.in_flight() == 0
    }

    /// Draws what happens next.
    fn step(&mut self) {
        let parked = self.ground.gates.parked();
        let busy = self.ground.wire.busy();
        let gaps = self.ground.wire.gaps();
        let room = self.in_flight() < IN_FLIGHT_MAX;
        let weights = [
            if room { 40 } else { 0 },
            if parked.is_empty() { 0 } else { 100 },
            if busy.is_empty() { 0 } else { 40 },
            if gaps.is_empty() { 0 } else { 5 },
            25,
            8,
        ];
        match self.dice.weighted(&weights) {
            Some(0) => self.act(),
            Some(1) => {
                let one = self.dice.below(parked.len());
                self.open(parked[one]);
            }
            Some(2) => {
                let link = self.dice.pick(&busy);
                self.carry(link);
            }
            Some(3) => {
                let to = self.dice.pick(&gaps);
                self.tell_gap(to);
            }
            Some(4) => self.pass(),
            _ => faults::strike(self),
        }
    }

    /// One call of one feature on one node.
    fn act(&mut self) {
        let index = self.dice.below(NODES);
        let feature = self.dice.below(self.features.len());
        let Some(core) = self.nodes[index].core() else {
            return;
        };
        let act = |feature: &mut dyn Feature, turn: &mut Turn<'_>| feature.act(turn);
        self.turn((index, core), feature, act);
    }

    fn turn(
        &mut self,
        (index, core): (usize, Arc<Core>),
        feature: usize,
        what: impl FnOnce(&mut dyn Feature, &mut Turn<'_>),
    ) {
        let mut turn = Turn {
            dice: &mut self.dice,
            node: &self.nodes[index],
            core,
            clerk: &self.clerk,
            ground: &self.ground,
        };
        what(&mut *self.features[feature], &mut turn);
        self.nodes[index].settle();
    }

    /// Lets a call of the store go on, in the way that the mood of its node draws.
    fn open(&mut self, parked: Parked) {
        let before = parked.side == Side::Before;
        let (fails, waits_after) = match self.nodes[parked.node].mood {
            Mood::Calm => (false, self.dice.chance(400)),
            Mood::Flaky(refused, unknown) => {
                let per_mille = if before { refused } else { unknown };
                (self.dice.chance(per_mille), self.dice.chance(700))
            }
            Mood::CutOff => (true, false),
        };
        let fate = Fate {
            fails,
            waits_after: before && waits_after,
        };
        let node = &mut self.nodes[parked.node];
        if fails {
            node.trouble_ms = self.ground.time.now_ms();
        }
        self.ground.gates.open(parked.id, fate);
        node.settle();
    }

    /// The next message of a link arrives, or does not.
    fn carry(&mut self, link: (usize, usize)) {
        let wire = Arc::clone(&self.ground.wire);
        let lost = wire.is_cut(link) || self.dice.chance(self.weather.lost);
        self.ground.trace.note((link, lost));
        if lost {
            wire.lose(link);
            return;
        }
        if let (Some(message), Some(bus)) = (wire.take(link), self.nodes[link.1].bus()) {
            bus.local.publish(message);
        }
        self.nodes[link.1].settle();
    }

    fn tell_gap(&mut self, to: usize) {
        self.ground.wire.told(to);
        self.ground.trace.note(("gap", to));
        if let Some(bus) = self.nodes[to].bus() {
            bus.local.lose();
        }
        self.nodes[to].settle();
    }

    /// A little time passes, unless a call waits too long for that: then it waits no longer.
    fn pass(&mut self) {
        let ms = match self.dice.below(4) {
            0 | 1 => self.dice.between(1, 20),
            2 => self.dice.between(20, 150),
            _ => self.dice.between(150, 1_500),
        };
        let now_ms = self.ground.time.now_ms();
        let parked = self.ground.gates.parked();
        match parked.first() {
            Some(oldest) if oldest.since_ms + HELD_MS_MAX < now_ms + ms => {
                let oldest = *oldest;
                self.open(oldest);
            }
            _ => self.pass_ms(ms),
        }
    }

    /// Time passes, on all nodes.
    pub fn pass_ms(&mut self, ms: u64) {
        self.ground.trace.note(ms);
        self.ground.time.advance_ms(ms);
        self.nodes.iter().for_each(Node::settle);
    }

    /// Everything that waits for nothing but the scheduler happens.
    pub fn drain(&mut self) {
        for _ in 0..DRAIN_STEPS_MAX {
            if let Some(parked) = self.ground.gates.parked().first() {
                let parked = *parked;
                self.open(parked);
            } else if let Some(link) = self.ground.wire.busy().first() {
                let link = *link;
                self.carry(link);
            } else if let Some(to) = self.ground.wire.gaps().first() {
                let to = *to;
                self.tell_gap(to);
            } else {
                return;
            }
        }
        self.ground
            .trace
            .wrong("it does not come to rest".to_owned());
    }

    /// Everything heals; what is held must then be the same everywhere, and right.
    fn finish(&mut self) {
        self.ground.trace.say("everything heals");
        faults::heal(self);
        self.drain();
        // Those who wait for a moment to try again.
        for _ in 0..6 {
            self.pass_ms(1_100);
            self.drain();
        }
        if self.in_flight() > 0 {
            let wrong = format!("{} calls were never answered", self.in_flight());
            self.ground.trace.wrong(wrong);
        }
        for index in 0..NODES {
            let Some(core) = self.nodes[index].core() else {
                let wrong = format!("n{index} does not come up again");
                return self.ground.trace.wrong(wrong);
            };
            for feature in 0..self.features.len() {
                let read_all = |feature: &mut dyn Feature, turn: &mut Turn<'_>| {
                    feature.read_all(turn);
                };
                self.turn((index, Arc::clone(&core)), feature, read_all);
            }
        }
        self.drain();
        for feature in &self.features {
            if let Err(wrong) = feature.verify(&self.ground) {
                self.ground.trace.wrong(wrong);
            }
        }
        self.compare_observers();
    }

    /// Whoever subscribed has seen the last of everything in the end. What is gone because its
    /// time was over nobody tells.
    fn compare_observers(&mut self) {
        let newest: Arc<Mutex<BTreeMap<String, u64>>> = Arc::default();
        let Some(core) = self.nodes[0].core() else {
            return;
        };
        let (found, trace) = (Arc::clone(&newest), Arc::clone(&self.ground.trace));
        self.nodes[0].spawn(async move {
            for (name, watched) in watched() {
                match watched.version(&core).await {
                    Ok(version) => drop(found.lock().insert(name, version)),
                    Err(error) => trace.wrong(format!("{name} cannot be read: {error}")),
                }
            }
        });
        self.nodes[0].settle();
        self.drain();
        let newest = newest.lock();
        for node in &self.nodes {
            let seen = node.observer().map(|observer| observer.seen());
            for (name, version) in newest.iter().filter(|(_, version)| **version != 0) {
                let last = seen.as_ref().and_then(|seen| seen.get(name));
                if last != Some(version) {
                    let index = node.index;
                    let wrong = format!("n{index} saw {name} last at {last:?}, not {version}");
                    self.ground.trace.wrong(wrong);
                }
            }
        }
    }
}
