//! Polls: from what happened to games and viewers (`spec 2.6`, `spec 4.3`).
//!
//! News carry no numbers: the pump reads the poll when somebody may hear of it. Polls begin and end
//! by themselves, so every node keeps the next turn of each poll in mind, for its own connections.

mod doubt;
mod telling;
mod track;
#[cfg(test)]
mod track_model;
#[cfg(test)]
mod track_tests;
mod tracked;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crowdlink_core::polls::{self, PollEvent, PollNews, PollPlace, PollSnapshot};
use crowdlink_core::{Core, Error};
use crowdlink_protocol::{ClientId, Stage};
use futures::StreamExt as _;
use parking_lot::Mutex;
use tokio::sync::Notify;

use doubt::Doubt;
pub use track::PollRhythm;
use track::{Now, Seen, Track};
use tracked::Tracked;

use super::ways::{Audience, Viewers};
use crate::live::Live;

/// Polls read at the same time.
const READING_MAX: usize = 16;
/// When a poll that could not be read is tried again.
const RETRY_MS: u64 = 250;
/// The longest the pump sleeps: so soon it sees that somebody has set the machine's clock.
const ASLEEP_MS_MAX: u64 = 10_000;

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
    /// The newest commit that was heard of.
    heard_version: AtomicU64,
    doubt: Doubt,
}

fn seen(poll: &PollSnapshot) -> Seen<'_> {
    Seen {
        times: &poll.times,
        newest: poll.version,
        votes_version: poll.votes_version,
        at_ms: poll.at_ms,
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
            heard_version: AtomicU64::new(0),
            doubt: Doubt::default(),
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
            let track = Track::watched(seen(&poll), self.now(), &self.rhythm);
            self.keep([(place.clone(), track)]);
        }
        Ok(())
    }

    /// A game subscribes to every poll of a channel.
    pub async fn watch_all(&self, of: (Stage, &ClientId), channel: &str) -> Result<(), Error> {
        let polls = polls::times_of(&self.core, of, Some(channel)).await?;
        let now = self.now();
        let votes_version = self.heard_version.load(Ordering::Relaxed);
        let watched = polls.into_iter().map(|(place, times)| {
            let seen = Seen {
                times: &times,
                newest: times.version,
                votes_version,
                at_ms: now.unix_ms,
            };
            (place, Track::watched(seen, now, &self.rhythm))
        });
        self.keep(watched);
        Ok(())
    }

    /// Keeps polls in mind; those that are know more.
    fn keep(&self, polls: impl IntoIterator<Item = (PollPlace, Track)>) {
        let now = self.now();
        let mut tracked = self.tracked.lock();
        for (place, track) in polls {
            if !tracked.has(&place) {
                tracked.put(place, track, now);
            }
        }
        drop(tracked);
        self.woken.notify_one();
    }

    /// Takes note of what happened. Never waits.
    pub(super) fn hear(&self, news: PollNews) {
        self.heard_version
            .fetch_max(news.version, Ordering::Relaxed);
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

    /// Tells what is due, until it is dropped.
    pub(super) async fn run(&self) {
        tokio::join!(self.run_doubts(), self.run_rounds());
    }

    async fn run_rounds(&self) {
        let clock = Arc::clone(self.live.clock());
        loop {
            let now = self.now();
            let next_ms = self.tracked.lock().next_ms(now);
            let wait_ms = next_ms.map(|at_ms| at_ms.saturating_sub(now.monotonic_ms));
            let asleep = clock.sleep_ms(wait_ms.unwrap_or(ASLEEP_MS_MAX).min(ASLEEP_MS_MAX));
            if clock.monotonic_ms() != now.monotonic_ms {
                // Time went on between the two looks at it: that sleep ends too late.
                continue;
            }
            tokio::select! {
                () = self.woken.notified() => {}
                () = asleep => {}
            }
            let due = self.tracked.lock().due(clock.monotonic_ms());
            futures::stream::iter(due)
                .for_each_concurrent(READING_MAX, |place| self.look(place))
                .await;
        }
    }

    async fn look(&self, place: PollPlace) {
        let heard = self.tracked.lock().get(&place).map(Track::heard);
        let read = self.read(&place).await;
        let now = self.now();
        let mut tracked = self.tracked.lock();
        let Some(mut track) = tracked.take(&place) else {
            return;
        };
        match read {
            Ok(Some(poll)) => {
                let telling = track.tell(seen(&poll), now, &self.rhythm);
                tracked.put(place.clone(), track, now);
                drop(tracked);
                self.tell(&place, &poll, telling);
            }
            // It may have been created again since it was read.
            Ok(None) if Some(track.heard()) != heard => tracked.put(place, track, now),
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
            let track = tracked.get(place);
            track.is_some_and(|track| track.ends_now(seen(poll)))
        });
        if ends_now {
            return polls::settled(&self.core, place).await;
        }
        Ok(found)
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
