//! Reads what changed and tells it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crowdlink_core::gateway;
use crowdlink_core::json_store::JsonStoreWritten;
use crowdlink_core::trivia::TriviaChanged;
use crowdlink_core::{Core, Notice, Place};
use crowdlink_protocol::QuestionState;
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::Notify;

use super::due::Due;
use super::feeds::Feeds;
use super::frames::{game_frame, game_topic, viewer_event};
use super::missed::Missed;
use super::newest::Newest;
use super::polls::{PollPump, PollRhythm};
use super::ways::{Audience, Kind, Viewers};
use crate::live::{Live, SlotKey};

/// Time between two events of one document to viewers (`spec 4.3`).
const VIEWERS_PAUSE_MS: u64 = 500;
/// Documents watched before the first look for those that nobody hears of any more.
const WATCHED_MIN: usize = 1_024;
/// When a document that could not be read is tried again.
const RETRY_MS: u64 = 250;

/// Carries changes to those who subscribed.
#[derive(Debug)]
pub struct Pump {
    core: Arc<Core>,
    live: Arc<Live>,
    viewers: Arc<Viewers>,
    due: Mutex<Due>,
    woken: Notify,
    /// What games subscribed to, and the version they heard of last.
    watched: Mutex<Watched>,
    polls: Arc<PollPump>,
    missed: Missed,
    newest: Newest,
    /// What is told to games as it comes.
    pub feeds: Feeds,
}

#[derive(Debug, Default)]
struct Watched {
    told: HashMap<Place, u64>,
    /// How many there were after the last look for those that nobody hears of any more.
    kept: usize,
}

impl Pump {
    /// A pump at rest; [`Pump::run`] sets it going.
    pub fn new(
        core: Arc<Core>,
        live: Arc<Live>,
        viewers: Viewers,
        rhythm: PollRhythm,
    ) -> Arc<Self> {
        let viewers = Arc::new(viewers);
        let polls = PollPump::new(
            Arc::clone(&core),
            Arc::clone(&live),
            Arc::clone(&viewers),
            rhythm,
        );
        Arc::new(Self {
            polls: Arc::new(polls),
            core,
            viewers,
            due: Mutex::default(),
            woken: Notify::new(),
            watched: Mutex::default(),
            missed: Missed::default(),
            newest: Newest::default(),
            feeds: Feeds::new(&live),
            live,
        })
    }

    /// What is told of polls.
    pub fn polls(&self) -> &PollPump {
        &self.polls
    }

    /// A game subscribes to a document: what it hears next is what changes from now on.
    pub fn watch(&self, place: Place) {
        let mut watched = self.watched.lock();
        watched.told.entry(place).or_insert(0);
        // Games go without a word: seen when there are twice as many places as were left last.
        if watched.told.len() > (watched.kept * 2).max(WATCHED_MIN) {
            let hub = self.live.hub();
            watched.told.retain(|place, _| {
                game_topic(place).is_some_and(|topic| hub.subscribers(&topic) > 0)
            });
            watched.kept = watched.told.len();
        }
    }

    /// Takes note of what happened. Never waits.
    pub fn notice(&self, notice: Notice) {
        match notice {
            Notice::Changed(changed) => self.mark([gateway::told_as(changed.place)]),
            Notice::JsonStoreWritten(written) => self.tell_written(written),
            Notice::Broadcast(broadcast) => self.viewers.pass_on(broadcast),
            Notice::TriviaChanged(changed) => self.tell_trivia(changed),
            Notice::MayHaveChanged(since) => {
                self.missed.note(since);
                self.polls.look_again(since);
            }
            Notice::Poll(news) => self.polls.hear(news),
            Notice::MatchPoll(news) => self.polls.matches().hear(news),
            Notice::Streamed(streamed) => self.feeds.streamed(streamed),
            Notice::Purchased(purchased) => self.feeds.purchased(&purchased),
            Notice::Settled(settled) => self.feeds.settled(&settled),
            Notice::Joined(joined) => self.feeds.joined(&joined),
            Notice::Ended(_) => {}
        }
    }

    /// The documents that games subscribed to.
    pub(super) fn watched_places(&self) -> Vec<Place> {
        self.watched.lock().told.keys().cloned().collect()
    }

    /// Those of viewers who listen here.
    pub(super) fn audiences(&self) -> HashSet<Audience> {
        self.viewers.audiences()
    }

    /// Documents are to be told of.
    pub(super) fn mark(&self, places: impl IntoIterator<Item = Place>) {
        let now_ms = self.live.clock().monotonic_ms();
        {
            let mut due = self.due.lock();
            for place in places {
                due.changed(place, now_ms);
            }
        }
        self.woken.notify_one();
    }

    /// Tells what is due, until it is dropped.
    pub async fn run(&self) {
        tokio::join!(
            self.run_documents(),
            self.missed.run(&self.core, self),
            self.polls.run(),
            self.feeds.run()
        );
    }

