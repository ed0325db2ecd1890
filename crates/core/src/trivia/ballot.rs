//! Who votes, for what, and what is kept of them.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};

use crate::runs::Run;

/// Lanes of one contest on one node: so many batches are under way at once.
const LANES: u64 = 8;

/// Who votes or joins.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Who {
    /// The broadcaster of a channel: leads its team, and is none of its members.
    Leader(String),
    /// Anybody else: a member of one team for good, of the channel where they joined.
    Member {
        /// The voter identity.
        identity: String,
        /// Where they are now.
        channel: String,
    },
}

/// What they want.
#[derive(Clone, Debug)]
pub(super) enum Wish {
    /// To be in a team.
    Join,
    /// To vote.
    Vote {
        /// The question.
        question: String,
        /// The option.
        option: String,
    },
}

/// A vote, or a wish to join.
#[derive(Clone, Debug)]
pub(super) struct Ballot {
    pub(super) who: Who,
    pub(super) wish: Wish,
}

/// A voter: the team, and the slots voted for by run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Voter {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) team: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) votes: BTreeMap<Run, u64>,
}

impl Who {
    /// The lane of a voter: all ballots of one go through the same, in their order.
    pub(super) fn lane(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        match self {
            Self::Leader(channel) => channel.hash(&mut hasher),
            Self::Member { identity, .. } => identity.hash(&mut hasher),
        }
        hasher.finish() % LANES
    }
}

impl Ballot {
    /// The question that it is for.
    pub(super) fn question(&self) -> Option<&str> {
        match &self.wish {
            Wish::Join => None,
            Wish::Vote { question, .. } => Some(question),
        }
    }
}
