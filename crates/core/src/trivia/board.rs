//! How teams did: counted when a winner is declared, and summed up as a leaderboard.

use std::collections::{BTreeMap, HashMap};

use crowdlink_protocol::{TriviaLeaderboard, TriviaLeaderboardTeam, TriviaScore};
use crowdlink_store::Store;
use serde::{Deserialize, Serialize};

use super::contest::{Index, READ_TOGETHER};
use super::place::Place;
use crate::error::Error;

/// Teams that a leaderboard shows.
pub(super) const BOARD_TEAMS_MAX: usize = 1_000;
/// Points of a team all of whose members voted for the winner.
const POINTS_MAX: u64 = 100_000;
/// What is added where its broadcaster did too: 10 %.
const LEADER_POINTS_MAX: u64 = POINTS_MAX / 10;
/// What a team costs beside its name and its standings.
const TEAM_BYTES: usize = 128;

/// How a team did in a question at the moment when its winner was declared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Standing {
    pub(super) team: String,
    /// Whether its broadcaster voted for the winner.
    pub(super) leader: bool,
    pub(super) members: u64,
    pub(super) votes: u64,
    /// Votes for the winner.
    pub(super) correct: u64,
}

/// The leaderboard as of one version of the contest.
#[derive(Debug, Default)]
pub(super) struct Board {
    pub(super) version: u64,
    /// Ids of the questions that count.
    questions: Vec<String>,
    /// The best first.
    teams: Vec<Team>,
}

#[derive(Debug)]
struct Team {
    id: String,
    score: f64,
    /// In the order of the board's questions.
    standings: Vec<Standing>,
}

impl Standing {
    /// Points of the members, and those added for the broadcaster: 100,000 × percent_correct ×
    /// team_participation, +10 % (`spec 3.7`). The votes cancel out: so rounded once.
    fn points(&self) -> [f64; 2] {
        let points = |max: u64| fraction(max.saturating_mul(self.correct), self.members);
        let added = if self.leader {
            points(LEADER_POINTS_MAX)
        } else {
            0.0
        };
        [points(POINTS_MAX), added]
    }

    fn score(&self, question: &str) -> TriviaScore {
        TriviaScore {
            question_id: question.to_owned(),
            broadcaster_correct: self.leader,
            team_participation: fraction(self.votes, self.members),
            team_participants: self.votes,
            percent_correct: fraction(self.correct, self.votes),
            team_votes: self.votes,
            score_values: self.points(),
        }
    }
}