    async fn run_documents(&self) {
        let clock = Arc::clone(self.live.clock());
        loop {
            let next_ms = self.due.lock().next_ms();
            match next_ms {
                None => self.woken.notified().await,
                Some(at_ms) => {
                    let wait_ms = at_ms.saturating_sub(clock.monotonic_ms());
                    tokio::select! {
                        () = self.woken.notified() => {}
                        () = clock.sleep_ms(wait_ms) => {}
                    }
                }
            }
            let games = self.due.lock().take_games();
            for place in games {
                self.tell_games(place).await;
            }
            let viewers = {
                let now_ms = clock.monotonic_ms();
                self.due.lock().take_viewers(now_ms, VIEWERS_PAUSE_MS)
            };
            for place in viewers {
                self.tell_viewers(&place).await;
            }
        }
    }

    async fn tell_games(&self, place: Place) {
        let Some(topic) = game_topic(&place) else {
            return;
        };
        if self.live.hub().subscribers(&topic) == 0 {
            self.watched.lock().told.remove(&place);
            return;
        }
        let snapshot = match self.core.read_document(&place).await {
            Ok(snapshot) => snapshot,
            Err(error) => return self.later(place, &error),
        };
        {
            let mut watched = self.watched.lock();
            let told = watched.told.entry(place.clone()).or_insert(0);
            if snapshot.version <= *told && snapshot.version != 0 {
                return;
            }
            *told = snapshot.version;
        }
        match game_frame(&place, &snapshot.json, self.live.clock().now_ms()) {
            Ok(frame) => {
                self.live
                    .hub()
                    .publish_latest(&topic, SlotKey::of(&topic), &frame);
            }
            Err(error) => tracing::error!(%error, topic, "an event could not be encoded"),
        }
    }

    /// What could not be read is not forgotten: the last state is always told.
    fn later(&self, place: Place, error: &crowdlink_core::Error) {
        tracing::warn!(%error, "a changed document could not be read; trying again");
        self.due
            .lock()
            .retry(place, self.live.clock().monotonic_ms() + RETRY_MS);
    }

    async fn tell_viewers(&self, place: &Place) {
        let Some((audience, name)) = viewer_event(place) else {
            return;
        };
        // Cheaper than reading: most places have nobody who listens.
        if !self.viewers.want(&audience) {
            return;
        }
        let json = match gateway::read_for_viewers(&self.core, place).await {
            Ok(json) => json,
            Err(error) => return self.later(place.clone(), &error),
        };
        match serde_json::from_slice::<&RawValue>(&json) {
            Ok(document) => self.tell(audience, name, document, Kind::State),
            Err(error) => tracing::error!(%error, "an event could not be encoded"),
        }
    }

    pub(super) fn tell_written(&self, written: JsonStoreWritten) {
        let JsonStoreWritten {
            stage,
            client_id,
            channel,
            id,
            value,
            version,
        } = written;
        let audience = Audience {
            stage,
            client_id,
            channel,
        };
        if !self.is_news("json-store", &audience, &id, version) {
            return;
        }
        let name = format!("json_store_update:{id}");
        let data = Written {
            id: &id,
            value: &value,
        };
        self.tell(audience, &name, &data, Kind::Step);
    }

    pub(super) fn tell_trivia(&self, changed: TriviaChanged) {
        let TriviaChanged {
            stage,
            client_id,
            id,
            state,
            winner,
            version,
        } = changed;
        let audience = Audience {
            stage,
            client_id,
            channel: None,
        };
        if !self.is_news("trivia", &audience, &id, version) {
            return;
        }
        let data = TriviaUpdate { id, state, winner };
        self.tell(audience, "trivia_update", &data, Kind::Stream);
    }

    /// Whether somebody is to hear of a version that comes with its content.
    fn is_news(&self, kind: &str, audience: &Audience, id: &str, version: u64) -> bool {
        let Audience {
            stage,
            client_id,
            channel,
        } = audience;
        // No id holds a line break.
        let (scope, channel) = match channel {
            None => ("extension", ""),
            Some(channel) => ("channel", channel.as_str()),
        };
        let thing = format!("{kind}\n{stage}\n{client_id}\n{scope}\n{channel}\n{id}");
        self.viewers.want(audience) && self.newest.is_news(thing, version)
    }

    fn tell<T: Serialize + ?Sized>(&self, audience: Audience, name: &str, data: &T, kind: Kind) {
        if let Err(error) = self.viewers.tell(audience, name, data, kind) {
            tracing::error!(%error, name, "an event could not be encoded");
        }
    }
}

#[derive(Serialize)]
struct Written<'a> {
    id: &'a str,
    value: &'a RawValue,
}

#[derive(Serialize)]
struct TriviaUpdate {
    id: String,
    state: QuestionState,
    #[serde(skip_serializing_if = "Option::is_none")]
    winner: Option<String>,
}
