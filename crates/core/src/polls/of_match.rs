//! Polls that a match asks in each of its channels (`spec 2.10`): the same records as the channel's
//! own, with a mark. What the match asks stands in a pattern beside it.

use std::sync::Arc;

use crowdlink_protocol::{
    ClientId, PollConfigChange, PollDefinitionChange, PollStatus, Stage, VoteStatistics,
};
use crowdlink_store::{Commit, Expect, Store};
use serde::{Deserialize, Serialize};

use super::Polls;
use super::head::{Definition, Head};
use super::manage::{Change, Step, defined, done, event_of};
use super::news::PollEvent;
use super::place::{PollPlace, check_id};
use super::read::{PollTimes, all_heads};
use super::records::{DEFINITIONS, HEADS, Loaded};
use super::tally::Tally;
use super::vote::{Operation, Outcome};
use crate::error::Error;
use crate::keys;
use crate::matches::MatchPlace;
use crate::runs::Run;
use crate::table::encode;

/// Which poll of which match a channel's poll is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    owner: String,
    id: String,
    /// The run of the pattern: votes of one that was deleted count for no other.
    run: Run,
}

impl Mark {
    /// The match.
    pub(crate) fn place(&self, stage: Stage, client_id: &ClientId) -> MatchPlace {
        MatchPlace {
            stage,
            client_id: client_id.clone(),
            owner: self.owner.clone(),
            id: self.id.clone(),
        }
    }
}

/// What a match asks in all of its channels.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    head: Head,
    definition: Definition,
    /// The version of its record; none before it is written.
    version: Option<u64>,
}

/// What a match wants of a channel's poll.
#[derive(Clone, Debug)]
pub(crate) enum MatchChange {
    /// It is asked there. What stood there under its id is replaced.
    Ask(Mark, Arc<Pattern>),
    /// It is configured, where it is asked.
    Configure(Mark, Arc<Pattern>),
    /// It ends, where it is asked; its votes stay.
    Stop(Mark),
    /// It is deleted, where it is asked.
    Delete(Mark),
}

impl MatchChange {
    const fn mark(&self) -> &Mark {
        match self {
            Self::Ask(mark, _)
            | Self::Configure(mark, _)
            | Self::Stop(mark)
            | Self::Delete(mark) => mark,
        }
    }
}

/// What one channel, or all together, voted in the poll of a match.
#[derive(Clone, Debug, Default)]
pub(crate) struct Share {
    tally: Tally,
    /// How far the poll is there; none where it is not asked.
    pub(crate) status: Option<PollStatus>,
    /// The newest commit of its votes; 0 without one.
    pub(crate) votes_version: u64,
}

impl Share {
    /// Its numbers.
    pub(crate) fn numbers(&self) -> VoteStatistics {
        self.tally.statistics()
    }

    /// Adds what another channel voted.
    pub(crate) fn add(&mut self, other: &Self) {
        self.tally.merge(&other.tally);
    }
}

impl Pattern {
    /// The mark of the polls that are asked after it.
    pub(crate) fn mark(&self, place: &MatchPlace) -> Mark {
        Mark {
            owner: place.owner.clone(),
            id: place.id.clone(),
            run: self.head.run.clone(),
        }
    }

    /// When the poll begins and ends.
    pub(crate) fn times(&self) -> PollTimes {
        PollTimes::of(&self.head, self.version.unwrap_or(0))
    }

    /// Another config.
    pub(crate) fn configured(&self, config: &PollConfigChange, now_ms: i64) -> (Self, PollEvent) {
        let mut pattern = self.clone();
        pattern.head.configure(config, now_ms);
        let event = event_of(self.head.status(now_ms), pattern.head.status(now_ms));
        if event == PollEvent::Opened {
            pattern.head.opened += 1;
        }
        (pattern, event)
    }

