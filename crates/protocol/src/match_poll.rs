//! Polls of a match, as games are told of them (`spec 2.10`).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::poll::{PollStatus, VoteStatistics};

/// Entries of `results`, always.
const RESULTS: usize = 32;

/// The numbers of a poll of a match, of one channel or of all.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MatchPollResult {
    /// Votes of the values 0 to 31.
    pub results: Vec<i64>,
    /// Their sample deviation; 0 under two votes.
    pub stddev: f64,
    /// Mean of all votes; 0 without votes.
    pub mean: f64,
    /// Sum of all votes.
    pub sum: i64,
    /// Votes, also those outside of `results`.
    pub count: i64,
    /// How far the poll is.
    pub status: PollStatus,
}

impl MatchPollResult {
    /// Numbers and a status.
    pub fn new(numbers: &VoteStatistics, status: PollStatus) -> Self {
        let counted = numbers.specific.iter().copied();
        Self {
            results: counted.chain(std::iter::repeat(0)).take(RESULTS).collect(),
            stddev: numbers.stddev,
            mean: numbers.mean,
            sum: numbers.sum,
            count: numbers.count,
            status,
        }
    }
}

/// Data of a `match_poll` event.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MatchPollReport {
    /// The match.
    pub match_id: String,
    /// The poll.
    pub poll_id: String,
    /// All channels together.
    pub overall: MatchPollResult,
    /// Every channel of the match, by its id.
    pub results: BTreeMap<String, MatchPollResult>,
}
