//! The domain as one thing: what it was handed, and what it holds in memory.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use crowdlink_protocol::{ClientId, Stage};
use futures::FutureExt as _;
use parking_lot::RwLock;
use quick_cache::sync::Cache;
use serde::de::DeserializeOwned;
use tokio::sync::{Notify, Semaphore};

use crate::accumulate;
use crate::broadcast::{self, Broadcast};
use crate::bus::{Delivery, Message};
use crate::caller::Caller;
use crate::codes;
use crate::combine::Combiner;
use crate::datastream::{self, InFlight, Streamed};
use crate::error::Error;
use crate::gateway::Views;
use crate::guess::Guesses;
use crate::json_store::{self, JsonStoreWritten};
use crate::limits::{Lifetimes, Limits};
use crate::matches::{self, MatchPollNews};
use crate::matchmaking::{self, Joined};
use crate::missed::HeardCommits;
use crate::polls::{self, PollNews, Polls};
use crate::presence::Presence;
use crate::purchases::{self, Purchased, Settled};
use crate::rank;
use crate::rate::Rates;
use crate::registry::{self, AddExtension, Extension, Registry};
use crate::runs;
use crate::shared::{CHANGED_TOPIC, Changed, Place, SharedDocuments, Snapshot};
use crate::tokens::{self, Askers, Revocations, Verdicts};
use crate::trivia::{self, Trivia, TriviaChanged};
use crate::turns::Turns;
use crate::world::World;

/// Most users remembered as noted.
const KNOWN_USERS_MAX: usize = 100_000;
/// How often the registry and the revocations are read again.
const REFRESH_MS: u64 = 1_000;
/// Where the bus carries that a node began. One that ended may have committed what it never told.
const BEGAN_TOPIC: &str = "began";
/// How often a node that hears nothing of the others looks at what its connections subscribed to.
const DEAF_LOOK_MS: u64 = 5_000;
/// Messages of the bus that are heard together.
const HEARD_TOGETHER_MAX: usize = 4_096;

/// How a deployment differs from another.
#[derive(Clone, Copy, Debug, Default)]
pub struct CoreOptions {
    /// Lifetimes.
    pub lifetimes: Lifetimes,
    /// Limits and rates.
    pub limits: Limits,
    /// Whether the sandbox registers client ids that it does not know: for development.
    pub auto_register: bool,
    /// Whether the sandbox signs receipts for pages that run with no platform (`spec 4.4`).
    pub sign_receipts: bool,
    /// The number of this node among those of a cluster. Nodes of one number are right all the
    /// same, and in each other's way.
    pub node: u32,
}

/// The domain. Feature functions take it as their first argument.
#[derive(Debug)]
pub struct Core {
    pub(crate) world: World,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) limits: Limits,
    auto_register: bool,
    pub(crate) signs_receipts: bool,
    node: String,
    registry: RwLock<Arc<Registry>>,
    pub(crate) verdicts: Verdicts,
    pub(crate) revocations: Revocations,
    pub(crate) guesses: Guesses,
    pub(crate) rates: Rates,
    pub(crate) askers: Askers,
    pub(crate) presence: Presence,
    pub(crate) shared: Arc<SharedDocuments>,
    pub(crate) polls: Arc<Polls>,
    /// Of those who change a match.
    pub(crate) match_turns: Turns,
    pub(crate) trivia: Arc<Trivia>,
    pub(crate) known_users: Arc<Cache<String, ()>>,
    pub(crate) accumulate: Arc<Combiner<accumulate::Entry, ()>>,
    pub(crate) rank: Arc<Combiner<rank::Operation, Option<String>>>,
    pub(crate) redeem: Arc<Combiner<String, codes::Given>>,
    pub(crate) uploads: Semaphore,
    pub(crate) in_flight: InFlight,
    pub(crate) views: Views,
    pub(crate) tills: Arc<Combiner<purchases::Operation, purchases::Outcome>>,
    heard: HeardCommits,
}

/// Figures for operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoreStats {
    /// Wrong PINs so far.
    pub pin_failures: u64,
    /// Tries that met a tightened extension so far.
    pub pin_tightened: u64,
    /// Extensions registered.
    pub extensions: usize,
    /// Times that word of other nodes was lost. What it told of documents, polls and the like is
    /// found in the store; events of a stream are gone.
    pub bus_losses: u64,
}

