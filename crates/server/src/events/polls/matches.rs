//! Polls of matches: what all channels voted, told to the games of the match (`spec 2.10`).
//!
//! One rhythm over several polls: news of votes in any channel are news of the match's poll. Of its
//! viewers each channel's own poll takes care.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crowdlink_core::matches::{self, MatchPlace, MatchPollNews, MatchPollPlace, MatchPollSnapshot};
use crowdlink_core::{Core, Error};
use crowdlink_protocol::{PollStatus, encode_event};
use futures::StreamExt as _;
use parking_lot::Mutex;

use super::doubt::Doubt;
use super::rounds::{Looked, READING_MAX, RETRY_MS, Rounds};
use super::track::{PollRhythm, Seen, Track};
use crate::live::{Frame, Live};

/// Matches watched before the first look for those that nobody hears of any more.
const WATCHED_MIN: usize = 256;
/// Channels of one poll whose votes are known; beyond, those that left the match are forgotten.
const CHANNELS_KNOWN_MAX: usize = 1_024;

/// Where the games of a match hear of its polls. No part can hold a line break.
pub fn match_polls_topic(place: &MatchPlace) -> String {
    let MatchPlace {
        stage,
        client_id,
        owner,
        id,
    } = place;
    format!("games\n{stage}\n{client_id}\nmatch-polls\n{owner}\n{id}")
}

/// Carries what happens to polls of matches to those who subscribed.
#[derive(Debug)]
pub struct MatchPump {
    core: Arc<Core>,
    live: Arc<Live>,
    rounds: Rounds<MatchPollPlace>,
    /// The votes of each poll in mind, as they were read last.
    votes: Mutex<HashMap<MatchPollPlace, Votes>>,
    watched: Mutex<Watched>,
    /// The newest commit that was heard of.
    heard_version: AtomicU64,
    doubt: Doubt,
}

/// The matches that somebody subscribed to.
#[derive(Debug, Default)]
struct Watched {
    matches: HashSet<MatchPlace>,
    /// How many there were after the last look for those that nobody hears of any more.
    kept: usize,
}

/// Votes of several channels. No two of them are read at one moment, so each has its own version;
/// what was read is numbered instead.
#[derive(Debug, Default)]
struct Votes {
    /// The newest commit of each channel.
    versions: BTreeMap<String, u64>,
    /// What is not newer is no news in the others.
    since: u64,
    /// Grows with each reading that shows more votes.
    number: u64,
}

impl Votes {
    /// Takes note of a reading; its number.
    fn see(&mut self, versions: &BTreeMap<String, u64>) -> u64 {
        let known = |channel| self.versions.get(channel).copied().unwrap_or(self.since);
        if versions
            .iter()
            .any(|(channel, version)| *version > known(channel))
        {
            self.number += 1;
        }
        if self.versions.len() + versions.len() > CHANNELS_KNOWN_MAX {
            self.versions
                .retain(|channel, _| versions.contains_key(channel));
        }
        for (channel, version) in versions {
            self.versions.insert(channel.clone(), *version);
        }
        self.number
    }
}

/// A poll of a match as it was read.
#[derive(Debug)]
struct Read {
    poll: MatchPollSnapshot,
    /// The newest commit that had been heard of before, and so was seen.
    newest: u64,
    votes: u64,
}

fn seen(read: &Read) -> Seen<'_> {
    Seen {
        times: &read.poll.times,
        newest: read.newest,
        votes_version: read.votes,
        at_ms: read.poll.at_ms,
    }
}

impl MatchPump {
    pub(super) fn new(core: Arc<Core>, live: Arc<Live>, rhythm: PollRhythm) -> Self {
        Self {
            core,
            rounds: Rounds::new(Arc::clone(&live), rhythm),
            live,
            votes: Mutex::default(),
            watched: Mutex::default(),
            heard_version: AtomicU64::new(0),
            doubt: Doubt::default(),
        }
    }