    /// The commit that keeps it under a prefix, if nobody else wrote it meanwhile.
    pub(crate) fn commit(&self, prefix: &str, id: &str) -> Result<Commit, Error> {
        let expires_at_ms = Some(self.head.kept_until_ms);
        let (head_key, definition_key) = keys_of(prefix, id);
        let expect = self.version.map_or(Expect::Absent, Expect::Version);
        Ok(Commit::new()
            .check(&head_key, expect)
            .put(head_key, encode(&self.head)?, expires_at_ms)
            .put(definition_key, encode(&self.definition)?, expires_at_ms))
    }

    /// The commit that removes it.
    pub(crate) fn removal(prefix: &str, id: &str) -> Commit {
        let (head_key, definition_key) = keys_of(prefix, id);
        Commit::new().delete(head_key).delete(definition_key)
    }

    /// It was written by that commit.
    pub(crate) const fn written(mut self, version: u64) -> Self {
        self.version = Some(version);
        self
    }

    /// Reads the one of an id.
    pub(crate) async fn read(
        store: &dyn Store,
        prefix: &str,
        id: &str,
    ) -> Result<Option<Self>, Error> {
        let (head_key, definition_key) = keys_of(prefix, id);
        let Some(head) = HEADS.get(store, &head_key).await? else {
            return Ok(None);
        };
        let definition = DEFINITIONS.get(store, &definition_key).await?;
        Ok(Some(Self {
            head: head.value,
            definition: definition.map(|d| d.value).unwrap_or_default(),
            version: Some(head.version),
        }))
    }

    /// Reads ids and times of all under a prefix.
    pub(crate) async fn times_of(
        store: &dyn Store,
        prefix: &str,
    ) -> Result<Vec<(String, PollTimes)>, Error> {
        let prefix = heads_of(prefix);
        let heads = all_heads(store, &prefix).await?;
        let named = heads.into_iter().filter_map(|head| {
            let id = keys::unsegment(head.key.strip_prefix(&prefix)?)?;
            Some((id, PollTimes::of(&head.value, head.version)))
        });
        Ok(named.collect())
    }
}

fn heads_of(prefix: &str) -> String {
    format!("{prefix}head/")
}

fn keys_of(prefix: &str, id: &str) -> (String, String) {
    let id = keys::segment(id);
    (
        format!("{}{id}", heads_of(prefix)),
        format!("{prefix}asked/{id}"),
    )
}

impl Polls {
    /// Refuses what can be no poll of a match.
    pub(crate) fn check_of_match(
        &self,
        id: &str,
        definition: &PollDefinitionChange,
    ) -> Result<(), Error> {
        check_id(id)?;
        if keys::is_global(id) {
            let expected = "must not begin with `global`: such a poll is of no channel";
            return Err(Error::invalid("poll_id", expected));
        }
        self.check_definition(definition)
    }

    /// What a match asks when it creates a poll, over one that it asks already. `fresh` drops the
    /// votes of that.
    pub(crate) fn pattern(
        &self,
        before: Option<&Pattern>,
        (definition, config): (&PollDefinitionChange, &PollConfigChange),
        fresh: bool,
    ) -> Pattern {
        let kept = before.filter(|_| !fresh).map(|pattern| &pattern.head);
        let run = kept.map(|head| head.run.clone());
        let mut head = Head::new(run.unwrap_or_else(|| Run::new(&self.world)));
        head.opened = kept.map_or(0, |head| head.opened) + 1;
        head.defined = true;
        head.configure(config, self.world.now_ms());
        self.kept(Pattern {
            head,
            definition: defined(Definition::default(), definition),
            version: before.and_then(|pattern| pattern.version),
        })
    }

    /// A pattern lives as long as a poll without votes.
    pub(crate) fn kept(&self, mut pattern: Pattern) -> Pattern {
        pattern.head.keep(self.world.now_ms(), self.votes_ms);
        pattern
    }

