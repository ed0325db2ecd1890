//! Counting: those who wait for one poll become one commit.

use std::sync::Arc;

use crowdlink_protocol::VoteNumbers;
use crowdlink_store::Commit;
use indexmap::IndexMap;

use super::Polls;
use super::ballot::{Ballot, WEIGHT_MAX};
use super::head::Head;
use super::log::LogRecord;
use super::place::PollPlace;
use super::records::{Loaded, Rows};
use super::remembered::Remembered;
use super::tally::Tally;
use super::vote::{BallotChange, BallotOperation, Outcome, Voted, mixed_up};
use crate::error::{Error, Refusal};
use crate::runs::Run;
use crate::table::encode;
use crate::world::CONFLICT_TRIES_MAX;

/// Writes of one commit of votes; the store takes 10,000. A voter with many votes needs many.
const COMMIT_WRITES_MAX: usize = 4_000;

/// A poll while a batch is counted.
struct Draft {
    head: Head,
    rows: Rows,
    own: Tally,
    ballots: Ballots,
    now_ms: i64,
    writes: usize,
    node: u32,
}

struct Drafted {
    version: Option<u64>,
    before: Ballot,
    now: Ballot,
}

/// Ballots by their voter, in an order that does not depend on chance: the log keeps it.
type Ballots = IndexMap<String, Drafted>;

/// The ballots of a batch, counted or refused; where the batch was too large only its beginning.
type Counted = Vec<Result<Option<i64>, Error>>;

impl Polls {
    /// Counts ballots, at least the first of them; the others are to be brought again.
    pub(super) async fn count(
        &self,
        place: &PollPlace,
        batch: &[&BallotChange],
    ) -> Vec<Result<Outcome, Error>> {
        let failed = |error: Error| batch.iter().map(|_| Err(error.clone())).collect();
        for attempt in 1..=CONFLICT_TRIES_MAX {
            let remembered = (attempt == 1).then(|| self.recall(place)).flatten();
            let tried = self.try_count((place, attempt), batch, remembered).await;
            if !matches!(tried, Ok(Some(_))) {
                self.remembered.forget(&place.key());
            }
            match tried {
                Ok(Some(outcomes)) => return outcomes,
                Ok(None) => {}
                Err(error) => return failed(error),
            }
            if let Err(error) = self.world.pause_before_retry(attempt).await {
                return failed(error);
            }
        }
        failed(mixed_up())
    }

    fn recall(&self, place: &PollPlace) -> Option<Remembered> {
        let now_ms = self.world.clock.monotonic_ms();
        let found = self.remembered.recall(&place.key(), now_ms)?;
        let last_vote_ms = found.loaded.total().last_vote_ms;
        let head = found.loaded.head.as_ref()?;
        self.is_live(head, last_vote_ms).then_some(found)
    }

    /// `None` when another node was first, or what was remembered proved wrong.
    async fn try_count(
        &self,
        (place, attempt): (&PollPlace, u32),
        batch: &[&BallotChange],
        remembered: Option<Remembered>,
    ) -> Result<Option<Vec<Result<Outcome, Error>>>, Error> {
        let from_memory = remembered.is_some();
        let Some((mut poll, mut ballots)) = self.load_with(place, batch, remembered).await? else {
            return Ok(None);
        };
        // Whoever opens a poll counts the others first, and nobody adds one meanwhile.
        let mut adding = None;
        if poll.loaded.head.is_none() {
            let neighbours = place.neighbours();
            self.check_not_full(&neighbours, place)?;
            adding = self.adding.wait(&neighbours).await;
            let Some(found) = self.load_with(place, batch, None).await? else {
                return Ok(None);
            };
            (poll, ballots) = found;
            if poll.loaded.head.is_none() {
                self.check_room_of_votes(&neighbours, place).await?;
            }
        }
        let loaded = &poll.loaded;
        let opening = loaded.head.is_none();
        let mut draft = self.draft(place, loaded, ballots);
        let counted: Counted = draft.apply(batch);
        let changed = draft.ballots.values().any(Drafted::is_changed);
        if from_memory && (!changed || counted.iter().any(Result::is_err)) {
            // Only a commit checks what memory believed: refusals, and that nothing changes, are
            // for what the store holds.
            return Ok(None);
        }
        let mut total = loaded.others.clone();
        total.merge(&draft.own);
        let numbers = Arc::new(VoteNumbers::from(total.statistics()));
        let outcome = |counted: Result<Option<i64>, Error>| {
            let numbers = Arc::clone(&numbers);
            counted.map(|vote| Outcome::Counted(Voted { numbers, vote }))
        };
        if changed {
            let (commit, renewed) = self.commit_of(place, loaded, &draft, opening)?;
            let committed = self.world.try_commit(commit).await;
            // Unknown is not undone: who subscribed is told what the store holds.
            let tell = |version| self.announce_votes(place, &draft.head, version);
            let told = committed.inspect_err(|_| tell(0))?;
            let Some(version) = told else {
                return Ok(None);
            };
            tell(version);
            poll.loaded = draft.committed(poll.loaded, version, renewed);
            if attempt > 1 {
                poll = poll.distrusting();
            }
            self.remembered.keep(place.key(), poll);
        }
        drop(adding);
        Ok(Some(counted.into_iter().map(outcome).collect()))
    }

