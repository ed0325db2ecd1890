//! What the simulation found, told by hand.

use std::sync::Arc;

use crowdlink_core::registry::{self, AddExtension};
use crowdlink_core::state::{self, StateId, StateOf};
use crowdlink_core::{
    Bus, Core, CoreOptions, Delivery, LocalBus, Message, Notice, SeededRandom, World,
};
use crowdlink_store::MemoryStore;
use parking_lot::Mutex;

use crate::feature::{broadcaster, client_id};
use crate::time::{NodeClock, Time};

const CHANNEL: &str = "42";

/// A node and the end of its bus. What one publishes does not reach the other.
struct Alone {
    core: Arc<Core>,
    bus: Arc<LocalBus>,
    heard: Arc<Mutex<Vec<Notice>>>,
}

impl Alone {
    async fn start(store: &Arc<MemoryStore>, time: &Arc<Time>, seed: u64) -> Self {
        let bus = Arc::new(LocalBus::new());
        let world = World {
            store: store.clone(),
            clock: NodeClock::new(time, 0),
            random: Arc::new(SeededRandom::from_seed(seed)),
            bus: bus.clone(),
        };
        let request = AddExtension::new(client_id());
        // The second finds it.
        let _ = registry::add(&world, request).await;
        let core = Core::open(world, CoreOptions::default()).await.unwrap();
        Self {
            core,
            bus,
            heard: Arc::default(),
        }
    }

    /// Listens from now on.
    async fn run(&self) {
        let (core, heard) = (Arc::clone(&self.core), Arc::clone(&self.heard));
        tokio::spawn(async move { core.run(|notice| heard.lock().push(notice)).await });
        tokio::task::yield_now().await;
    }

    /// Waits until it was told that it may have missed something.
    async fn is_told(&self) {
        let told = |notice: &Notice| matches!(notice, Notice::MayHaveChanged(_));
        while !self.heard.lock().iter().any(told) {
            tokio::task::yield_now().await;
        }
    }

    async fn read(&self) -> u64 {
        let owner = broadcaster(&self.core, CHANNEL).await;
        let state = state::read(&self.core, &owner, STATE).await;
        state.unwrap().version
    }

    async fn write(&self) -> u64 {
        let owner = broadcaster(&self.core, CHANNEL).await;
        let json = br#"{"a":1}"#;
        let written = state::replace(&self.core, &owner, STATE, json, None).await;
        written.unwrap().version
    }
}

const STATE: StateOf<'_> = StateOf {
    id: StateId::Channel,
    channel: None,
};

async fn two() -> [Alone; 2] {
    let time = Arc::new(Time::default());
    let store = MemoryStore::new(NodeClock::new(&time, 0));
    let one = Alone::start(&store, &time, 1).await;
    [one, Alone::start(&store, &time, 2).await]
}

#[tokio::test]
async fn whoever_is_told_that_word_was_lost_finds_the_newest() {
    let [one, other] = two().await;
    one.run().await;
    assert_eq!(one.read().await, 0);
    let version = other.write().await;
    // Within the second in which memory is believed.
    assert_eq!(one.read().await, 0);
    one.bus.lose();
    one.is_told().await;
    assert_eq!(one.read().await, version);
}

#[tokio::test]
async fn a_node_that_begins_tells_the_others_that_it_may_have_ended_without_a_word() {
    let [one, other] = two().await;
    let mut carried = other.bus.subscribe();
    one.run().await;
    assert_eq!(one.read().await, 0);
    let version = other.write().await;
    // What it told of that is lost; then it begins again.
    let Some(Delivery::Message(_)) = carried.next().await else {
        panic!("nothing was told of the write");
    };
    other.run().await;
    let Some(Delivery::Message(began)) = carried.next().await else {
        panic!("nothing was told of the beginning");
    };
    one.bus.publish(began);
    one.is_told().await;
    assert_eq!(one.read().await, version);
    let own = |notice: &Notice| matches!(notice, Notice::MayHaveChanged(_));
    assert!(
        !other.heard.lock().iter().any(own),
        "its own beginning is none"
    );
}

#[tokio::test]
async fn word_of_an_unknown_outcome_reaches_the_memory_of_other_nodes() {
    let [one, other] = two().await;
    let mut carried = other.bus.subscribe();
    one.run().await;
    assert_eq!(one.read().await, 0);
    let version = other.write().await;
    let Some(Delivery::Message(Message { topic, payload })) = carried.next().await else {
        panic!("nothing was told of the write");
    };
    // As it is told where the answer to the commit was lost: without a version.
    let told = String::from_utf8(payload.to_vec()).unwrap();
    let unknown = told.replace(&format!(r#""version":{version}"#), r#""version":0"#);
    assert_ne!(told, unknown);
    one.bus.publish(Message {
        topic,
        payload: unknown.into(),
    });
    while one.read().await != version {
        tokio::task::yield_now().await;
    }
}
