//! Votes and joining: what waits in one lane of a contest is counted in one commit (DESIGN 3).
//!
//! A voter has one record, with the team and the votes for all questions. Votes and members are
//! counted in shares, one for each lane of each node, so that neither lanes nor nodes meet in one
//! record. A commit of votes checks the record of every question that it counts for: none can
//! follow the change of state that ended the voting.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crowdlink_protocol::QuestionState;
use crowdlink_store::{Commit, Expect};

use super::Trivia;
use super::ballot::{Ballot, Voter, Who, Wish};
use super::contest::Index;
use super::drafts::Drafts;
use super::place::Place;
use super::question::Question;
use super::tally::{Members, Tally};
use super::teams::Team;
use crate::combine::Apply;
use crate::error::{Error, Refusal};
use crate::runs::Run;
use crate::table::{Stored, Table};
use crate::world::{CONFLICT_TRIES_MAX, World};

/// Nodes are told apart by as many numbers; two of one number still count right, but meet.
pub(super) const NODES: u8 = 32;

const QUESTIONS: Table<Question> = Table::new("");

/// Counts the ballots of one lane.
pub(super) struct Counter {
    world: World,
    trivia: Arc<Trivia>,
    place: Place,
    share: String,
    teams_max: usize,
    questions_max: usize,
}

/// A ballot that is allowed.
#[derive(Clone, Copy)]
enum Allowed<'a> {
    Join,
    Vote { question: &'a Question, slot: u64 },
}

type Questions = HashMap<String, Stored<Question>>;
type Verdicts<'a> = Vec<Result<Allowed<'a>, Error>>;
type Answers = Vec<Result<String, Error>>;

/// The records that a batch changes.
struct Records {
    voters: Drafts<Voter>,
    members: Drafts<Members>,
    tallies: Drafts<Tally>,
}

impl Trivia {
    /// Counts a ballot; answers with the voter's team when it is durable.
    pub(super) async fn cast(
        self: &Arc<Self>,
        world: &World,
        place: &Place,
        [teams_max, questions_max]: [usize; 2],
        ballot: Ballot,
    ) -> Result<String, Error> {
        let lane = ballot.who.lane();
        let counter = || Counter {
            world: world.clone(),
            trivia: Arc::clone(self),
            place: place.clone(),
            share: format!("{}-{lane}", self.node),
            teams_max,
            questions_max,
        };
        let key = format!("{}/{lane}", place.index());
        self.ballots.submit(key, ballot, counter).await
    }
}

impl Apply<Ballot, String> for Counter {
    async fn apply(&mut self, batch: &[Ballot]) -> Answers {
        for attempt in 1..=CONFLICT_TRIES_MAX {
            let tried = match self.try_batch(batch).await {
                Ok(None) => self.world.pause_before_retry(attempt).await.map(|()| None),
                tried => tried,
            };
            match tried {
                Ok(Some(answers)) => return answers,
                Ok(None) => {}
                Err(error) => return vec![Err(error); batch.len()],
            }
        }
        Vec::new()
    }
}

impl Counter {
    /// `None` when another node was first, or the question changed.
    async fn try_batch(&self, batch: &[Ballot]) -> Result<Option<Answers>, Error> {
        let questions = self.questions(batch).await?;
        let mut verdicts: Verdicts<'_> = batch.iter().map(|b| judge(b, &questions)).collect();
        let voters = self.voters(batch).await?;
        let teams = teams(&self.place, batch, &verdicts, &voters);
        self.open_teams(&teams, &mut verdicts).await?;
        let mut records = self.records(batch, &verdicts, &teams, voters).await?;
        let mut counted = HashSet::new();
        let mut answers = Vec::with_capacity(batch.len());
        for ((ballot, verdict), team) in batch.iter().zip(verdicts).zip(teams) {
            answers.push(verdict.map(|allowed| {
                if let Wish::Vote { question, .. } = &ballot.wish {
                    counted.insert(question.as_str());
                }
                self.count(&mut records, &ballot.who, &team, allowed);
                team
            }));
        }
        let mut commit = Commit::new();
        for question in counted.into_iter().filter_map(|id| questions.get(id)) {
            commit = commit.check(&question.key, Expect::Version(question.version));
        }
        self.forget_old_runs(&mut records.voters).await?;
        commit = records.voters.write(commit)?;
        commit = records.members.write(commit)?;
        commit = records.tallies.write(commit)?;
        if commit.writes.is_empty() {
            return Ok(Some(answers));
        }
        let committed = self.world.try_commit(commit).await?;
        Ok(committed.map(|_| answers))
    }

    /// The questions that ballots are for.
    async fn questions(&self, batch: &[Ballot]) -> Result<Questions, Error> {
        let ids: HashSet<&str> = batch.iter().filter_map(Ballot::question).collect();
        let mut questions = Questions::new();
        for id in ids {
            let key = self.place.question(id);
            if let Some(question) = QUESTIONS.get(&*self.world.store, &key).await? {
                questions.insert(id.to_owned(), question);
            }
        }
        Ok(questions)
    }

    async fn voters(&self, batch: &[Ballot]) -> Result<Drafts<Voter>, Error> {
        let key = |ballot: &Ballot| match &ballot.who {
            Who::Leader(_) => None,
            Who::Member { identity, .. } => Some(self.place.voter(identity)),
        };
        let keys = batch.iter().filter_map(key).collect();
        Drafts::read(&*self.world.store, keys).await
    }