    /// Reads a poll and ballots, but where a remembered poll trusts that there are none. The ballots first: a commit that finds them unchanged knows that
    /// the tallies, on every node, counted what stands in them, and its numbers are of one moment.
    async fn load_with(
        &self,
        place: &PollPlace,
        batch: &[&BallotChange],
        remembered: Option<Remembered>,
    ) -> Result<Option<(Remembered, Ballots)>, Error> {
        let read_at_ms = self.world.clock.monotonic_ms();
        let head = match &remembered {
            Some(_) => None,
            None => self.load_head(place).await?,
        };
        let known = remembered
            .as_ref()
            .and_then(|poll| poll.loaded.head.as_ref());
        let trusts = remembered.as_ref().is_some_and(Remembered::is_trusting);
        let run = known.or(head.as_ref().map(|head| &head.value));
        let run = run.filter(|_| !trusts);
        let mut ballots = Ballots::with_capacity(batch.len());
        if let Some(run) = run.map(|head| &head.run) {
            let rows = Rows::new(place, run);
            let key = |change: &&BallotChange| rows.ballot(&change.voter);
            let keys: Vec<String> = batch.iter().map(key).collect();
            let records = self.world.store.get_many(&keys).await?;
            for (change, record) in batch.iter().zip(records) {
                let Some(record) = record else { continue };
                let ballot: Ballot = serde_json::from_slice(&record.value)?;
                if ballot.node != self.node
                    && remembered
                        .as_ref()
                        .is_some_and(|poll| poll.is_older_than(record.version))
                {
                    return Ok(None);
                }
                let drafted = Drafted::new(Some(record.version), ballot);
                ballots.insert(change.voter.clone(), drafted);
            }
        }
        if let Some(poll) = remembered {
            return Ok(Some((poll, ballots)));
        }
        let loaded = self.load_tallies(place, head).await?;
        if loaded.head.is_none() {
            ballots.clear();
        }
        Ok(Some((Remembered::read(loaded, read_at_ms), ballots)))
    }

    fn draft(&self, place: &PollPlace, loaded: &Loaded, ballots: Ballots) -> Draft {
        let now_ms = self.world.now_ms();
        let head = loaded.head.clone().unwrap_or_else(|| {
            let mut head = Head::new(Run::new(&self.world));
            head.keep(now_ms, self.votes_ms);
            head
        });
        Draft {
            rows: Rows::new(place, &head.run),
            head,
            own: loaded.own.0.clone(),
            ballots,
            now_ms,
            writes: 0,
            node: self.node,
        }
    }