    /// A game has subscribed to the polls of a match: what is there now is no news to it.
    pub async fn watch(&self, place: &MatchPlace) -> Result<(), Error> {
        self.note(place);
        let now = self.rounds.now();
        for (place, times) in matches::polls_of(&self.core, place).await? {
            if times.status(now.unix_ms) == PollStatus::Expired || self.rounds.has(&place) {
                continue;
            }
            let newest = self.heard_version.load(Ordering::Relaxed);
            let Some(poll) = matches::poll_snapshot(&self.core, &place).await? else {
                continue;
            };
            let votes = Votes {
                versions: poll.votes_versions.clone(),
                ..Votes::default()
            };
            self.votes.lock().entry(place.clone()).or_insert(votes);
            let read = Read {
                poll,
                newest,
                votes: 0,
            };
            let track = Track::watched(seen(&read), self.rounds.now(), &self.rounds.rhythm);
            self.rounds.keep([(place, track.of_match())]);
        }
        Ok(())
    }

    fn note(&self, place: &MatchPlace) {
        let mut watched = self.watched.lock();
        watched.matches.insert(place.clone());
        // Games go without a word: seen when there are twice as many as were left last.
        if watched.matches.len() > (watched.kept * 2).max(WATCHED_MIN) {
            watched.matches.retain(|place| self.is_heard(place));
            watched.kept = watched.matches.len();
        }
    }

    fn is_heard(&self, place: &MatchPlace) -> bool {
        let hub = self.live.hub();
        hub.subscribers(&match_polls_topic(place)) > 0
    }

    /// Takes note of what happened. Never waits.
    pub(in crate::events) fn hear(&self, news: MatchPollNews) {
        let MatchPollNews {
            place,
            event,
            version,
        } = news;
        self.heard_version.fetch_max(version, Ordering::Relaxed);
        // Who comes later watches it then.
        if !self.is_heard(&place.of) {
            return;
        }
        let new = Track::default().of_match();
        self.rounds.hear(place, new, |track, now| {
            track.hear(event, version, now, &self.rounds.rhythm);
        });
    }

    /// Word of something was lost: every poll in mind is looked at, and every other looked up.
    pub(super) fn look_again(&self) {
        self.doubt.raise(self.heard_version.load(Ordering::Relaxed));
        self.rounds.doubt();
    }

    /// Tells what is due, until it is dropped.
    pub(super) async fn run(&self) {
        tokio::join!(self.run_doubts(), self.run_rounds());
    }

    async fn run_doubts(&self) {
        loop {
            let since = self.doubt.raised().await;
            while let Err(error) = self.look_up(since).await {
                tracing::warn!(%error, "polls of matches could not be looked up; trying again");
                self.live.clock().sleep_ms(RETRY_MS).await;
            }
        }
    }

    /// Finds, in the matches that somebody listens to, what is newer than a commit.
    async fn look_up(&self, since: u64) -> Result<(), Error> {
        let mut places: Vec<MatchPlace> = self.watched.lock().matches.iter().cloned().collect();
        places.retain(|place| self.is_heard(place));
        for place in places {
            for (place, times) in matches::polls_of(&self.core, &place).await? {
                let now = self.rounds.now();
                let ended = times.status(now.unix_ms) == PollStatus::Expired;
                if self.rounds.has(&place) || (ended && times.version <= since) {
                    continue;
                }
                let votes = Votes {
                    since,
                    number: since,
                    ..Votes::default()
                };
                self.votes.lock().insert(place.clone(), votes);
                let track = Track::missed_since(since, now, &self.rounds.rhythm);
                self.rounds.keep([(place, track.of_match())]);
            }
        }
        Ok(())
    }

    async fn run_rounds(&self) {
        loop {
            let due = self.rounds.due().await;
            futures::stream::iter(due)
                .for_each_concurrent(READING_MAX, |place| self.look(place))
                .await;
        }
    }

