//! Polls: from what happened to games and viewers (`spec 2.6`, `spec 4.3`).
//!
//! News carry no numbers: the pump reads the poll when somebody may hear of it. Polls begin and end
//! by themselves, so every node keeps the next turn of each poll in mind, for its own connections.

mod doubt;
mod matches;
mod rounds;
mod telling;
mod track;
#[cfg(test)]
mod track_model;
#[cfg(test)]
mod track_tests;
mod tracked;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crowdlink_core::matches::{MatchPollNews, MatchPollPlace};
use crowdlink_core::polls::{self, PollEvent, PollNews, PollPlace, PollSnapshot};
use crowdlink_core::{Core, Error};
use crowdlink_protocol::{ClientId, Stage};
use futures::StreamExt as _;

use doubt::Doubt;
pub use matches::{MatchPump, match_polls_topic};
use rounds::{Looked, READING_MAX, Rounds};
pub use track::PollRhythm;
use track::{Seen, Track};

use super::ways::{Audience, Viewers};
use crate::live::Live;

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
    rounds: Rounds<PollPlace>,
    matches: MatchPump,
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
            matches: MatchPump::new(Arc::clone(&core), Arc::clone(&live), rhythm),
            rounds: Rounds::new(Arc::clone(&live), rhythm),
            core,
            live,
            viewers,
            heard_version: AtomicU64::new(0),
            doubt: Doubt::default(),
        }
    }

    /// What is told of polls of matches.
    pub fn matches(&self) -> &MatchPump {
        &self.matches
    }

    /// A game subscribes to a poll: what happens from now on is news to it.
    pub async fn watch(&self, place: &PollPlace) -> Result<(), Error> {
        if let Some(poll) = polls::snapshot(&self.core, place).await? {
            let track = Track::watched(seen(&poll), self.rounds.now(), &self.rounds.rhythm);
            self.rounds.keep([(place.clone(), track)]);
        }
        Ok(())
    }

    /// A game subscribes to every poll of a channel.
    pub async fn watch_all(&self, of: (Stage, &ClientId), channel: &str) -> Result<(), Error> {
        let polls = polls::times_of(&self.core, of, Some(channel)).await?;
        let now = self.rounds.now();
        let votes_version = self.heard_version.load(Ordering::Relaxed);
        let watched = polls.into_iter().map(|(place, times)| {
            let seen = Seen {
                times: &times,
                newest: times.version,
                votes_version,
                at_ms: now.unix_ms,
            };
            (place, Track::watched(seen, now, &self.rounds.rhythm))
        });
        self.rounds.keep(watched);
        Ok(())
    }

    /// Takes note of what happened. Never waits.
    pub(super) fn hear(&self, news: PollNews) {
        self.heard_version
            .fetch_max(news.version, Ordering::Relaxed);
        if let Some(of) = news.of_match {
            let poll_id = news.place.id.clone();
            self.matches.hear(MatchPollNews {
                place: MatchPollPlace { of, poll_id },
                event: news.event,
                version: news.version,
            });
        }
        // Most polls have nobody who listens; who comes later watches it then.
        if news.event == PollEvent::Voted && !self.is_heard(&news.place) {
            return;
        }
        self.rounds
            .hear(news.place, Track::default(), |track, now| {
                track.hear(news.event, news.version, now, &self.rounds.rhythm);
            });
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
        tokio::join!(self.run_doubts(), self.run_rounds(), self.matches.run());
    }

    async fn run_rounds(&self) {
        loop {
            let due = self.rounds.due().await;
            futures::stream::iter(due)
                .for_each_concurrent(READING_MAX, |place| self.look(place))
                .await;
        }
    }

    async fn look(&self, place: PollPlace) {
        let heard = self.rounds.heard(&place);
        let read = self.read(&place).await;
        match self.rounds.looked(&place, heard, read, seen) {
            Looked::Tell(poll, telling) => self.tell(&place, &poll, telling),
            Looked::Gone(true) => self.tell_deleted(&place),
            Looked::Gone(false) | Looked::Later => {}
        }
    }

    /// The poll as it is now. Its end is told with every vote that came in time.
    async fn read(&self, place: &PollPlace) -> Result<Option<PollSnapshot>, Error> {
        let found = polls::snapshot(&self.core, place).await?;
        let ends = |poll: &PollSnapshot| self.rounds.ends_now(place, seen(poll));
        if found.as_ref().is_some_and(ends) {
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
