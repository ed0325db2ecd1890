//! Changes of a contest, one after another: what is told of them is told in their order.

use crowdlink_protocol::{QuestionState, TriviaText};
use crowdlink_store::{Commit, Expect};

use super::contest::{Index, Indexed};
use super::place::Place;
use super::question::Question;
use super::{TOPIC, Trivia, TriviaChanged, no_question, tally};
use crate::combine::Apply;
use crate::error::Error;
use crate::limits::Limits;
use crate::runs::{self, Run};
use crate::table::{Table, encode};
use crate::world::World;

const QUESTIONS: Table<Question> = Table::new("");

/// A change of a contest.
#[derive(Clone, Debug)]
pub(super) enum Edit {
    /// Puts a question in, or another text in the place of its own.
    Put(TriviaText),
    /// Takes a question out, with its votes.
    Delete(String),
    /// Puts an option in.
    PutOption {
        question: String,
        option: TriviaText,
    },
    /// Takes an option out.
    DeleteOption { question: String, option: String },
    /// Changes the state of a question.
    Transition {
        question: String,
        state: QuestionState,
        winner: Option<String>,
    },
}

/// Makes the changes of one contest.
struct Editor {
    world: World,
    place: Place,
    limits: Limits,
}

/// What a try came to.
enum Tried {
    /// Done; the question as it is then.
    Done(Option<Box<Question>>),
    /// A step on the way is done; there is another.
    Step,
    /// Another node was first.
    Conflict,
}

/// The contest as it is found.
struct Found {
    index: Index,
    expect: Expect,
}

impl Trivia {
    /// Makes a change; the question that it left, when it is durable.
    pub(super) async fn edit(
        &self,
        world: &World,
        place: &Place,
        limits: &Limits,
        edit: Edit,
    ) -> Result<Option<Question>, Error> {
        let editor = || Editor {
            world: world.clone(),
            place: place.clone(),
            limits: *limits,
        };
        self.edits.submit(place.index(), edit, editor).await
    }
}

impl Apply<Edit, Option<Question>> for Editor {
    async fn apply(&mut self, batch: &[Edit]) -> Vec<Result<Option<Question>, Error>> {
        let mut outcomes = Vec::with_capacity(batch.len());
        for edit in batch {
            outcomes.push(self.edit(edit).await);
        }
        outcomes
    }
}

impl Editor {
    async fn edit(&self, edit: &Edit) -> Result<Option<Question>, Error> {
        let mut attempt = 1;
        let mut is_stopped = false;
        let error = loop {
            match self.try_edit(edit).await {
                Ok(Tried::Done(question)) => return Ok(question.map(|question| *question)),
                Ok(Tried::Step) => is_stopped = true,
                Ok(Tried::Conflict) => {
                    if let Err(error) = self.world.pause_before_retry(attempt).await {
                        break error;
                    }
                    attempt += 1;
                }
                Err(error) => break error,
            }
        };
        // A commit that failed may have happened all the same, and a first step did: what is
        // stored now is told, for whoever asks again will find nothing to change.
        if let Edit::Transition { question, .. } = edit
            && (is_stopped || error.is_ours())
        {
            let key = self.place.question(question);
            if let Ok(Some(stored)) = QUESTIONS.get(&*self.world.store, &key).await {
                self.tell(&stored.value, stored.version)?;
            }
        }
        Err(error)
    }

    async fn try_edit(&self, edit: &Edit) -> Result<Tried, Error> {
        let found = Index::read(&*self.world.store, &self.place).await?;
        let found = found.map_or_else(
            || Found {
                index: Index::default(),
                expect: Expect::Absent,
            },
            |stored| Found {
                expect: Expect::Version(stored.version),
                index: stored.value,
            },
        );
        match edit {
            Edit::Put(text) => self.put(found, text).await,
            Edit::Delete(id) => self.delete(found, id).await,
            Edit::PutOption { question, option } => {
                let mut changed = self.question(&found, question).await?;
                changed.put_option(option.clone(), self.limits.trivia_options_max)?;
                self.save(found, changed, Commit::new()).await
            }
            Edit::DeleteOption { question, option } => {
                let mut changed = self.question(&found, question).await?;
                changed.remove_option(option)?;
                self.save(found, changed, Commit::new()).await
            }
            Edit::Transition {
                question,
                state,
                winner,
            } => {
                let changed = self.question(&found, question).await?;
                self.transition(found, changed, *state, winner.as_deref())
                    .await
            }
        }
    }

    /// The question of an id; 404 where there is none.
    async fn question(&self, found: &Found, id: &str) -> Result<Question, Error> {
        let key = self.place.question(id);
        let stored = QUESTIONS.get(&*self.world.store, &key).await?;
        let is_indexed = found.index.questions.iter().any(|q| q.id == id);
        match stored {
            Some(stored) if is_indexed => Ok(stored.value),
            _ => Err(no_question()),
        }
    }