/// What happened that open connections must hear of.
#[derive(Clone, Debug)]
pub enum Notice {
    /// Credentials ended: close what rests on them.
    Ended(Ended),
    /// A document changed: tell who subscribed.
    Changed(Changed),
    /// A value of the JSON store was written: tell the viewers.
    JsonStoreWritten(JsonStoreWritten),
    /// Somebody broadcast: tell the viewers.
    Broadcast(Broadcast),
    /// Something happened to a poll.
    Poll(PollNews),
    /// Something happened to the poll of a match.
    MatchPoll(MatchPollNews),
    /// A question of a contest changed its state: tell the viewers.
    TriviaChanged(TriviaChanged),
    /// A viewer sent something to the game.
    Streamed(Streamed),
    /// Something was bought: tell the games.
    Purchased(Box<Purchased>),
    /// A purchase is settled.
    Settled(Settled),
    /// A viewer wants to play: tell the games.
    Joined(Joined),
    /// Word of some changes was lost: look at everything that is subscribed. A commit with a version
    /// up to this one needs no second look.
    MayHaveChanged(u64),
}

/// What one message of the bus tells.
enum Heard {
    Revoked(String),
    Notice(Notice),
    /// A node began, this one or another.
    Began(String),
}

/// Credentials that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Tokens, families or grants were revoked. Many at once, for whoever hears it looks at every
    /// connection.
    Revoked(HashSet<String>),
    /// Word of some revocations was lost: look at every connection's credentials.
    RevocationsMissed,
    /// An extension is gone.
    ExtensionRemoved(ClientId),
}

impl Core {
    /// Opens the domain on a store, which gets a key ring if it has none.
    pub async fn open(world: World, options: CoreOptions) -> Result<Arc<Self>, Error> {
        let registry = Registry::load(&world).await?;
        let node = world.id();
        let core = Arc::new(Self {
            rates: Rates::new(&options.limits, &world.clock),
            shared: SharedDocuments::new(world.clone()),
            polls: Polls::new(world.clone(), &options),
            match_turns: Turns::new(),
            trivia: Trivia::new(&world),
            world,
            lifetimes: options.lifetimes,
            limits: options.limits,
            auto_register: options.auto_register,
            signs_receipts: options.sign_receipts,
            node: node.clone(),
            registry: RwLock::new(Arc::new(registry)),
            verdicts: Verdicts::new(),
            revocations: Revocations::default(),
            guesses: Guesses::new(),
            askers: Askers::new(),
            presence: Presence::default(),
            known_users: Arc::new(Cache::new(KNOWN_USERS_MAX)),
            accumulate: Combiner::new(),
            rank: Combiner::new(),
            redeem: Combiner::new(),
            uploads: Semaphore::new(codes::UPLOADS_AT_ONCE_MAX),
            in_flight: InFlight::new(node),
            views: Views::new(),
            tills: Combiner::new(),
            heard: HeardCommits::default(),
        });
        tokens::catch_up(&core, 0).await?;
        Ok(core)
    }

    /// What was handed in.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// What this node calls itself among those that share a store: another name at each start.
    pub(crate) fn node(&self) -> &str {
        &self.node
    }

    /// Limits and rates.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Lifetimes.
    pub fn lifetimes(&self) -> &Lifetimes {
        &self.lifetimes
    }

    /// Which paired games are connected here.
    pub fn presence(&self) -> &Presence {
        &self.presence
    }

    /// Reads a document for those who were found fit to be told of its changes.
    pub async fn read_document(&self, place: &Place) -> Result<Arc<Snapshot>, Error> {
        self.shared.read(place).await
    }

    /// Figures for operators.
    pub fn stats(&self) -> CoreStats {
        CoreStats {
            pin_failures: self.guesses.failures(),
            pin_tightened: self.guesses.tightened(),
            extensions: self.registry().extensions.len(),
            bus_losses: self.heard.losses(),
        }
    }

