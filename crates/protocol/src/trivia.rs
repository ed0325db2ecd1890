//! Shapes of trivia (`spec 3.7`).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Number;

/// What a question takes and shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum QuestionState {
    /// Only trusted callers see it.
    #[serde(rename = "state-inactive")]
    Inactive,
    /// It takes votes.
    #[serde(rename = "state-unlocked")]
    Unlocked,
    /// It takes no votes any more.
    #[serde(rename = "state-locked")]
    Locked,
    /// Its winner and its counts are shown.
    #[serde(rename = "state-results")]
    Results,
}

impl QuestionState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Inactive, Self::Unlocked, Self::Locked, Self::Results];

    /// The name used on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "state-inactive",
            Self::Unlocked => "state-unlocked",
            Self::Locked => "state-locked",
            Self::Results => "state-results",
        }
    }
}

impl fmt::Display for QuestionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for QuestionState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a state of a question"))
    }
}

/// A question or an option as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriviaText {
    /// What calls name it by.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its name where there is little room.
    pub short_name: String,
    /// More about it.
    pub description: String,
    /// The address of a picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Its place among the others; without one it counts as 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Number>,
}

/// A question as it is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriviaQuestion {
    /// The question as it was written.
    #[serde(flatten)]
    pub text: TriviaText,
    /// What it takes and shows.
    pub state: QuestionState,
    /// Its options, by `order`.
    pub options: Vec<TriviaText>,
    /// What the caller may know of its votes.
    pub results: TriviaResults,
}

/// What is known of a question's votes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriviaResults {
    /// The option that the caller voted for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub you: Option<String>,
    /// The option that won; in [`QuestionState::Results`] alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub winner: Option<String>,
    /// Votes of each option; in [`QuestionState::Results`] alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub votes: Option<BTreeMap<String, u64>>,
}

/// Answer of `curated_poll`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TriviaQuestions {
    /// The questions, by `order`.
    pub questions: Vec<TriviaQuestion>,
}

/// Answer of `curated_poll_state`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct TriviaState {
    /// The state now.
    pub state: QuestionState,
}

/// Answer of `team_membership`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TriviaTeam {
    /// The team: the channel that it began in.
    pub id: String,
}

/// Answer of `curated_poll_leaderboard`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TriviaLeaderboard {
    /// The teams, the best first.
    pub leaderboard: Vec<TriviaLeaderboardTeam>,
}

/// A team on the leaderboard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TriviaLeaderboardTeam {
    /// The team.
    pub team_id: String,
    /// Its points of all questions.
    #[serde(serialize_with = "plain")]
    pub combined_score: f64,
    /// How it did in each question that had a winner declared, by the question's id.
    pub questions: BTreeMap<String, TriviaScore>,
}

/// How a team did in a question when its winner was declared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TriviaScore {
    /// The question.
    pub question_id: String,
    /// Whether the team's broadcaster voted for the winner.
    pub broadcaster_correct: bool,
    /// Members who voted, of all members: 0 to 1.
    #[serde(serialize_with = "plain")]
    pub team_participation: f64,
    /// Members who voted.
    pub team_participants: u64,
    /// Votes for the winner, of the members' votes: 0 to 1.
    #[serde(serialize_with = "plain")]
    pub percent_correct: f64,
    /// The members' votes.
    pub team_votes: u64,
    /// What the score is made of: points of the members, points added for the broadcaster.
    #[serde(serialize_with = "all_plain")]
    pub score_values: [f64; 2],
}

/// The largest whole number up to which a float is exact.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// A number as browsers write it: without `.0` where it is whole.
struct Plain(f64);

impl Serialize for Plain {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it was found whole and small"
    )]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.fract() == 0.0 && self.0.abs() <= EXACT_MAX {
            serializer.serialize_i64(self.0 as i64)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it so")]
fn plain<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    Plain(*number).serialize(serializer)
}

fn all_plain<S: Serializer>(numbers: &[f64; 2], serializer: S) -> Result<S::Ok, S::Error> {
    numbers.map(Plain).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whole_numbers_are_written_without_a_fraction() {
        let write = |number: f64| serde_json::to_string(&Plain(number)).unwrap();
        assert_eq!(write(110_000.0), "110000");
        assert_eq!(write(0.0), "0");
        assert_eq!(write(0.5), "0.5");
        assert!(write(1e300).starts_with("1e"));
    }

    #[test]
    fn a_question_reads_as_it_was_written_and_what_is_absent_stays_absent() {
        let question = json!({
            "id": "q", "name": "Q", "short_name": "q", "description": "", "order": 1.5,
            "state": "state-locked", "options": [], "results": {},
        });
        let read: TriviaQuestion = serde_json::from_value(question.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), question);
    }

    #[test]
    fn states_have_their_names_everywhere() {
        for state in QuestionState::ALL {
            assert_eq!(json!(state), json!(state.as_str()));
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert!("locked".parse::<QuestionState>().is_err());
    }
}