    async fn put(&self, mut found: Found, text: &TriviaText) -> Result<Tried, Error> {
        let questions = &mut found.index.questions;
        if questions.iter().any(|question| question.id == text.id) {
            let mut question = self.question(&found, &text.id).await?;
            question.text = text.clone();
            return self.save(found, question, Commit::new()).await;
        }
        let max = self.limits.trivia_questions_max;
        if questions.len() >= max {
            let expected = format!("is one question too many: an extension has at most {max}");
            return Err(Error::invalid("id", expected));
        }
        // Not watched from the start: the index never expires, and only `delete` drops a run.
        let run = Run::new(&self.world);
        questions.push(Indexed {
            id: text.id.clone(),
            run: run.clone(),
            scored: false,
        });
        let question = Question::new(text.clone(), run);
        self.save(found, question, Commit::new()).await
    }

    /// Takes a question off the contest and the leaderboard at once; its votes, which nobody finds
    /// any more, are removed later.
    async fn delete(&self, mut found: Found, id: &str) -> Result<Tried, Error> {
        let questions = &mut found.index.questions;
        let Some(at) = questions.iter().position(|question| question.id == id) else {
            return Ok(Tried::Done(None));
        };
        let run = questions.remove(at).run;
        let commit = Commit::new()
            .check(self.place.index(), found.expect)
            .put(self.place.index(), encode(&found.index)?, None)
            .delete(self.place.question(id))
            .delete(self.place.standings(&run));
        let commit = runs::watch(commit, &self.place.watch(&run), self.world.now_ms())?;
        Ok(match self.world.try_commit(commit).await? {
            Some(_) => Tried::Done(None),
            None => Tried::Conflict,
        })
    }

    /// Commits a question with its contest.
    async fn save(&self, found: Found, question: Question, commit: Commit) -> Result<Tried, Error> {
        Ok(match self.commit(found, &question, commit).await? {
            Some(_) => Tried::Done(Some(Box::new(question))),
            None => Tried::Conflict,
        })
    }

    /// `None` when another writer was first.
    async fn commit(
        &self,
        found: Found,
        question: &Question,
        commit: Commit,
    ) -> Result<Option<u64>, Error> {
        let key = self.place.question(&question.text.id);
        let commit = commit
            .check(self.place.index(), found.expect)
            .put(self.place.index(), encode(&found.index)?, None)
            .put(key, encode(question)?, None);
        self.world.try_commit(commit).await
    }

    /// Any state may follow any other. The same again changes nothing.
    async fn transition(
        &self,
        mut found: Found,
        mut question: Question,
        state: QuestionState,
        winner: Option<&str>,
    ) -> Result<Tried, Error> {
        if state != QuestionState::Results {
            if question.state == state {
                return Ok(Tried::Done(Some(Box::new(question))));
            }
            question.state = state;
            question.declared = None;
            return self.save_and_tell(found, question, Commit::new()).await;
        }
        let winner = slot_of_winner(&question, winner)?;
        if question.declared.as_ref().map(|d| d.winner) == Some(winner) {
            return Ok(Tried::Done(Some(Box::new(question))));
        }
        if question.state == QuestionState::Unlocked {
            // Votes end first, then they are counted: so none is missed, and none comes too late.
            question.state = QuestionState::Locked;
            let saved = self.save(found, question, Commit::new()).await?;
            return Ok(match saved {
                Tried::Done(_) => Tried::Step,
                tried @ (Tried::Step | Tried::Conflict) => tried,
            });
        }
        let store = &*self.world.store;
        let (declared, standings) = tally::count(store, &self.place, &question, winner).await?;
        question.state = QuestionState::Results;
        question.declared = Some(declared);
        for indexed in &mut found.index.questions {
            indexed.scored |= indexed.run == question.run;
        }
        let key = self.place.standings(&question.run);
        let commit = Commit::new().put(key, encode(&standings)?, None);
        self.save_and_tell(found, question, commit).await
    }

    async fn save_and_tell(
        &self,
        found: Found,
        question: Question,
        commit: Commit,
    ) -> Result<Tried, Error> {
        let Some(version) = self.commit(found, &question, commit).await? else {
            return Ok(Tried::Conflict);
        };
        self.tell(&question, version)?;
        Ok(Tried::Done(Some(Box::new(question))))
    }

    fn tell(&self, question: &Question, version: u64) -> Result<(), Error> {
        let changed = TriviaChanged::of(&self.place, question, version);
        self.world.tell(TOPIC, &changed)
    }
}

fn slot_of_winner(question: &Question, winner: Option<&str>) -> Result<u64, Error> {
    let winner = winner.ok_or_else(|| Error::invalid("winner", "is required for state-results"))?;
    question
        .slot(winner)
        .ok_or_else(|| Error::invalid("winner", "must be the id of an option"))
}