    /// The commit of a draft, and when the head expires that it writes, if it writes one.
    fn commit_of(
        &self,
        place: &PollPlace,
        loaded: &Loaded,
        draft: &Draft,
        opening: bool,
    ) -> Result<(Commit, Option<i64>), Error> {
        let (head, rows) = (&draft.head, &draft.rows);
        let head_key = place.key();
        let mut commit = Commit::new().check(&head_key, loaded.version.into());
        let until_ms = draft.now_ms.saturating_add_unsigned(self.votes_ms);
        let ends_soon = loaded.expires_at_ms.is_some_and(|at_ms| at_ms < until_ms);
        let renewed = (opening || ends_soon).then(|| self.head_expiry_ms(head));
        if renewed.is_some() {
            commit = commit.put(head_key, encode(head)?, renewed);
        }
        if opening {
            commit = self.begin_run(commit, place, head)?;
        }
        let tally_key = rows.tally(self.node);
        commit =
            commit
                .check(&tally_key, loaded.own.1.into())
                .put(tally_key, encode(&draft.own)?, None);
        let mut log = LogRecord::new(draft.now_ms);
        for (voter, drafted) in &draft.ballots {
            if !drafted.is_changed() {
                continue;
            }
            let key = rows.ballot(voter);
            commit =
                commit
                    .check(&key, drafted.version.into())
                    .put(key, encode(&drafted.now)?, None);
            log.add(voter, drafted.both());
        }
        // No two commits of this node have the same tally before them.
        commit = log.put(commit, rows, (self.node, loaded.own.1.unwrap_or(0)))?;
        Ok((commit, renewed))
    }
}

impl Drafted {
    fn new(version: Option<u64>, ballot: Ballot) -> Self {
        Self {
            version,
            before: ballot.clone(),
            now: ballot,
        }
    }

    fn is_changed(&self) -> bool {
        self.before != self.now
    }

    const fn both(&self) -> (&Ballot, &Ballot) {
        (&self.before, &self.now)
    }
}

impl Draft {
    /// The poll as it is after the commit, which wrote a head too if that was renewed.
    fn committed(self, loaded: Loaded, version: u64, renewed: Option<i64>) -> Loaded {
        Loaded {
            version: renewed.map_or(loaded.version, |_| Some(version)),
            expires_at_ms: renewed.or(loaded.expires_at_ms),
            head: Some(self.head),
            own: (self.own, Some(version)),
            newest: version,
            votes_version: version,
            others: loaded.others,
        }
    }

    /// Applies ballots in their order, as many as fit in a commit.
    fn apply(&mut self, batch: &[&BallotChange]) -> Counted {
        let mut counted = Vec::with_capacity(batch.len());
        for change in batch {
            if self.writes > COMMIT_WRITES_MAX {
                break;
            }
            counted.push(self.apply_one(change));
        }
        counted
    }

    fn apply_one(&mut self, change: &BallotChange) -> Result<Option<i64>, Error> {
        let (head, now_ms) = (&self.head, self.now_ms);
        let drafted = self
            .ballots
            .entry(change.voter.clone())
            .or_insert_with(|| Drafted::new(None, Ballot::default()));
        let mut ballot = drafted.now.clone();
        match change.what {
            BallotOperation::Vote {
                value,
                count,
                shares_identity,
            } => {
                if !head.takes_votes(now_ms) {
                    return Err(Refusal::PollClosed.into());
                }
                if head.user_id_voting && !shares_identity {
                    return Err(Refusal::UnacceptableVote.into());
                }
                ballot.cast(head.limits, value, count, now_ms)?;
                self.own.last_vote_ms = self.own.last_vote_ms.max(now_ms);
            }
            BallotOperation::Modify(add) => {
                let modifier = ballot.modifier.checked_add(add);
                let modifier = modifier.filter(|sum| sum.unsigned_abs() < WEIGHT_MAX);
                ballot.modifier = modifier.ok_or_else(|| {
                    let expected = format!("must leave the weight below {WEIGHT_MAX}");
                    Error::invalid("add", expected)
                })?;
            }
        }
        if matches!(change.what, BallotOperation::Vote { .. }) {
            ballot.opaque.clone_from(&change.opaque);
        }
        ballot.node = self.node;
        drafted.now.count_in(&mut self.own, -1);
        ballot.count_in(&mut self.own, 1);
        self.writes += 1 + drafted.now.votes.len() + ballot.votes.len();
        let vote = ballot.vote();
        drafted.now = ballot;
        Ok(vote)
    }
}
