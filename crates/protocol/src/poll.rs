//! Polls and votes: what both edges read and tell (`spec 2.6`, `spec 3.6`).

use std::ops::Deref;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Votes of these values, from 0, are counted each by itself.
pub const POLL_COUNTERS: usize = 64;
/// Entries of `results` where a poll has votes but no definition.
const RESULTS_UNDEFINED: usize = 32;
/// A moment after this is meant in milliseconds, by mistake.
const UNIX_S_MAX: i64 = 99_999_999_999;
/// The longest that a poll may start or end from now.
const AHEAD_S_MAX: i64 = 100 * 366 * 24 * 60 * 60;

/// How far a poll is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PollStatus {
    /// Before its start.
    Pending,
    /// From its start to its end; a disabled poll too.
    Active,
    /// After its end.
    Expired,
}

/// A field of a request that is not as it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {expected}")]
pub struct FieldError {
    /// The field.
    pub field: &'static str,
    /// What it must be.
    pub expected: &'static str,
}

/// The fields of a poll's `config` that a request names; those left out keep their value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PollConfigChange {
    /// `userIDVoting`: only viewers who share their identity may vote.
    pub user_id_voting: Option<bool>,
    /// `distinctOptionsPerUser`, 1 to 258.
    pub distinct_options_per_user: Option<u16>,
    /// `totalVotesPerUser`, 1 to 1,024.
    pub total_votes_per_user: Option<u16>,
    /// `votesPerOption`, 1 to 1,024.
    pub votes_per_option: Option<u16>,
    /// `disabled`: takes no votes.
    pub disabled: Option<bool>,
    /// `startsAt`, Unix seconds; 0 for none.
    pub starts_at_s: Option<i64>,
    /// `endsAt`, Unix seconds; 0 for none, -1 for now.
    pub ends_at_s: Option<i64>,
    /// `startsIn`, seconds from now, where `startsAt` is left out or 0.
    pub starts_in_s: Option<i64>,
    /// `endsIn`, likewise.
    pub ends_in_s: Option<i64>,
}

impl PollConfigChange {
    /// Reads the fields; `null` counts as left out, other fields are ignored.
    pub fn from_fields(fields: &Map<String, Value>) -> Result<Self, FieldError> {
        let flag = |field| flag(fields, field);
        let number = |field, range, expected| number(fields, field, range, expected);
        let moment = |field, from, expected| number(field, (from, UNIX_S_MAX), expected);
        let ahead = |field| {
            let expected = "must be a whole number of seconds from now, at most a hundred years";
            number(field, (0, AHEAD_S_MAX), expected)
        };
        let votes = "must be a whole number from 1 to 1024";
        Ok(Self {
            user_id_voting: flag("userIDVoting")?,
            distinct_options_per_user: small(number(
                "distinctOptionsPerUser",
                (1, 258),
                "must be a whole number from 1 to 258",
            )?),
            total_votes_per_user: small(number("totalVotesPerUser", (1, 1_024), votes)?),
            votes_per_option: small(number("votesPerOption", (1, 1_024), votes)?),
            disabled: flag("disabled")?,
            starts_at_s: moment("startsAt", 0, "must be Unix seconds, or 0")?,
            ends_at_s: moment("endsAt", -1, "must be Unix seconds, 0, or -1 for now")?,
            starts_in_s: ahead("startsIn")?,
            ends_in_s: ahead("endsIn")?,
        })
    }
}

fn flag(fields: &Map<String, Value>, field: &'static str) -> Result<Option<bool>, FieldError> {
    match fields.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_)) => {
            let expected = "must be true or false";
            Err(FieldError { field, expected })
        }
    }
}

fn number(
    fields: &Map<String, Value>,
    field: &'static str,
    (from, to): (i64, i64),
    expected: &'static str,
) -> Result<Option<i64>, FieldError> {
    match fields.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value
            .as_i64()
            .filter(|number| (from..=to).contains(number))
            .map(Some)
            .ok_or(FieldError { field, expected }),
    }
}

fn small(number: Option<i64>) -> Option<u16> {
    number.and_then(|number| u16::try_from(number).ok())
}

/// What a poll asks, as far as a request says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PollDefinitionChange {
    /// The question.
    pub prompt: Option<String>,
    /// The answers to choose from.
    pub options: Option<Vec<String>>,
    /// Whatever the game wants to find there again.
    pub user_data: Option<Value>,
}

impl PollDefinitionChange {
    /// Reads the fields; `user_data` stands under a name of its own on each edge.
    pub fn from_fields(
        fields: &Map<String, Value>,
        user_data: &'static str,
    ) -> Result<Self, FieldError> {
        let prompt = match fields.get("prompt") {
            None | Some(Value::Null) => None,
            Some(Value::String(prompt)) => Some(prompt.clone()),
            Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                return Err(FieldError {
                    field: "prompt",
                    expected: "must be a string",
                });
            }
        };
        let not_options = FieldError {
            field: "options",
            expected: "must be a list of strings",
        };
        let options = match fields.get("options") {
            None | Some(Value::Null) => None,
            Some(Value::Array(options)) => {
                let text = |option: &Value| option.as_str().map(str::to_owned);
                let options: Option<Vec<String>> = options.iter().map(text).collect();
                Some(options.ok_or(not_options)?)
            }
            Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
                return Err(not_options);
            }
        };
        let user_data = fields.get(user_data).filter(|data| !data.is_null());
        Ok(Self {
            prompt,
            options,
            user_data: user_data.cloned(),
        })
    }
}

