//! A poll that keeps every vote and counts them all when asked (`spec 3.6`).

use std::collections::BTreeMap;

use crowdlink_core::Refusal;
use crowdlink_core::polls::LogEntry;
use crowdlink_protocol::{PollConfigChange, VoteStatistics};

/// A poll is gone so long after its last vote.
pub const DAYS_7_MS: i64 = 7 * 24 * 60 * 60 * 1_000;

/// What is done to the poll.
#[derive(Clone, Debug)]
pub enum Op {
    Vote {
        voter: usize,
        value: i64,
        count: i64,
    },
    Modify {
        voter: usize,
        add: i64,
    },
    Configure(PollConfigChange),
    Create {
        config: PollConfigChange,
        fresh: bool,
    },
    Delete,
}

/// What that answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    Voted(Option<i64>),
    Created(Option<i64>),
    Done,
    Refused(Refusal),
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Vote {
    value: i64,
    count: i64,
    at_ms: i64,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Voter {
    modifier: i64,
    votes: Vec<Vote>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Poll {
    defined: bool,
    /// In all, for one value, values.
    limits: (i64, i64, usize),
    disabled: bool,
    kept_until_ms: i64,
    last_vote_ms: i64,
    voters: BTreeMap<usize, Voter>,
}

impl Poll {
    const fn opened(now_ms: i64) -> Self {
        Self {
            defined: false,
            limits: (1, 1, 1),
            disabled: false,
            kept_until_ms: now_ms + DAYS_7_MS,
            last_vote_ms: 0,
            voters: BTreeMap::new(),
        }
    }

    fn configure(&mut self, change: &PollConfigChange) {
        let (total, option, distinct) = &mut self.limits;
        *total = change.total_votes_per_user.map_or(*total, i64::from);
        *option = change.votes_per_option.map_or(*option, i64::from);
        *distinct = change
            .distinct_options_per_user
            .map_or(*distinct, usize::from);
        self.disabled = change.disabled.unwrap_or(self.disabled);
    }

    /// Every vote that counts, one by one.
    pub fn values(&self) -> Vec<i64> {
        let mut values = Vec::new();
        for voter in self.voters.values() {
            for vote in &voter.votes {
                let times = vote.count * (1 + voter.modifier).max(0);
                values.extend((0..times).map(|_| vote.value));
            }
        }
        values
    }

    pub fn vote_of(&self, voter: usize) -> Option<i64> {
        let votes = &self.voters.get(&voter)?.votes;
        votes.last().map(|vote| vote.value)
    }

    /// Voter, value and time of each row of the log, sorted.
    pub fn log(&self) -> Vec<(String, i64, i64)> {
        let rows = self.voters.iter().flat_map(|(name, voter)| {
            let row = |vote: &Vote| (name.to_string(), vote.value, vote.at_ms);
            voter.votes.iter().map(row)
        });
        let mut rows: Vec<_> = rows.collect();
        rows.sort();
        rows
    }

    fn vote(&mut self, voter: usize, (value, count): (i64, i64), now_ms: i64) -> Told {
        if self.disabled {
            return Told::Refused(Refusal::PollClosed);
        }
        let given = &mut self.voters.entry(voter).or_default().votes;
        let (total, option, distinct) = self.limits;
        let mut after = given.clone();
        if total == 1 {
            after.clear();
        }
        let before = after.iter().find(|vote| vote.value == value);
        let before = before.map_or(0, |vote| vote.count);
        after.retain(|vote| vote.value != value);
        after.push(Vote {
            value,
            count: before + count,
            at_ms: now_ms,
        });
        let all: i64 = after.iter().map(|vote| vote.count).sum();
        let too_many = all > total || before + count > option || after.len() > distinct;
        // With one vote there is nothing else to be limited.
        if (total == 1 && count > 1) || (total > 1 && too_many) {
            return Told::Refused(Refusal::UnacceptableVote);
        }
        *given = after;
        self.last_vote_ms = now_ms;
        Told::Voted(Some(value))
    }
}

/// The poll if it is there after `op`, and what that answered.
pub fn apply(poll: Option<Poll>, op: &Op, now_ms: i64) -> (Option<Poll>, Told) {
    let poll = alive(poll, now_ms);
    match op {
        Op::Vote {
            voter,
            value,
            count,
        } => {
            let mut after = poll.clone().unwrap_or_else(|| Poll::opened(now_ms));
            let told = after.vote(*voter, (*value, *count), now_ms);
            let refused = matches!(told, Told::Refused(_));
            (if refused { poll } else { Some(after) }, told)
        }
        Op::Modify { voter, add } => {
            let mut after = poll.unwrap_or_else(|| Poll::opened(now_ms));
            after.voters.entry(*voter).or_default().modifier += add;
            (Some(after), Told::Done)
        }
        Op::Configure(change) => {
            let mut after = poll.clone().unwrap_or_else(|| Poll::opened(now_ms));
            after.configure(change);
            after.defined = true;
            if poll.as_ref() != Some(&after) {
                after.kept_until_ms = now_ms + DAYS_7_MS;
            }
            (Some(after), Told::Done)
        }
        Op::Create { config, fresh } => {
            let kept = poll.filter(|_| !fresh);
            let mut after = Poll::opened(now_ms);
            after.defined = true;
            after.configure(config);
            if let Some(kept) = kept {
                after.voters = kept.voters;
                after.last_vote_ms = kept.last_vote_ms;
            }
            let votes = i64::try_from(after.values().len()).unwrap();
            (
                Some(after),
                Told::Created(Some(votes).filter(|votes| *votes > 0)),
            )
        }
        Op::Delete => (None, Told::Done),
    }
}

/// The poll, unless its time is over.
pub fn alive(poll: Option<Poll>, now_ms: i64) -> Option<Poll> {
    poll.filter(|poll| now_ms < poll.kept_until_ms.max(poll.last_vote_ms + DAYS_7_MS))
}

/// Voter, value and time of each row of a log, sorted; sees that it is in the order of time.
pub fn rows(log: &[LogEntry]) -> Vec<(String, i64, i64)> {
    assert!(log.is_sorted_by_key(|row| row.timestamp), "{log:?}");
    assert!(
        log.iter()
            .all(|row| row.opaque == format!("U{}", row.identifier))
    );
    let row = |row: &LogEntry| (row.identifier.clone(), row.value, row.timestamp);
    let mut rows: Vec<_> = log.iter().map(row).collect();
    rows.sort();
    rows
}

/// Whether numbers are those of these votes, recomputed in the plainest way.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
pub fn are_of(numbers: &VoteStatistics, values: &[i64]) -> bool {
    let count = values.len() as f64;
    let mean = values.iter().sum::<i64>() as f64 / count.max(1.0);
    let spread: f64 = values
        .iter()
        .map(|value| (*value as f64 - mean).powi(2))
        .sum();
    let deviation = if values.len() < 2 {
        0.0
    } else {
        (spread / (count - 1.0)).sqrt()
    };
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * b.abs().max(1.0);
    let of = |wanted: i64| values.iter().filter(|value| **value == wanted).count();
    let counters = (0..64).map(|value| i64::try_from(of(value)).unwrap());
    usize::try_from(numbers.count) == Ok(values.len())
        && numbers.sum == values.iter().sum::<i64>()
        && close(numbers.mean, mean)
        && close(numbers.stddev, deviation)
        && numbers.specific.iter().copied().eq(counters)
}
