//! Polls: from what happened to games and viewers (`spec 2.6`, `spec 4.3`).
//!
//! News carry no numbers: the pump reads the poll when somebody may hear of it. Polls begin and end
//! by themselves, so every node keeps the next turn of each poll in mind, for its own connections.

mod track;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crowdlink_core::polls::{self, PollEvent, PollNews, PollPlace, PollSnapshot, PollTimes};
use crowdlink_core::{Core, Error};
use crowdlink_protocol::{ClientId, Stage, encode_event};
use futures::StreamExt as _;
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::Notify;

pub use track::PollRhythm;
use track::{Now, Track};

use super::ways::{Audience, Kind, Viewers};
use crate::live::{Frame, Live};

/// Polls read at the same time.
const READING_MAX: usize = 16;
/// When a poll that could not be read is tried again.
const RETRY_MS: u64 = 250;

/// Where games hear of a poll.
pub fn poll_topic(place: &PollPlace) -> String {
    let (stage, client_id, id) = (place.stage, &place.client_id, &place.id);
    match &place.channel {
        None => format!("games/{stage}/{client_id}/poll/extension/{id}"),
        Some(channel) => format!("games/{stage}/{client_id}/poll/channel/{channel}/{id}"),
    }
}

/// Where games hear of every poll of a channel.
pub fn all_polls_topic((stage, client_id): (Stage, &ClientId), channel: &str) -> String {
    format!("games/{stage}/{client_id}/polls/{channel}")
}

fn game_topics(place: &PollPlace) -> Vec<String> {
    let of = (place.stage, &place.client_id);
    let channel = place.channel.as_deref();
    let all = channel.map(|channel| all_polls_topic(of, channel));
    std::iter::once(poll_topic(place)).chain(all).collect()
}

/// Carries what happens to polls to those who subscribed.
#[derive(Debug)]
pub struct PollPump {
    core: Arc<Core>,
    live: Arc<Live>,
    viewers: Arc<Viewers>,
    rhythm: PollRhythm,
    tracked: Mutex<Tracked>,
    woken: Notify,
}

/// Polls with something to be told, now or later.
#[derive(Debug, Default)]
struct Tracked {
    polls: HashMap<PollPlace, (Track, u64)>,
    /// The same by when to look at them (monotonic ms).
    by_time: BTreeMap<u64, HashSet<PollPlace>>,
}

impl Tracked {
    /// Puts a poll back with what is known of it, to be looked at when it wants to.
    fn put(&mut self, place: PollPlace, track: Track, now: Now) {
        if let Some(at_ms) = track.next_ms(now) {
            self.by_time.entry(at_ms).or_default().insert(place.clone());
            self.polls.insert(place, (track, at_ms));
        }
    }

    fn take(&mut self, place: &PollPlace) -> Option<Track> {
        let (track, at_ms) = self.polls.remove(place)?;
        if let Some(places) = self.by_time.get_mut(&at_ms) {
            places.remove(place);
            if places.is_empty() {
                self.by_time.remove(&at_ms);
            }
        }
        Some(track)
    }

    /// The polls to look at now. They stay here: what is heard of them meanwhile is kept.
    fn due(&self, now_ms: u64) -> Vec<PollPlace> {
        let due = self.by_time.range(..=now_ms);
        due.flat_map(|(_, places)| places.iter().cloned()).collect()
    }
}

impl PollPump {
    pub(super) fn new(
        core: Arc<Core>,
        live: Arc<Live>,
        viewers: Arc<Viewers>,
        rhythm: PollRhythm,
    ) -> Self {
        Self {
            core,
            live,
            viewers,
            rhythm,
            tracked: Mutex::default(),
            woken: Notify::new(),
        }
    }

    fn now(&self) -> Now {
        let clock = self.live.clock();
        Now {
            unix_ms: clock.now_ms(),
            monotonic_ms: clock.monotonic_ms(),
        }
    }

    /// A game subscribes to a poll: what happens from now on is news to it.
    pub async fn watch(&self, place: &PollPlace) -> Result<(), Error> {
        if let Some(poll) = polls::snapshot(&self.core, place).await? {
            self.keep([(place.clone(), poll.times)]);
        }
        Ok(())
    }

    /// A game subscribes to every poll of a channel.
    pub async fn watch_all(&self, of: (Stage, &ClientId), channel: &str) -> Result<(), Error> {
        let polls = polls::times_of(&self.core, of, Some(channel)).await?;
        self.keep(polls);
        Ok(())
    }

    fn keep(&self, polls: impl IntoIterator<Item = (PollPlace, PollTimes)>) {
        let now = self.now();
        let mut tracked = self.tracked.lock();
        for (place, times) in polls {
            if !tracked.polls.contains_key(&place) {
                tracked.put(place, Track::watched(&times, now, &self.rhythm), now);
            }
        }
        drop(tracked);
        self.woken.notify_one();
    }

    /// Takes note of what happened. Never waits.
    pub(super) fn hear(&self, news: PollNews) {
        // Most polls have nobody who listens; who comes later watches it then.
        if news.event == PollEvent::Voted && !self.is_heard(&news.place) {
            return;
        }
        let now = self.now();
        let mut tracked = self.tracked.lock();
        let mut track = tracked.take(&news.place).unwrap_or_default();
        track.hear(news.event, news.version, now, &self.rhythm);
        tracked.put(news.place, track, now);
        drop(tracked);
        self.woken.notify_one();
    }