/// A part of a whole; nothing of nothing is 0.
#[expect(clippy::cast_precision_loss, reason = "votes are fewer than 2^53")]
fn fraction(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

impl Board {
    pub(super) async fn read(
        store: &dyn Store,
        place: &Place,
        index: &Index,
        version: u64,
    ) -> Result<Self, Error> {
        let scored: Vec<_> = index.questions.iter().filter(|q| q.scored).collect();
        let questions: Vec<String> = scored.iter().map(|q| q.id.clone()).collect();
        let mut all = Vec::with_capacity(scored.len());
        for some in scored.chunks(READ_TOGETHER) {
            let keys: Vec<String> = some.iter().map(|q| place.standings(&q.run)).collect();
            for record in store.get_many(&keys).await? {
                // One that was deleted since has none: whoever comes next sees another version.
                let standings = record.map(|record| serde_json::from_slice(&record.value));
                all.push(standings.transpose()?.unwrap_or_default());
            }
        }
        Ok(Self::of(questions, all, version))
    }

    fn of(questions: Vec<String>, all: Vec<Vec<Standing>>, version: u64) -> Self {
        let none = vec![Standing::default(); questions.len()];
        let mut teams: HashMap<String, Vec<Standing>> = HashMap::new();
        for (number, standings) in all.into_iter().enumerate() {
            for standing in standings {
                let team = teams.entry(standing.team.clone());
                if let Some(place) = team.or_insert_with(|| none.clone()).get_mut(number) {
                    *place = standing;
                }
            }
        }
        let team = |(id, standings): (String, Vec<Standing>)| {
            let score = standings.iter().flat_map(Standing::points).sum();
            Team {
                id,
                score,
                standings,
            }
        };
        let mut teams: Vec<Team> = teams.into_iter().map(team).collect();
        teams.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.id.cmp(&b.id)));
        Self {
            version,
            questions,
            teams,
        }
    }

    /// What it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        let standing = |standing: &Standing| size_of::<Standing>() + standing.team.len();
        let team = |team: &Team| {
            TEAM_BYTES + team.id.len() + team.standings.iter().map(standing).sum::<usize>()
        };
        self.teams.iter().map(team).sum()
    }

    /// The best teams, and one's own wherever it stands.
    pub(super) fn view(&self, own: Option<&str>) -> TriviaLeaderboard {
        let teams = self.teams.iter().enumerate();
        let shown = teams
            .filter(|(place, team)| *place < BOARD_TEAMS_MAX || own == Some(team.id.as_str()))
            .map(|(_, team)| self.team(team));
        TriviaLeaderboard {
            leaderboard: shown.collect(),
        }
    }

    fn team(&self, team: &Team) -> TriviaLeaderboardTeam {
        let scores = self.questions.iter().zip(&team.standings);
        let questions: BTreeMap<String, TriviaScore> = scores
            .map(|(id, standing)| (id.clone(), standing.score(id)))
            .collect();
        TriviaLeaderboardTeam {
            team_id: team.id.clone(),
            combined_score: team.score,
            questions,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(team: &str, leader: bool, [members, votes, correct]: [u64; 3]) -> Standing {
        Standing {
            team: team.to_owned(),
            leader,
            members,
            votes,
            correct,
        }
    }

    fn board(all: Vec<Vec<Standing>>) -> Board {
        let questions = (0..all.len()).map(|n| format!("q{n}")).collect();
        Board::of(questions, all, 1)
    }

    #[test]
    fn a_team_without_members_or_votes_has_no_points_and_no_infinity() {
        let board = board(vec![vec![
            standing("alone", true, [0, 0, 0]),
            standing("silent", true, [3, 0, 0]),
        ]]);
        for team in board.view(None).leaderboard {
            let score = &team.questions["q0"];
            assert_eq!((team.combined_score, score.score_values), (0.0, [0.0, 0.0]));
            assert_eq!(
                (score.percent_correct, score.team_participation),
                (0.0, 0.0)
            );
        }
    }

    #[test]
    fn teams_are_sorted_by_score_then_by_name_and_miss_no_question() {
        let board = board(vec![
            vec![
                standing("b", false, [2, 1, 1]),
                standing("a", false, [2, 2, 1]),
            ],
            vec![standing("c", true, [1, 1, 1])],
        ]);
        let shown = board.view(None).leaderboard;
        let ids: Vec<&str> = shown.iter().map(|team| team.team_id.as_str()).collect();
        assert_eq!(ids, ["c", "a", "b"]);
        let points = shown[0].questions["q1"].score_values.map(|p| p.to_string());
        assert_eq!(points, ["100000", "10000"]);
        assert!(shown.iter().all(|team| team.questions.len() == 2));
    }

    #[test]
    fn the_board_shows_the_best_thousand_and_ones_own() {
        let name = |n: usize| format!("{n:05}");
        let standings = (0..BOARD_TEAMS_MAX + 2).map(|n| standing(&name(n), false, [1, 1, 1]));
        let board = board(vec![standings.collect()]);
        assert_eq!(board.view(None).leaderboard.len(), BOARD_TEAMS_MAX);
        let own = name(BOARD_TEAMS_MAX + 1);
        let shown = board.view(Some(&own)).leaderboard;
        assert_eq!(shown.len(), BOARD_TEAMS_MAX + 1);
        assert_eq!(shown[BOARD_TEAMS_MAX].team_id, own);
        assert_eq!(board.view(Some("none")).leaderboard.len(), BOARD_TEAMS_MAX);
    }
}
