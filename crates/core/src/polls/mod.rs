//! Polls and votes (`spec 2.6`, `spec 3.6`).
//!
//! A poll is a small record, its `head`, and a run: the generation of votes that count for it.
//! One record per voter, one tally per node, a log in the order of time, all under the run. Who
//! deletes a poll drops its run, in one commit; what was counted there is swept later. Whatever
//! concerns one poll waits in one queue on each node, and votes in a row become one commit, which
//! checks the head: a vote that was answered counts in the run of that moment, on every node.

mod ballot;
mod count;
mod head;
mod log;
mod manage;
mod news;
mod of_match;
mod place;
mod read;
mod records;
mod remembered;
mod tally;
mod vote;

use std::sync::Arc;

use quick_cache::sync::Cache;

use crate::combine::Combiner;
use crate::core::CoreOptions;
use crate::limits::Limits;
use crate::turns::Turns;
use crate::world::World;

pub use log::{LogEntry, LogReader, vote_log};
pub use manage::{CreatePoll, configure, create, delete, modify, reconfigure};
pub(crate) use news::TOPIC;
pub use news::{PollEvent, PollNews};
pub(crate) use of_match::{Mark, MatchChange, Pattern, Share};
pub use place::PollPlace;
pub use read::{PollSnapshot, PollTimes, config, report, settled, snapshot, times_of, votes};
pub use vote::{Voted, vote};

use remembered::RememberedPolls;

/// Channels and extensions remembered as full of polls that votes opened.
const FULL_MAX: usize = 10_000;
/// How long: whoever votes at random must not have all polls counted each time.
const FULL_MS: i64 = 1_000;

/// Everything about polls that is in memory.
#[derive(Debug)]
pub(crate) struct Polls {
    world: World,
    limits: Limits,
    votes_ms: u64,
    /// Name of this node's tallies.
    node: u32,
    queue: Arc<Combiner<vote::Operation, vote::Outcome>>,
    /// Of those who count polls and add one.
    adding: Turns,
    /// Until when (Unix ms) votes open no poll beside the heads of this prefix.
    full: Cache<String, i64>,
    remembered: RememberedPolls,
}

impl Polls {
    pub(crate) fn new(world: World, options: &CoreOptions) -> Arc<Self> {
        Arc::new(Self {
            world,
            limits: options.limits,
            votes_ms: options.lifetimes.votes_ms,
            node: options.node,
            queue: Combiner::new(),
            adding: Turns::new(),
            full: Cache::new(FULL_MAX),
            remembered: RememberedPolls::new(),
        })
    }

    /// Takes note of a commit, also one of another node.
    pub(crate) fn hear(&self, news: &PollNews) {
        if news.event != PollEvent::Voted {
            self.remembered.forget(&news.place.key());
        }
    }
}