    /// Lets the teams of those begin who are allowed; who cannot have a team is refused.
    async fn open_teams(&self, teams: &[String], verdicts: &mut Verdicts<'_>) -> Result<(), Error> {
        let allowed = teams.iter().zip(verdicts.iter()).filter(|(_, v)| v.is_ok());
        let wanted: HashSet<&String> = allowed.map(|(team, _)| team).collect();
        let keys = wanted.iter().map(|team| self.place.team(team)).collect();
        let known = Drafts::<Team>::read(&*self.world.store, keys).await?;
        let missing: Vec<String> = wanted
            .into_iter()
            .filter(|team| !known.is_stored(&self.place.team(team)))
            .cloned()
            .collect();
        let at = (&self.world, &self.place);
        let opened = self.trivia.teams.open(at, self.teams_max, missing.clone());
        let refused: HashMap<String, Error> = missing
            .into_iter()
            .zip(opened.await)
            .filter_map(|(team, outcome)| Some((team, outcome.err()?)))
            .collect();
        for (team, verdict) in teams.iter().zip(verdicts) {
            if let (Ok(_), Some(error)) = (&*verdict, refused.get(team)) {
                *verdict = Err(error.clone());
            }
        }
        Ok(())
    }

    async fn records(
        &self,
        batch: &[Ballot],
        verdicts: &Verdicts<'_>,
        teams: &[String],
        voters: Drafts<Voter>,
    ) -> Result<Records, Error> {
        let (mut members, mut tallies) = (Vec::new(), Vec::new());
        for ((ballot, verdict), team) in batch.iter().zip(verdicts).zip(teams) {
            let Ok(allowed) = verdict else { continue };
            if matches!(ballot.who, Who::Member { .. }) {
                members.push(self.place.members(team, &self.share));
            }
            if let Allowed::Vote { question, .. } = allowed {
                tallies.push(self.tally(&ballot.who, &question.run, team));
            }
        }
        let store = &*self.world.store;
        Ok(Records {
            voters,
            members: Drafts::read(store, members).await?,
            tallies: Drafts::read(store, tallies).await?,
        })
    }

    /// The row that a vote is counted in.
    fn tally(&self, who: &Who, run: &Run, team: &str) -> String {
        match who {
            Who::Leader(_) => self.place.leader(run, team),
            Who::Member { .. } => self.place.tally(run, team, &self.share),
        }
    }

    fn count(&self, records: &mut Records, who: &Who, team: &str, allowed: Allowed<'_>) {
        if let Who::Member { identity, .. } = who {
            let key = self.place.voter(identity);
            if records.voters.get(&key).is_none_or(|v| v.team.is_none()) {
                let joined = |voter: &mut Voter| voter.team = Some(team.to_owned());
                records.voters.change(&key, joined);
                let key = self.place.members(team, &self.share);
                records.members.change(&key, |counted| counted.members += 1);
            }
        }
        let Allowed::Vote { question, slot } = allowed else {
            return;
        };
        let run = &question.run;
        let tally = self.tally(who, run, team);
        let Who::Member { identity, .. } = who else {
            let before = records.tallies.get(&tally).and_then(|tally| tally.leader);
            if before != Some(slot) {
                let lead = |tally: &mut Tally| tally.leader = Some(slot);
                records.tallies.change(&tally, lead);
            }
            return;
        };
        let voter = self.place.voter(identity);
        let before = records.voters.get(&voter).and_then(|v| v.votes.get(run));
        let before = before.copied();
        if before == Some(slot) {
            return;
        }
        records.voters.change(&voter, |voter| {
            voter.votes.insert(run.clone(), slot);
        });
        records
            .tallies
            .change(&tally, |tally| tally.move_vote(question, before, slot));
    }

    /// Voters who have as many votes as there can be questions lose those for questions that are
    /// gone: so a record stays small.
    async fn forget_old_runs(&self, voters: &mut Drafts<Voter>) -> Result<(), Error> {
        let max = self.questions_max;
        let full = voters.changed(|voter| voter.votes.len() > max);
        if full.is_empty() {
            return Ok(());
        }
        let index = Index::read(&*self.world.store, &self.place).await?;
        let questions = index.map(|index| index.value.questions).unwrap_or_default();
        let runs: HashSet<Run> = questions.into_iter().map(|q| q.run).collect();
        for key in full {
            let forget = |voter: &mut Voter| voter.votes.retain(|run, _| runs.contains(run));
            voters.change(&key, forget);
        }
        Ok(())
    }
}

fn judge<'a>(ballot: &Ballot, questions: &'a Questions) -> Result<Allowed<'a>, Error> {
    let Wish::Vote { question, option } = &ballot.wish else {
        return Ok(Allowed::Join);
    };
    let question = questions.get(question).ok_or_else(super::no_question)?;
    let question = &question.value;
    if question.state != QuestionState::Unlocked {
        return Err(Refusal::QuestionLocked.into());
    }
    let slot = question
        .slot(option)
        .ok_or_else(|| Error::invalid("vote", "must be the id of an option"))?;
    Ok(Allowed::Vote { question, slot })
}

/// The team of each ballot: for who has none yet, the channel of the first of their ballots that
/// is allowed.
fn teams(
    place: &Place,
    batch: &[Ballot],
    verdicts: &Verdicts<'_>,
    voters: &Drafts<Voter>,
) -> Vec<String> {
    let mut joining: HashMap<&str, &str> = HashMap::new();
    let mut teams = Vec::with_capacity(batch.len());
    for (ballot, verdict) in batch.iter().zip(verdicts) {
        teams.push(match &ballot.who {
            Who::Leader(channel) => channel.clone(),
            Who::Member { identity, channel } => {
                let voter = voters.get(&place.voter(identity));
                match voter.and_then(|voter| voter.team.as_ref()) {
                    Some(team) => team.clone(),
                    None if verdict.is_err() => channel.clone(),
                    None => (*joining.entry(identity).or_insert(channel)).to_owned(),
                }
            }
        });
    }
    teams
}
