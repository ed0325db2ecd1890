//! What a poll is, beside its votes.

use crowdlink_protocol::{PollConfig, PollConfigChange, PollHead, PollStatus};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::of_match::Mark;
use crate::runs::Run;

/// What a voter may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct VoterLimits {
    /// Votes in all.
    pub(super) total: u16,
    /// Votes for one value.
    pub(super) per_option: u16,
    /// Values.
    pub(super) distinct: u16,
}

/// A poll, small enough to be read for each batch of votes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// The run that votes count for. Never the same again: a new run is empty (DESIGN 3).
    pub(super) run: Run,
    /// Grows whenever the poll is created over or opened again.
    pub(super) opened: u64,
    /// Whether somebody told what it asks; a first vote opens a poll too.
    pub(super) defined: bool,
    pub(super) limits: VoterLimits,
    pub(super) user_id_voting: bool,
    pub(super) disabled: bool,
    /// Unix ms; 0 for none.
    pub(super) starts_at_ms: i64,
    /// Unix ms; 0 for none.
    pub(super) ends_at_ms: i64,
    /// Until when it is kept without votes (Unix ms).
    pub(super) kept_until_ms: i64,
    /// Which match asks it; none where the channel does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) of_match: Option<Mark>,
}

/// What a poll asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Definition {
    pub(super) prompt: String,
    pub(super) options: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) user_data: Option<Value>,
}

impl Head {
    /// A poll with the defaults of `spec 2.6`, in a run of its own.
    pub(super) const fn new(run: Run) -> Self {
        Self {
            run,
            opened: 0,
            defined: false,
            limits: VoterLimits {
                total: 1,
                per_option: 1,
                distinct: 1,
            },
            user_id_voting: false,
            disabled: false,
            starts_at_ms: 0,
            ends_at_ms: 0,
            kept_until_ms: 0,
            of_match: None,
        }
    }

    pub(super) const fn status(&self, now_ms: i64) -> PollStatus {
        status_at((self.starts_at_ms, self.ends_at_ms), now_ms)
    }

    pub(super) fn takes_votes(&self, now_ms: i64) -> bool {
        !self.disabled && self.status(now_ms) == PollStatus::Active
    }

    /// Keeps it for so long without votes: from now, or from its start or end.
    pub(super) fn keep(&mut self, now_ms: i64, lifetime_ms: u64) {
        let from_ms = now_ms.max(self.starts_at_ms).max(self.ends_at_ms);
        self.kept_until_ms = from_ms.saturating_add_unsigned(lifetime_ms);
    }

    /// Takes over what a request names.
    pub(super) fn configure(&mut self, change: &PollConfigChange, now_ms: i64) {
        let set = |field: &mut u16, value: Option<u16>| *field = value.unwrap_or(*field);
        set(&mut self.limits.total, change.total_votes_per_user);
        set(&mut self.limits.per_option, change.votes_per_option);
        set(&mut self.limits.distinct, change.distinct_options_per_user);
        self.user_id_voting = change.user_id_voting.unwrap_or(self.user_id_voting);
        self.disabled = change.disabled.unwrap_or(self.disabled);
        if let Some(at_ms) = moment_ms(change.starts_at_s, change.starts_in_s, now_ms) {
            self.starts_at_ms = at_ms;
        }
        match change.ends_at_s {
            // However often it is stopped: it ended when it ended.
            Some(-1) if self.status(now_ms) == PollStatus::Expired => {}
            Some(-1) => self.ends_at_ms = now_ms,
            other => {
                if let Some(at_ms) = moment_ms(other, change.ends_in_s, now_ms) {
                    self.ends_at_ms = at_ms;
                }
            }
        }
    }

    /// As reports show it.
    pub(super) fn shown(&self, id: &str, definition: Definition, now_ms: i64) -> PollHead {
        PollHead {
            poll_id: id.to_owned(),
            prompt: definition.prompt,
            options: definition.options,
            status: self.status(now_ms),
            disabled: self.disabled,
            user_data: definition.user_data,
        }
    }

