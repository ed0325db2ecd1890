//! Finding what nobody told: when a node starts, and when the bus lost word.

use std::sync::atomic::Ordering;

use crowdlink_core::Error;
use crowdlink_core::polls::{self, PollPlace, PollTimes};
use crowdlink_protocol::Stage;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::PollPump;
use super::rounds::RETRY_MS;
use super::track::{Seen, Track};

/// Whether word was lost, and since when.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    /// The commit up to which all was heard.
    since: Mutex<Option<u64>>,
    woken: Notify,
}

impl Doubt {
    /// Word was lost of what came after a commit; of several, the oldest counts.
    pub(super) fn raise(&self, since: u64) {
        {
            let mut noted = self.since.lock();
            *noted = Some(noted.map_or(since, |noted| noted.min(since)));
        }
        self.woken.notify_one();
    }

    /// Waits until word was lost; since which commit.
    pub(super) async fn raised(&self) -> u64 {
        loop {
            if let Some(since) = self.since.lock().take() {
                return since;
            }
            self.woken.notified().await;
        }
    }
}

impl PollPump {
    /// Word of something was lost: every poll in mind is looked at, and every other looked up.
    pub(in crate::events) fn look_again(&self, since: u64) {
        self.doubt.raise(since);
        self.rounds.doubt();
        self.matches.look_again();
    }

    /// Looks polls up at the start, and whenever word was lost.
    pub(super) async fn run_doubts(&self) {
        let mut since = None;
        loop {
            while let Err(error) = self.look_up(since).await {
                tracing::warn!(%error, "polls could not be looked up; trying again");
                self.live.clock().sleep_ms(RETRY_MS).await;
            }
            since = Some(self.doubt.raised().await);
        }
    }

    /// Finds the polls that are to begin or end and, of those that somebody listens to, what is
    /// newer than a commit.
    async fn look_up(&self, since: Option<u64>) -> Result<(), Error> {
        for extension in self.core.extensions() {
            for stage in [Stage::Sandbox, Stage::Production] {
                let of = (stage, &extension.client_id);
                let found = polls::times_of(&self.core, of, None).await?;
                let tracks = found.into_iter().filter_map(|(place, times)| {
                    let track = self.track_of(&place, &times, since)?;
                    Some((place, track))
                });
                self.rounds.keep(tracks);
            }
        }
        Ok(())
    }

    fn track_of(&self, place: &PollPlace, times: &PollTimes, since: Option<u64>) -> Option<Track> {
        let now = self.rounds.now();
        if let Some(version) = since.filter(|_| self.is_heard(place)) {
            return Some(Track::missed_since(version, now, &self.rounds.rhythm));
        }
        let seen = Seen {
            times,
            newest: times.version,
            votes_version: self.heard_version.load(Ordering::Relaxed),
            at_ms: now.unix_ms,
        };
        let turns = times.next_turn_ms(now.unix_ms).is_some();
        turns.then(|| Track::watched(seen, now, &self.rounds.rhythm))
    }
}