    fn is_heard(&self, place: &PollPlace) -> bool {
        let hub = self.live.hub();
        self.viewers.want(&audience(place))
            || game_topics(place)
                .iter()
                .any(|topic| hub.subscribers(topic) > 0)
    }

    /// Word of something was lost: every poll that is to begin or end is looked up, and every one
    /// in mind looked at.
    pub(super) fn look_again(self: &Arc<Self>) {
        let now = self.now();
        let mut tracked = self.tracked.lock();
        let places: Vec<PollPlace> = tracked.polls.keys().cloned().collect();
        for place in places {
            if let Some(mut track) = tracked.take(&place) {
                track.hear(PollEvent::Voted, 0, now, &self.rhythm);
                tracked.put(place, track, now);
            }
        }
        drop(tracked);
        let pump = Arc::clone(self);
        tokio::spawn(async move { pump.look_up().await });
    }

    /// Finds the polls that are to begin or end.
    async fn look_up(&self) {
        for extension in self.core.extensions() {
            for stage in [Stage::Sandbox, Stage::Production] {
                let of = (stage, &extension.client_id);
                match polls::times_of(&self.core, of, None).await {
                    Ok(found) => {
                        let now_ms = self.live.clock().now_ms();
                        let turns =
                            |(_, times): &(_, PollTimes)| times.next_turn_ms(now_ms).is_some();
                        self.keep(found.into_iter().filter(turns));
                    }
                    Err(error) => tracing::warn!(%error, "polls could not be looked up"),
                }
            }
        }
    }

    /// Tells what is due, until it is dropped.
    pub(super) async fn run(&self) {
        self.look_up().await;
        let clock = Arc::clone(self.live.clock());
        loop {
            let next_ms = self.tracked.lock().by_time.keys().next().copied();
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
            let due = self.tracked.lock().due(clock.monotonic_ms());
            futures::stream::iter(due)
                .for_each_concurrent(READING_MAX, |place| self.look(place))
                .await;
        }
    }

    async fn look(&self, place: PollPlace) {
        let read = self.read(&place).await;
        let now = self.now();
        let mut tracked = self.tracked.lock();
        let Some(mut track) = tracked.take(&place) else {
            return;
        };
        match read {
            Ok(Some(poll)) => {
                let telling = track.tell((&poll.times, poll.version), now, &self.rhythm);
                tracked.put(place.clone(), track, now);
                drop(tracked);
                if telling.games {
                    self.tell_games(&place, &poll, now.unix_ms);
                }
                self.tell_viewers(&place, &poll, telling.poll_update, telling.vote_update);
            }
            Ok(None) => {
                drop(tracked);
                if track.knew_of_it() {
                    self.tell_deleted(&place);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a poll could not be read; trying again");
                track.postpone(now.monotonic_ms + RETRY_MS);
                tracked.put(place, track, now);
            }
        }
    }

    /// The poll as it is now. Its end is told with every vote that came in time.
    async fn read(&self, place: &PollPlace) -> Result<Option<PollSnapshot>, Error> {
        let found = polls::snapshot(&self.core, place).await?;
        let ends_now = found.as_ref().is_some_and(|poll| {
            let tracked = self.tracked.lock();
            let track = tracked.polls.get(place);
            track.is_some_and(|(track, _)| track.ends_now(&poll.times, self.now()))
        });
        if ends_now {
            return polls::settled(&self.core, place).await;
        }
        Ok(found)
    }

    fn tell_games(&self, place: &PollPlace, poll: &PollSnapshot, now_ms: i64) {
        match encode_event("poll", now_ms, &poll.report) {
            Ok(text) => {
                let topics = game_topics(place);
                self.live.hub().publish_to_any(&topics, &Frame::text(&text));
            }
            Err(error) => tracing::error!(%error, "an event could not be encoded"),
        }
    }

    fn tell_viewers(&self, place: &PollPlace, poll: &PollSnapshot, update: bool, votes: bool) {
        if update {
            self.tell_viewers_of(place, "poll_update", &poll.report, Kind::Stream);
        }
        if votes {
            let data = json!({ "id": place.id, "stats": poll.numbers });
            self.tell_viewers_of(place, "vote_update", &data, Kind::State);
        }
    }

    fn tell_deleted(&self, place: &PollPlace) {
        let data = json!({ "topic_id": place.id, "deleted": true });
        self.tell_viewers_of(place, "poll_update", &data, Kind::Stream);
    }

    fn tell_viewers_of<T: serde::Serialize>(
        &self,
        place: &PollPlace,
        name: &str,
        data: &T,
        kind: Kind,
    ) {
        let name = format!("{name}:{}", place.id);
        if let Err(error) = self.viewers.tell(audience(place), &name, data, kind) {
            tracing::error!(%error, name, "an event could not be encoded");
        }
    }
}

/// Whose viewers hear of a poll.
fn audience(place: &PollPlace) -> Audience {
    Audience {
        stage: place.stage,
        client_id: place.client_id.clone(),
        channel: place.channel.clone(),
    }
}
