//! What happens to polls, told to every node after its commit.

use serde::{Deserialize, Serialize};

use super::Polls;
use super::head::Head;
use super::place::PollPlace;
use crate::matches::MatchPlace;

/// Where the bus carries [`PollNews`].
pub(crate) const TOPIC: &str = "poll";

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PollEvent {
    /// It was created, or created over.
    Created,
    /// It was pending or had ended, and is so no more.
    Opened,
    /// It was stopped.
    Ended,
    /// Something else about it changed.
    Reconfigured,
    /// It is gone, with its votes.
    Deleted,
    /// Votes came, or count otherwise than before.
    Voted,
}

/// Told after each commit that concerns a poll; carries no numbers, so that whoever is told reads
/// the newest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollNews {
    /// Which poll.
    pub place: PollPlace,
    /// What happened.
    pub event: PollEvent,
    /// The version of the commit; whoever reads an older one has not seen it. 0 where nobody knows
    /// whether it happened.
    pub version: u64,
    /// The match whose poll was voted on (`spec 2.10`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of_match: Option<MatchPlace>,
}

impl Polls {
    /// Tells everybody, after the commit.
    pub(super) fn announce(&self, place: &PollPlace, event: PollEvent, version: u64) {
        self.tell(&PollNews {
            place: place.clone(),
            event,
            version,
            of_match: None,
        });
    }

    /// Tells everybody that votes came, after the commit.
    pub(super) fn announce_votes(&self, place: &PollPlace, head: &Head, version: u64) {
        let mark = head.of_match.as_ref();
        self.tell(&PollNews {
            place: place.clone(),
            event: PollEvent::Voted,
            version,
            of_match: mark.map(|mark| mark.place(place.stage, &place.client_id)),
        });
    }

    fn tell(&self, news: &PollNews) {
        if let Err(error) = self.world.tell(TOPIC, news) {
            tracing::error!(?error, "news of a poll could not be told");
        }
    }
}
