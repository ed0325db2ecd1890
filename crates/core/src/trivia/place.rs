//! Where the records of a contest stand: the one of an extension on a stage.

use crowdlink_protocol::{ClientId, Stage};

use crate::caller::Caller;
use crate::keys;
use crate::runs::{Run, Watch};

/// The kind of the rows of a run.
const TALLIES: &str = "trivia-tallies";
/// The row of a team's tally that holds its broadcaster's vote.
const LEADER: &str = "leader";

/// A contest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) stage: Stage,
    pub(super) client_id: ClientId,
}

impl Place {
    pub(super) fn of(caller: &Caller) -> Self {
        Self {
            stage: caller.stage,
            client_id: caller.client_id().clone(),
        }
    }

    fn key(&self, kind: &str, parts: &[&str]) -> String {
        let mut key = keys::kind(self.stage, &self.client_id, kind);
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                key.push('/');
            }
            keys::push_segment(&mut key, part);
        }
        key
    }

    /// Which questions there are. Every change of the contest but votes writes it.
    pub(super) fn index(&self) -> String {
        self.key("trivia-contest", &["index"])
    }

    /// How many teams there are.
    pub(super) fn team_count(&self) -> String {
        self.key("trivia-contest", &["teams"])
    }

    /// A question.
    pub(super) fn question(&self, id: &str) -> String {
        self.key("trivia-questions", &[id])
    }

    /// A voter: team and votes.
    pub(super) fn voter(&self, identity: &str) -> String {
        self.key("trivia-voters", &[identity])
    }

    /// That a team is there.
    pub(super) fn team(&self, team: &str) -> String {
        self.key("trivia-teams", &[team])
    }

    /// Members of a team, as one share of them was counted.
    pub(super) fn members(&self, team: &str, share: &str) -> String {
        self.key("trivia-members", &[team, share])
    }

    /// Before the members of all teams.
    pub(super) fn all_members(&self) -> String {
        self.key("trivia-members", &[])
    }

    /// Votes of a team in a run, as one share of them was counted.
    pub(super) fn tally(&self, run: &Run, team: &str, share: &str) -> String {
        let mut key = self.tallies(run);
        keys::push_segment(&mut key, team);
        key.push('/');
        key.push_str(share);
        key
    }

    /// The vote of a team's broadcaster.
    pub(super) fn leader(&self, run: &Run, team: &str) -> String {
        self.tally(run, team, LEADER)
    }

    /// Before the votes of all teams in a run.
    pub(super) fn tallies(&self, run: &Run) -> String {
        run.rows(self.stage, &self.client_id, TALLIES)
    }

    /// What is to be removed when a run is dropped.
    pub(super) fn watch(&self, run: &Run) -> Watch {
        Watch::new(run, self.index(), (self.stage, &self.client_id), &[TALLIES])
    }

    /// How the teams did in a run.
    pub(super) fn standings(&self, run: &Run) -> String {
        self.key("trivia-standings", &[run.as_str()])
    }
}

/// The team that a key behind `prefix` begins with.
pub(super) fn team_of(key: &str, prefix: &str) -> Option<String> {
    let team = key.strip_prefix(prefix)?.split('/').next()?;
    keys::unsegment(team)
}
