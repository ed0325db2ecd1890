//! What one voter said in one run of a poll.

use serde::{Deserialize, Serialize};

use super::head::VoterLimits;
use super::tally::Tally;
use crate::error::Refusal;

/// The heaviest that a voter's vote can become.
pub(super) const WEIGHT_MAX: u64 = 1_000_000;

/// Votes of one voter for one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cast {
    pub(super) value: i64,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub(super) count: u16,
    /// When the last of them was given (Unix ms).
    pub(super) at_ms: i64,
}

/// All that one voter said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ballot {
    /// The opaque id, for the log, where it is not the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) opaque: Option<String>,
    /// Sum of the modifiers.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) modifier: i64,
    /// The node that wrote it, whose tally counts it.
    #[serde(default, skip_serializing_if = "is_first")]
    pub(super) node: u32,
    /// In the order they were given: the last is the newest.
    pub(super) votes: Vec<Cast>,
}

/// The opaque id of a voter where nothing else is known (`spec 6.3`); most have just this one.
pub(super) fn usual_opaque(voter: &str) -> String {
    format!("U{voter}")
}

const fn one() -> u16 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
const fn is_one(count: &u16) -> bool {
    *count == 1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
const fn is_zero(number: &i64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
const fn is_first(node: &u32) -> bool {
    *node == 0
}

impl Ballot {
    /// How much a vote of this voter counts.
    pub(super) fn weight(&self) -> i64 {
        self.modifier.saturating_add(1).max(0)
    }

    /// The value voted for last.
    pub(super) fn vote(&self) -> Option<i64> {
        self.votes.last().map(|cast| cast.value)
    }

    /// Whether this vote of that moment still stands.
    pub(super) fn has(&self, value: i64, at_ms: i64) -> bool {
        let mut votes = self.votes.iter();
        votes.any(|cast| (cast.value, cast.at_ms) == (value, at_ms))
    }

    /// Adds all of it to a tally, or takes it away with `sign` -1.
    pub(super) fn count_in(&self, tally: &mut Tally, sign: i64) {
        let weight = self.weight();
        for cast in &self.votes {
            tally.add(cast.value, i64::from(cast.count) * weight * sign);
        }
    }

    /// Votes, or refuses with nothing changed. Where a voter has one vote it replaces the earlier
    /// one; otherwise votes add up (`spec 6.3`).
    pub(super) fn cast(
        &mut self,
        limits: VoterLimits,
        value: i64,
        count: u16,
        at_ms: i64,
    ) -> Result<(), Refusal> {
        if limits.total == 1 {
            if count > 1 {
                return Err(Refusal::UnacceptableVote);
            }
            self.votes.clear();
            self.votes.push(Cast {
                value,
                count,
                at_ms,
            });
            return Ok(());
        }
        let total: u32 = self.votes.iter().map(|cast| u32::from(cast.count)).sum();
        let before = self.votes.iter().position(|cast| cast.value == value);
        let given = before
            .and_then(|at| self.votes.get(at))
            .map_or(0, |cast| cast.count);
        let distinct = self.votes.len() + usize::from(before.is_none());
        if total + u32::from(count) > u32::from(limits.total)
            || given.saturating_add(count) > limits.per_option
            || distinct > usize::from(limits.distinct)
        {
            return Err(Refusal::UnacceptableVote);
        }
        if let Some(at) = before {
            self.votes.remove(at);
        }
        self.votes.push(Cast {
            value,
            count: given + count,
            at_ms,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANY: VoterLimits = VoterLimits {
        total: 5,
        per_option: 3,
        distinct: 2,
    };

    #[test]
    fn with_one_vote_the_later_one_replaces() {
        let one = VoterLimits {
            total: 1,
            per_option: 1,
            distinct: 1,
        };
        let mut ballot = Ballot::default();
        assert_eq!(ballot.cast(one, 4, 1, 10), Ok(()));
        assert_eq!(ballot.cast(one, 5, 1, 11), Ok(()));
        assert_eq!(ballot.cast(one, 6, 2, 12), Err(Refusal::UnacceptableVote));
        assert_eq!((ballot.vote(), ballot.votes.len()), (Some(5), 1));
    }

    #[test]
    fn with_more_they_add_up_to_each_limit_and_not_beyond() {
        let mut ballot = Ballot::default();
        assert_eq!(ballot.cast(MANY, 1, 3, 1), Ok(()));
        assert_eq!(ballot.cast(MANY, 1, 1, 2), Err(Refusal::UnacceptableVote));
        assert_eq!(ballot.cast(MANY, 2, 1, 3), Ok(()));
        assert_eq!(ballot.cast(MANY, 3, 1, 4), Err(Refusal::UnacceptableVote));
        assert_eq!(ballot.cast(MANY, 2, 2, 5), Err(Refusal::UnacceptableVote));
        assert_eq!(ballot.cast(MANY, 2, 1, 6), Ok(()));
        assert_eq!(ballot.cast(MANY, 2, 1, 7), Err(Refusal::UnacceptableVote));
        let mut tally = Tally::default();
        ballot.count_in(&mut tally, 1);
        assert_eq!((tally.count(), ballot.vote()), (5, Some(2)));
    }

    #[test]
    fn what_is_usual_is_not_written_and_is_read_where_it_was() {
        let cast = Cast {
            value: 4,
            count: 1,
            at_ms: 10,
        };
        let ballot = Ballot {
            votes: vec![cast],
            ..Ballot::default()
        };
        let written = serde_json::to_string(&ballot).unwrap();
        assert_eq!(written, r#"{"votes":[{"value":4,"at_ms":10}]}"#);
        let long = r#"{"opaque":"U1","votes":[{"value":4,"count":1,"at_ms":10}]}"#;
        let read: Ballot = serde_json::from_str(long).unwrap();
        assert_eq!(
            (read.opaque.as_deref(), &read.votes),
            (Some("U1"), &ballot.votes)
        );
        assert_eq!(serde_json::from_str::<Ballot>(&written).unwrap(), ballot);
    }

    #[test]
    fn a_weight_is_never_below_nothing() {
        let ballot = Ballot {
            modifier: -3,
            ..Ballot::default()
        };
        assert_eq!(ballot.weight(), 0);
    }
}