    /// Does what a match wants of a channel's poll.
    pub(crate) async fn change_of_match(
        self: &Arc<Self>,
        place: &PollPlace,
        change: MatchChange,
    ) -> Result<(), Error> {
        let change = Operation::Change(Change::OfMatch(change));
        done(self.submit(place, change).await)
    }

    /// Every vote on its way on this node is counted.
    pub(crate) async fn settle(self: &Arc<Self>, place: &PollPlace) -> Result<(), Error> {
        done(self.submit(place, Operation::Settle).await)
    }

    /// What a channel voted in the poll of a match.
    pub(crate) async fn share(&self, place: &PollPlace, mark: &Mark) -> Result<Share, Error> {
        let loaded = self.load(place).await?;
        let asked = |head: &&Head| head.of_match.as_ref() == Some(mark);
        let Some(head) = loaded.head.as_ref().filter(asked) else {
            return Ok(Share::default());
        };
        Ok(Share {
            tally: loaded.total(),
            status: Some(head.status(self.world.now_ms())),
            votes_version: loaded.votes_version,
        })
    }

    pub(super) async fn step_of_match(
        &self,
        place: &PollPlace,
        loaded: Loaded,
        change: &MatchChange,
    ) -> Result<Step, Error> {
        let asked = |head: &&Head| head.of_match.as_ref() == Some(change.mark());
        let asked = loaded.head.as_ref().filter(asked).cloned();
        let now_ms = self.world.now_ms();
        let mut head = match (change, asked) {
            (MatchChange::Ask(mark, pattern), asked) => {
                return self.step_ask(place, &loaded, (mark, pattern), asked).await;
            }
            (_, None) => return Ok(Step::Stays(Outcome::Done)),
            (MatchChange::Delete(_), Some(_)) => return self.step_delete(place, &loaded),
            (MatchChange::Configure(_, pattern), Some(head)) => pattern.asked_as(&head),
            (MatchChange::Stop(_), Some(mut head)) => {
                head.configure(&STOP, now_ms);
                head
            }
        };
        let Some(before) = loaded.head.as_ref().filter(|before| **before != head) else {
            return Ok(Step::Stays(Outcome::Done));
        };
        let event = event_of(before.status(now_ms), head.status(now_ms));
        if event == PollEvent::Opened {
            head.opened += 1;
        }
        head.keep(now_ms, self.votes_ms);
        let commit = self.commit_head(place, &loaded, &head, None)?;
        Ok(Step::Commit(commit, event, Outcome::Done))
    }

    async fn step_ask(
        &self,
        place: &PollPlace,
        loaded: &Loaded,
        (mark, pattern): (&Mark, &Pattern),
        asked: Option<Head>,
    ) -> Result<Step, Error> {
        if !loaded.head.as_ref().is_some_and(|head| head.defined) {
            self.check_room(place, true).await?;
        }
        let mut head = pattern.asked_as(&asked.unwrap_or_else(|| {
            let mut head = Head::new(Run::new(&self.world));
            head.of_match = Some(mark.clone());
            head
        }));
        head.opened += 1;
        head.keep(self.world.now_ms(), self.votes_ms);
        let commit = self.commit_created(place, loaded, (&head, &pattern.definition))?;
        Ok(Step::Commit(commit, PollEvent::Created, Outcome::Done))
    }
}

/// Ends a poll now, unless it has ended.
const STOP: PollConfigChange = PollConfigChange {
    user_id_voting: None,
    distinct_options_per_user: None,
    total_votes_per_user: None,
    votes_per_option: None,
    disabled: None,
    starts_at_s: None,
    ends_at_s: Some(-1),
    starts_in_s: None,
    ends_in_s: None,
};

impl Pattern {
    /// A channel's poll as the match wants it; run, opening and mark stay the channel's.
    fn asked_as(&self, head: &Head) -> Head {
        Head {
            run: head.run.clone(),
            opened: head.opened,
            of_match: head.of_match.clone(),
            kept_until_ms: head.kept_until_ms,
            ..self.head.clone()
        }
    }
}
