//! Creating, configuring and deleting polls, and the weight of a voter.

use crowdlink_protocol::{PollConfigChange, PollDefinitionChange, PollStatus, check_json_bounds};
use crowdlink_store::{Commit, Expect};

use super::Polls;
use super::head::{Definition, Head};
use super::news::PollEvent;
use super::of_match::MatchChange;
use super::place::PollPlace;
use super::records::{Loaded, Rows};
use super::vote::{BallotChange, BallotOperation, Operation, Outcome, mixed_up};
use crate::caller::{Caller, check_id};
use crate::core::Core;
use crate::error::Error;
use crate::runs::Run;
use crate::table::encode;
use crate::world::CONFLICT_TRIES_MAX;

/// A poll to be created.
#[derive(Clone, Debug, Default)]
pub struct CreatePoll {
    /// What it asks.
    pub definition: PollDefinitionChange,
    /// How.
    pub config: PollConfigChange,
    /// Whether votes that are there already are dropped first.
    pub fresh: bool,
}

/// A change of a poll itself.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Create(Box<CreatePoll>),
    /// Fields left out keep their value.
    Configure {
        definition: Box<PollDefinitionChange>,
        config: PollConfigChange,
        /// Whether it defines a poll that is not there, or that only votes opened.
        define: bool,
    },
    Delete,
    /// What a match wants of it.
    OfMatch(MatchChange),
}

/// Creates a poll, over one of that id (`spec 2.6`). Answers how many votes it found there, where
/// there were any.
pub async fn create(
    core: &Core,
    caller: &Caller,
    (channel, id): (Option<&str>, &str),
    poll: CreatePoll,
) -> Result<Option<i64>, Error> {
    let place = PollPlace::writable(caller, channel, id)?;
    core.polls.check_definition(&poll.definition)?;
    let change = Operation::Change(Change::Create(Box::new(poll)));
    match core.polls.submit(&place, change).await? {
        Outcome::Created(stale_votes) => Ok(stale_votes),
        Outcome::Done | Outcome::Counted(_) => Err(mixed_up()),
    }
}

/// Configures a poll that is there (`spec 2.6`).
pub async fn reconfigure(
    core: &Core,
    caller: &Caller,
    (channel, id): (Option<&str>, &str),
    config: PollConfigChange,
) -> Result<(), Error> {
    let place = PollPlace::writable(caller, channel, id)?;
    let change = Change::Configure {
        definition: Box::default(),
        config,
        define: false,
    };
    done(core.polls.submit(&place, Operation::Change(change)).await)
}

/// Defines a poll as far as a request says; creates it where there is none (`vote_config`,
/// `spec 3.6`).
pub async fn configure(
    core: &Core,
    caller: &Caller,
    (channel, id): (Option<&str>, &str),
    (definition, config): (PollDefinitionChange, PollConfigChange),
) -> Result<(), Error> {
    let place = PollPlace::writable(caller, channel, id)?;
    core.polls.check_definition(&definition)?;
    let change = Change::Configure {
        definition: Box::new(definition),
        config,
        define: true,
    };
    done(core.polls.submit(&place, Operation::Change(change)).await)
}

/// Deletes a poll with its votes and its log; nothing happens where there is none.
pub async fn delete(
    core: &Core,
    caller: &Caller,
    channel: Option<&str>,
    id: &str,
) -> Result<(), Error> {
    let place = PollPlace::writable(caller, channel, id)?;
    let change = Operation::Change(Change::Delete);
    done(core.polls.submit(&place, change).await)
}

/// Adds to the weight of a voter, whose votes count max(0, 1 + sum) from now on, also those given
/// before (`vote_modifier`, `spec 3.6`).
pub async fn modify(
    core: &Core,
    caller: &Caller,
    (channel, id): (Option<&str>, &str),
    (user, add): (&str, i64),
) -> Result<(), Error> {
    let place = PollPlace::writable(caller, channel, id)?;
    check_id("user", user)?;
    if user.is_empty() {
        return Err(Error::invalid("user", "is required"));
    }
    let change = Operation::Ballot(BallotChange {
        voter: user.to_owned(),
        opaque: None,
        what: BallotOperation::Modify(add),
    });
    match core.polls.submit(&place, change).await? {
        Outcome::Counted(_) => Ok(()),
        Outcome::Done | Outcome::Created(_) => Err(mixed_up()),
    }
}