/// The numbers of a poll: all of one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VoteStatistics {
    /// Votes, weighted by their modifiers.
    pub count: i64,
    /// Sum of their values.
    pub sum: i64,
    /// Their mean; 0 without votes.
    pub mean: f64,
    /// Their sample deviation; 0 under two votes.
    pub stddev: f64,
    /// How many votes each of the values 0 to 63 has.
    pub specific: Vec<i64>,
}

/// Numbers that many voters are told alike: their text is made once.
#[derive(Debug)]
pub struct VoteNumbers {
    statistics: VoteStatistics,
    json: OnceLock<String>,
}

impl VoteNumbers {
    /// What `vote` answers (`spec 3.6`), as JSON: the numbers twice, for older clients look at
    /// either, `decay`, always empty, for which clients look, and the value that the caller voted
    /// for last.
    ///
    /// # Errors
    /// Where a number has no JSON.
    pub fn report(&self, vote: Option<i64>) -> serde_json::Result<String> {
        let stats = if let Some(json) = self.json.get() {
            json
        } else {
            let json = serde_json::to_string(&self.statistics)?;
            self.json.get_or_init(|| json)
        };
        let fields = stats.strip_suffix('}').unwrap_or_default();
        let vote = vote.map_or_else(String::new, |vote| format!("\"vote\":{vote},"));
        Ok([fields, ",\"decay\":{},", &vote, "\"stats\":", stats, "}"].concat())
    }
}

impl From<VoteStatistics> for VoteNumbers {
    fn from(statistics: VoteStatistics) -> Self {
        Self {
            statistics,
            json: OnceLock::new(),
        }
    }
}

impl Deref for VoteNumbers {
    type Target = VoteStatistics;

    fn deref(&self) -> &VoteStatistics {
        &self.statistics
    }
}

impl PartialEq for VoteNumbers {
    fn eq(&self, other: &Self) -> bool {
        self.statistics == other.statistics
    }
}

/// A poll, as reports show it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PollHead {
    /// Its id.
    pub poll_id: String,
    /// The question; empty where nobody defined it.
    pub prompt: String,
    /// The answers to choose from.
    pub options: Vec<String>,
    /// How far it is.
    pub status: PollStatus,
    /// There, and true, where it takes no votes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
    /// What the game put there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_data: Option<Value>,
}

/// The report on a poll, for `get` and for events (`spec 2.6`).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PollReport {
    /// The poll's id.
    pub topic_id: String,
    /// The poll.
    pub poll: PollHead,
    /// Votes of each option, at least one entry.
    pub results: Vec<i64>,
    /// Mean of all votes.
    pub mean: f64,
    /// Sum of all votes.
    pub sum: i64,
    /// Votes, also those outside the options.
    pub count: i64,
}

impl PollReport {
    /// The report of a poll and its numbers; `defined` where somebody told what it asks.
    pub fn new(poll: PollHead, defined: bool, numbers: &VoteStatistics) -> Self {
        let entries = if defined {
            poll.options.len().max(1)
        } else {
            RESULTS_UNDEFINED
        };
        let counted = numbers.specific.iter().copied();
        Self {
            topic_id: poll.poll_id.clone(),
            poll,
            results: counted.chain(std::iter::repeat(0)).take(entries).collect(),
            mean: numbers.mean,
            sum: numbers.sum,
            count: numbers.count,
        }
    }
}

/// A poll's definition as REST shows it (`vote_config`).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PollConfig {
    /// The poll's id.
    pub id: String,
    /// The question.
    pub prompt: String,
    /// The answers to choose from.
    pub options: Vec<String>,
    /// What the game put there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_data: Option<Value>,
    /// Only viewers who share their identity may vote.
    #[serde(rename = "userIDVoting")]
    pub user_id_voting: bool,
    /// Values that one voter may choose.
    pub distinct_options_per_user: u16,
    /// Votes of one voter; with 1 a new vote replaces the old one.
    pub total_votes_per_user: u16,
    /// Votes of one voter for one value.
    pub votes_per_option: u16,
    /// Takes no votes.
    pub disabled: bool,
    /// Unix seconds; 0 for none.
    pub starts_at: i64,
    /// Unix seconds; 0 for none.
    pub ends_at: i64,
    /// Always 0: the moment stands in `startsAt`.
    pub starts_in: i64,
    /// Always 0: the moment stands in `endsAt`.
    pub ends_in: i64,
    /// How far it is.
    pub status: PollStatus,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_has_the_numbers_twice_and_the_vote_where_there_is_one() {
        let numbers = VoteNumbers::from(VoteStatistics {
            count: 2,
            sum: -3,
            mean: -1.5,
            stddev: 0.5,
            specific: vec![0, 1],
        });
        let report = |vote| serde_json::from_str::<Value>(&numbers.report(vote).unwrap()).unwrap();
        let stats = json!({"count": 2, "sum": -3, "mean": -1.5, "stddev": 0.5, "specific": [0, 1]});
        let mut expected = stats.clone();
        expected["decay"] = json!({});
        expected["stats"] = stats;
        assert_eq!(report(None), expected);
        expected["vote"] = json!(-7);
        assert_eq!(report(Some(-7)), expected);
    }
}