    pub(crate) fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry.read())
    }

    /// Grows with every change of the registry.
    pub(crate) fn registry_generation(&self) -> u64 {
        self.registry.read().generation
    }

    /// Every registered extension, by id.
    pub fn extensions(&self) -> Vec<Arc<Extension>> {
        let mut all: Vec<_> = self.registry().extensions.values().cloned().collect();
        all.sort_by(|a, b| a.client_id.cmp(&b.client_id));
        all
    }

    /// The extension of a client id, if it exists on a stage. A development server registers the
    /// ones it does not know, in the sandbox.
    pub async fn extension(
        &self,
        stage: Stage,
        client_id: &ClientId,
    ) -> Result<Option<Arc<Extension>>, Error> {
        let known = self.registry().extensions.get(client_id).cloned();
        if let Some(extension) = known {
            return Ok(extension.is_on(stage).then_some(extension));
        }
        if !self.auto_register || stage != Stage::Sandbox {
            return Ok(None);
        }
        let auto = |extension: &&Arc<Extension>| extension.auto_registered;
        let count = self.registry().extensions.values().filter(auto).count();
        if count >= self.limits.auto_registered_extensions_max {
            return Ok(None);
        }
        let request = AddExtension {
            auto_registered: true,
            ..AddExtension::new(client_id.clone())
        };
        match registry::add(&self.world, request).await {
            Ok(_) => tracing::info!(%client_id, "registered in the sandbox"),
            // Somebody else did just now.
            Err(Error::Invalid { .. }) => {}
            Err(error) => return Err(error),
        }
        self.reload().await?;
        Ok(self.registry().extensions.get(client_id).cloned())
    }

    /// Takes one from the rate of a REST caller (`spec 5`).
    pub fn take_rest(&self, caller: &Caller) -> Result<(), Error> {
        self.rates.rest.take(Arc::clone(&caller.rate_key))
    }

    /// Takes one from the rate of somebody who votes (`spec 5`).
    pub(crate) fn take_vote(&self, caller: &Caller) -> Result<(), Error> {
        self.rates.votes.take(Arc::clone(&caller.rate_key))
    }

    /// Re-reads the registry if it changed; answers with the extensions that went.
    pub async fn reload(&self) -> Result<Vec<ClientId>, Error> {
        let before = self.registry();
        if Registry::generation(&self.world).await? == before.generation {
            return Ok(Vec::new());
        }
        let now = Arc::new(Registry::load(&self.world).await?);
        let gone = before
            .extensions
            .keys()
            .filter(|id| !now.extensions.contains_key(*id));
        let gone = gone.cloned().collect();
        *self.registry.write() = now;
        Ok(gone)
    }

    /// Takes note of what the bus carries.
    fn hear(&self, message: &Message) -> Option<Heard> {
        match message.topic.as_str() {
            tokens::REVOKED_TOPIC => {
                let id = String::from_utf8(message.payload.to_vec()).ok()?;
                self.revocations
                    .hear(&id, tokens::revocation_until_ms(self));
                Some(Heard::Revoked(id))
            }
            CHANGED_TOPIC => {
                let changed: Changed = serde_json::from_slice(&message.payload).ok()?;
                self.shared.hear(&changed);
                self.hear_commit(changed.version);
                Some(Heard::Notice(Notice::Changed(changed)))
            }
            json_store::TOPIC => {
                let written: JsonStoreWritten = serde_json::from_slice(&message.payload).ok()?;
                self.hear_commit(written.version);
                Some(Heard::Notice(Notice::JsonStoreWritten(written)))
            }
            broadcast::TOPIC => told(message, Notice::Broadcast),
            polls::TOPIC => told(message, |news: PollNews| {
                self.polls.hear(&news);
                self.hear_commit(news.version);
                Notice::Poll(news)
            }),
            matches::TOPIC => told(message, Notice::MatchPoll),
            trivia::TOPIC => told(message, |changed: TriviaChanged| {
                self.hear_commit(changed.version);
                Notice::TriviaChanged(changed)
            }),
            datastream::TOPIC => told(message, |streamed| {
                self.in_flight.heard(&streamed);
                Notice::Streamed(streamed)
            }),
            purchases::PURCHASED_TOPIC => {
                told(message, |purchased| Notice::Purchased(Box::new(purchased)))
            }
            purchases::SETTLED_TOPIC => told(message, Notice::Settled),
            matchmaking::TOPIC => told(message, Notice::Joined),
            BEGAN_TOPIC => {
                let node = String::from_utf8(message.payload.to_vec()).ok()?;
                Some(Heard::Began(node))
            }
            _ => None,
        }
    }

    fn hear_commit(&self, version: u64) {
        self.heard.hear(version, self.world.clock.monotonic_ms());
    }

    /// Word was lost, or none comes: nothing that memory holds of the store is believed.
    fn doubt(&self, notify: &impl Fn(Notice)) {
        self.shared.doubt();
        let since = self.heard.sure_until(self.world.clock.monotonic_ms());
        notify(Notice::MayHaveChanged(since));
    }

    /// Keeps memory in step with the store and the bus, and tells `notify` what concerns open
    /// connections. Runs until it is dropped.
    pub async fn run(&self, notify: impl Fn(Notice)) {
        let missed = Notify::new();
        // Loops of their own: a store that is slow must not hold back what the bus carries, nor
        // what is removed at leisure hold back what is looked at every second.
        tokio::join!(
            self.listen(&notify, &missed),
            self.look(&notify, &missed),
            self.sweep_runs()
        );
    }

    /// Removes rows of dead runs, every minute.
    async fn sweep_runs(&self) {
        loop {
            self.world.clock.sleep_ms(runs::SWEEP_MS).await;
            if let Err(error) = runs::sweep(&self.world).await {
                tracing::warn!(%error, "rows of dead runs could not be removed");
            }
        }
    }

    async fn listen(&self, notify: &impl Fn(Notice), missed: &Notify) {
        let mut bus = self.world.bus.subscribe();
        let this = self.world.id();
        self.world.bus.publish(Message {
            topic: BEGAN_TOPIC.to_owned(),
            payload: Bytes::from(this.clone()),
        });
        let lost = || {
            self.in_flight.lost();
            self.heard.lost();
            self.doubt(notify);
            missed.notify_one();
        };
        while let Some(first) = bus.next().await {
            let mut revoked = HashSet::new();
            let mut next = Some(first);
            let mut heard = 0;
            // All that waits already is heard together, as far as the bus can be behind.
            while let Some(delivery) = next {
                match delivery {
                    Delivery::Message(message) => match self.hear(&message) {
                        Some(Heard::Revoked(id)) => {
                            revoked.insert(id);
                        }
                        Some(Heard::Notice(notice)) => notify(notice),
                        Some(Heard::Began(node)) if node != this => lost(),
                        Some(Heard::Began(_)) | None => {}
                    },
                    Delivery::Lost => lost(),
                }
                heard += 1;
                next = None;
                if heard < HEARD_TOGETHER_MAX {
                    next = bus.next().now_or_never().flatten();
                }
            }
            if !revoked.is_empty() {
                notify(Notice::Ended(Ended::Revoked(revoked)));
            }
        }
    }

    /// Looks at the registry and at the log of revocations, every second and when word was lost.
    async fn look(&self, notify: &impl Fn(Notice), missed: &Notify) {
        let mut revoked_until_ms = 0;
        let mut lost_word = false;
        let mut heard_ms = self.world.clock.monotonic_ms();
        loop {
            tokio::select! {
                // In this order, not in one drawn anew each time: simulations replay.
                biased;
                () = missed.notified() => lost_word = true,
                () = self.world.clock.sleep_ms(REFRESH_MS) => {}
            }
            let now_ms = self.world.clock.monotonic_ms();
            if self.world.bus.is_up() {
                heard_ms = now_ms;
            } else if now_ms >= heard_ms + DEAF_LOOK_MS {
                heard_ms = now_ms;
                self.doubt(notify);
            }
            match self.reload().await {
                Ok(gone) => {
                    for client_id in gone {
                        notify(Notice::Ended(Ended::ExtensionRemoved(client_id)));
                    }
                }
                Err(error) => tracing::warn!(%error, "the registry could not be read again"),
            }
            match tokens::catch_up(self, revoked_until_ms).await {
                Ok(newest_ms) => {
                    revoked_until_ms = newest_ms;
                    // The log tells only news, and what this node revoked itself is none to it.
                    if std::mem::take(&mut lost_word) {
                        notify(Notice::Ended(Ended::RevocationsMissed));
                    }
                }
                Err(error) => tracing::warn!(%error, "revocations could not be read again"),
            }
            self.revocations.forget_expired(self.world.now_ms());
            self.rates.tidy();
        }
    }
}

/// What a message tells, as a notice; `None` where it is none.
fn told<T: DeserializeOwned>(message: &Message, notice: impl Fn(T) -> Notice) -> Option<Heard> {
    let told = serde_json::from_slice(&message.payload).ok()?;
    Some(Heard::Notice(notice(told)))
}