pub(super) fn done(outcome: Result<Outcome, Error>) -> Result<(), Error> {
    match outcome? {
        Outcome::Done => Ok(()),
        Outcome::Counted(_) | Outcome::Created(_) => Err(mixed_up()),
    }
}

/// What becomes of a poll.
pub(super) enum Step {
    /// Nothing changes.
    Stays(Outcome),
    Commit(Commit, PollEvent, Outcome),
}

impl Polls {
    /// Refuses a definition beyond the limits of `spec 5`.
    pub(super) fn check_definition(&self, definition: &PollDefinitionChange) -> Result<(), Error> {
        let limits = &self.limits;
        let too_long = |field: &'static str, text: &str, bytes_max: usize| {
            if text.len() <= bytes_max {
                return Ok(());
            }
            let expected = format!("must be at most {bytes_max} bytes");
            Err(Error::invalid(field, expected))
        };
        if let Some(prompt) = &definition.prompt {
            too_long("prompt", prompt, limits.poll_prompt_bytes_max)?;
        }
        let options = definition.options.as_deref().unwrap_or_default();
        if options.len() > limits.poll_options_max {
            let expected = format!("must be at most {}", limits.poll_options_max);
            return Err(Error::invalid("options", expected));
        }
        for option in options {
            too_long("options", option, limits.poll_option_bytes_max)?;
        }
        if let Some(data) = &definition.user_data {
            let text = serde_json::to_string(data)?;
            too_long("user_data", &text, limits.poll_user_data_bytes_max)?;
            let (depth_max, keys_max) = (limits.json_depth_max, limits.json_object_keys_max);
            check_json_bounds(text.as_bytes(), depth_max, keys_max)
                .map_err(|error| Error::invalid("user_data", error.to_string()))?;
        }
        Ok(())
    }

    pub(super) async fn change(
        &self,
        place: &PollPlace,
        change: &Change,
    ) -> Result<Outcome, Error> {
        self.remembered.forget(&place.key());
        for attempt in 1..=CONFLICT_TRIES_MAX {
            // Whoever adds one counts the others first, and nobody adds one meanwhile.
            let adding = match change {
                Change::Delete => None,
                Change::Create(_) | Change::Configure { .. } | Change::OfMatch(_) => {
                    self.adding.wait(&place.neighbours()).await
                }
            };
            match self.step(place, change).await? {
                Step::Stays(outcome) => return Ok(outcome),
                Step::Commit(commit, event, outcome) => {
                    let committed = self.world.try_commit(commit).await;
                    // Unknown is not undone: who subscribed is told what the store holds.
                    let told = committed.inspect_err(|_| self.announce(place, event, 0))?;
                    if let Some(version) = told {
                        // There may be room again.
                        self.full.remove(&place.neighbours());
                        self.announce(place, event, version);
                        return Ok(outcome);
                    }
                }
            }
            drop(adding);
            self.world.pause_before_retry(attempt).await?;
        }
        Err(mixed_up())
    }

    async fn step(&self, place: &PollPlace, change: &Change) -> Result<Step, Error> {
        let loaded = self.load(place).await?;
        match change {
            Change::Create(poll) => self.step_create(place, loaded, poll).await,
            Change::Configure {
                definition,
                config,
                define,
            } => {
                let changes = (&**definition, config, *define);
                self.step_configure(place, loaded, changes).await
            }
            Change::Delete => self.step_delete(place, &loaded),
            Change::OfMatch(change) => self.step_of_match(place, loaded, change).await,
        }
    }

    async fn step_create(
        &self,
        place: &PollPlace,
        loaded: Loaded,
        poll: &CreatePoll,
    ) -> Result<Step, Error> {
        if !loaded.head.as_ref().is_some_and(|head| head.defined) {
            self.check_room(place, true).await?;
        }
        let votes = loaded.total().count();
        let kept = loaded.head.as_ref().filter(|_| !poll.fresh);
        let run = kept.map(|head| head.run.clone());
        let mut head = Head::new(run.unwrap_or_else(|| Run::new(&self.world)));
        head.opened = kept.map_or(0, |head| head.opened) + 1;
        head.defined = true;
        let stale_votes = kept.map(|_| votes).filter(|votes| *votes > 0);
        let now_ms = self.world.now_ms();
        head.configure(&poll.config, now_ms);
        head.keep(now_ms, self.votes_ms);
        let definition = defined(Definition::default(), &poll.definition);
        let commit = self.commit_created(place, &loaded, (&head, &definition))?;
        let outcome = Outcome::Created(stale_votes);
        Ok(Step::Commit(commit, PollEvent::Created, outcome))
    }

    /// The commit of a poll that is created; votes of another run than its own are dropped.
    pub(super) fn commit_created(
        &self,
        place: &PollPlace,
        loaded: &Loaded,
        (head, definition): (&Head, &Definition),
    ) -> Result<Commit, Error> {
        let commit = self.commit_head(place, loaded, head, Some(definition))?;
        match &loaded.head {
            Some(before) if before.run == head.run => Ok(commit),
            Some(before) => {
                let commit = self.begin_run(commit, place, head)?;
                self.end_run(commit, place, &before.run)
            }
            None => self.begin_run(commit, place, head),
        }
    }

    async fn step_configure(
        &self,
        place: &PollPlace,
        loaded: Loaded,
        (definition, config, define): (&PollDefinitionChange, &PollConfigChange, bool),
    ) -> Result<Step, Error> {
        let now_ms = self.world.now_ms();
        let Some(before) = loaded.head.clone() else {
            if !define {
                return Err(Error::NotFound("There is no such poll".into()));
            }
            let poll = CreatePoll {
                definition: definition.clone(),
                config: *config,
                fresh: false,
            };
            return match self.step_create(place, loaded, &poll).await? {
                Step::Commit(commit, event, _) => Ok(Step::Commit(commit, event, Outcome::Done)),
                Step::Stays(_) => Ok(Step::Stays(Outcome::Done)),
            };
        };
        let mut head = before.clone();
        if define && !head.defined {
            self.check_room(place, true).await?;
            head.defined = true;
        }
        head.configure(config, now_ms);
        let stored = self.definition(place, &before).await?;
        let redefined = defined(stored.clone(), definition);
        if head == before && redefined == stored {
            return Ok(Step::Stays(Outcome::Done));
        }
        let event = event_of(before.status(now_ms), head.status(now_ms));
        if event == PollEvent::Opened {
            head.opened += 1;
        }
        head.keep(now_ms, self.votes_ms);
        let redefined = head.defined.then_some(&redefined);
        let commit = self.commit_head(place, &loaded, &head, redefined)?;
        Ok(Step::Commit(commit, event, Outcome::Done))
    }

    pub(super) fn step_delete(&self, place: &PollPlace, loaded: &Loaded) -> Result<Step, Error> {
        let (Some(version), Some(head)) = (loaded.version, &loaded.head) else {
            return Ok(Step::Stays(Outcome::Done));
        };
        let head_key = place.key();
        let commit = Commit::new()
            .check(&head_key, Expect::Version(version))
            .delete(head_key);
        let commit = self.end_run(commit, place, &head.run)?;
        Ok(Step::Commit(commit, PollEvent::Deleted, Outcome::Done))
    }

    pub(super) fn commit_head(
        &self,
        place: &PollPlace,
        loaded: &Loaded,
        head: &Head,
        definition: Option<&Definition>,
    ) -> Result<Commit, Error> {
        let expires_at_ms = Some(self.head_expiry_ms(head));
        let head_key = place.key();
        let expect = Expect::from(loaded.version);
        let mut commit =
            Commit::new()
                .check(&head_key, expect)
                .put(head_key, encode(head)?, expires_at_ms);
        if let Some(definition) = definition {
            let key = Rows::new(place, &head.run).definition;
            commit = commit.put(key, encode(definition)?, None);
        }
        Ok(commit)
    }
}

pub(super) fn defined(mut definition: Definition, change: &PollDefinitionChange) -> Definition {
    if let Some(prompt) = &change.prompt {
        definition.prompt.clone_from(prompt);
    }
    if let Some(options) = &change.options {
        definition.options.clone_from(options);
    }
    if change.user_data.is_some() {
        definition.user_data.clone_from(&change.user_data);
    }
    definition
}

/// What a change of a poll's times is to those who are told.
pub(super) const fn event_of(before: PollStatus, now: PollStatus) -> PollEvent {
    match (before, now) {
        (PollStatus::Expired, PollStatus::Active | PollStatus::Pending)
        | (PollStatus::Pending, PollStatus::Active) => PollEvent::Opened,
        (PollStatus::Active | PollStatus::Pending, PollStatus::Expired) => PollEvent::Ended,
        (PollStatus::Active, PollStatus::Active | PollStatus::Pending)
        | (PollStatus::Pending, PollStatus::Pending)
        | (PollStatus::Expired, PollStatus::Expired) => PollEvent::Reconfigured,
    }
}