    /// As `vote_config` shows it.
    pub(super) fn config(&self, id: &str, definition: Definition, now_ms: i64) -> PollConfig {
        PollConfig {
            id: id.to_owned(),
            prompt: definition.prompt,
            options: definition.options,
            user_data: definition.user_data,
            user_id_voting: self.user_id_voting,
            distinct_options_per_user: self.limits.distinct,
            total_votes_per_user: self.limits.total,
            votes_per_option: self.limits.per_option,
            disabled: self.disabled,
            starts_at: whole_s(self.starts_at_ms),
            ends_at: whole_s(self.ends_at_ms),
            starts_in: 0,
            ends_in: 0,
            status: self.status(now_ms),
        }
    }
}

/// How far a poll is that starts and ends at these moments; 0 for none.
pub(super) const fn status_at((starts_at_ms, ends_at_ms): (i64, i64), now_ms: i64) -> PollStatus {
    if ends_at_ms != 0 && now_ms >= ends_at_ms {
        PollStatus::Expired
    } else if now_ms < starts_at_ms {
        PollStatus::Pending
    } else {
        PollStatus::Active
    }
}

/// The moment that a request names; `None` where it names none. The one from now counts where the
/// absolute one is left out or 0.
fn moment_ms(at_s: Option<i64>, in_s: Option<i64>, now_ms: i64) -> Option<i64> {
    match (at_s.unwrap_or(0), in_s.unwrap_or(0)) {
        (0, 0) => at_s.map(|_| 0),
        (0, in_s) => Some(now_ms.saturating_add(in_s.saturating_mul(1_000))),
        (at_s, _) => Some(at_s.saturating_mul(1_000)),
    }
}

/// Whole seconds; a moment between two is told as the later one, at which it has come.
const fn whole_s(at_ms: i64) -> i64 {
    at_ms / 1_000 + (at_ms % 1_000 > 0) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(change: PollConfigChange) -> Head {
        let mut head = Head::new(serde_json::from_str("\"r\"").unwrap());
        head.configure(&change, 10_000);
        head
    }

    #[test]
    fn the_moment_from_now_counts_where_the_absolute_one_is_not_given() {
        let both = |ends_at_s, ends_in_s| {
            let head = change(PollConfigChange {
                ends_at_s,
                ends_in_s,
                ..PollConfigChange::default()
            });
            head.ends_at_ms
        };
        assert_eq!(both(None, None), 0);
        assert_eq!(both(Some(0), Some(5)), 15_000);
        assert_eq!(both(None, Some(5)), 15_000);
        assert_eq!(both(Some(60), Some(5)), 60_000);
        assert_eq!(both(Some(-1), Some(5)), 10_000);
    }

    #[test]
    fn what_is_left_out_keeps_its_value_and_a_zero_takes_it_away() {
        let mut head = change(PollConfigChange {
            ends_at_s: Some(60),
            votes_per_option: Some(7),
            ..PollConfigChange::default()
        });
        head.configure(&PollConfigChange::default(), 11_000);
        assert_eq!((head.ends_at_ms, head.limits.per_option), (60_000, 7));
        let none = PollConfigChange {
            ends_at_s: Some(0),
            ..PollConfigChange::default()
        };
        head.configure(&none, 11_000);
        assert_eq!(head.ends_at_ms, 0);
    }

    #[test]
    fn a_poll_ends_once_however_often_it_is_stopped() {
        let stop = PollConfigChange {
            ends_at_s: Some(-1),
            ..PollConfigChange::default()
        };
        let mut head = change(stop);
        head.configure(&stop, 12_000);
        assert_eq!(head.ends_at_ms, 10_000);
        assert_eq!(head.status(10_000), PollStatus::Expired);
        assert_eq!(head.status(9_999), PollStatus::Active);
    }

    #[test]
    fn a_poll_begins_at_its_start() {
        let head = change(PollConfigChange {
            starts_in_s: Some(3),
            ends_in_s: Some(5),
            ..PollConfigChange::default()
        });
        let status = |at_ms| head.status(at_ms);
        assert_eq!(status(12_999), PollStatus::Pending);
        assert_eq!(status(13_000), PollStatus::Active);
        assert_eq!(status(15_000), PollStatus::Expired);
    }
}