    async fn look(&self, place: MatchPollPlace) {
        if !self.is_heard(&place.of) {
            self.rounds.forget(&place);
            self.votes.lock().remove(&place);
            return;
        }
        let heard = self.rounds.heard(&place);
        let read = self.read(&place).await;
        let looked = self.rounds.looked(&place, heard, read, seen);
        if !self.rounds.has(&place) {
            self.votes.lock().remove(&place);
        }
        if let Looked::Tell(read, telling) = looked
            && telling.games
        {
            self.tell(&place.of, &read.poll);
        }
    }

    /// The poll as it is now. Its end is told with every vote that came in time.
    async fn read(&self, place: &MatchPollPlace) -> Result<Option<Read>, Error> {
        let newest = self.heard_version.load(Ordering::Relaxed);
        let found = matches::poll_snapshot(&self.core, place).await?;
        let Some(read) = found.map(|poll| self.numbered(place, poll, newest)) else {
            return Ok(None);
        };
        if !self.rounds.ends_now(place, seen(&read)) {
            return Ok(Some(read));
        }
        let settled = matches::settled_poll(&self.core, place).await?;
        Ok(settled.map(|poll| self.numbered(place, poll, newest)))
    }

    fn numbered(&self, place: &MatchPollPlace, poll: MatchPollSnapshot, newest: u64) -> Read {
        let mut votes = self.votes.lock();
        let votes = votes.entry(place.clone()).or_default();
        Read {
            votes: votes.see(&poll.votes_versions),
            poll,
            newest,
        }
    }

    fn tell(&self, place: &MatchPlace, poll: &MatchPollSnapshot) {
        match encode_event("match_poll", self.live.clock().now_ms(), &poll.report) {
            Ok(text) => {
                let topic = match_polls_topic(place);
                self.live.hub().publish(&topic, &Frame::text(&text));
            }
            Err(error) => tracing::error!(%error, "an event could not be encoded"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<const N: usize>(versions: [(&str, u64); N]) -> BTreeMap<String, u64> {
        let versions = versions.into_iter();
        versions
            .map(|(channel, version)| (channel.to_owned(), version))
            .collect()
    }

    #[test]
    fn votes_that_were_read_late_behind_newer_ones_of_another_channel_are_news() {
        let mut votes = Votes::default();
        assert_eq!(votes.see(&of([("1", 0), ("2", 0)])), 0);
        // Channel 1 was read before its vote 9.
        assert_eq!(votes.see(&of([("1", 0), ("2", 10)])), 1);
        assert_eq!(votes.see(&of([("1", 9), ("2", 10)])), 2);
        assert_eq!(votes.see(&of([("1", 9), ("2", 10)])), 2);
        // A channel that leaves is none, one that joins without votes neither.
        assert_eq!(votes.see(&of([("2", 10), ("3", 0)])), 2);
        assert_eq!(votes.see(&of([("2", 10), ("3", 4)])), 3);
    }

    #[test]
    fn channels_that_come_and_go_for_ever_are_forgotten() {
        let mut votes = Votes::default();
        let one = |channel: usize| BTreeMap::from([(channel.to_string(), 1)]);
        for channel in 0..CHANNELS_KNOWN_MAX {
            votes.see(&one(channel));
        }
        // Who comes back without a vote is no news.
        assert_eq!(votes.versions.len(), CHANNELS_KNOWN_MAX);
        let number = votes.number;
        assert_eq!(votes.see(&one(0)), number);
        assert_eq!(votes.versions.len(), 1);
        assert_eq!(votes.see(&one(1)), number + 1);
    }

    #[test]
    fn after_lost_word_only_newer_votes_are_news() {
        let mut votes = Votes {
            since: 7,
            number: 7,
            ..Votes::default()
        };
        assert_eq!(votes.see(&of([("1", 7), ("2", 3)])), 7);
        assert_eq!(votes.see(&of([("1", 7), ("2", 8)])), 8);
    }
}
