//! The records of a poll: reading them together, and their keys.

use crowdlink_store::{Commit, SCAN_PAGE_RECORDS_MAX};

use super::ballot::Ballot;
use super::head::{Definition, Head};
use super::log::LogRecord;
use super::place::{KIND, PollPlace};
use super::tally::Tally;
use super::{FULL_MS, Polls};
use crate::error::Error;
use crate::keys;
use crate::runs::{Run, Watch, watch};
use crate::table::{Stored, Table};

pub(super) const HEADS: Table<Head> = Table::new(KIND);
pub(super) const DEFINITIONS: Table<Definition> = Table::new(DEFINITION);
pub(super) const BALLOTS: Table<Ballot> = Table::new(BALLOT);
pub(super) const TALLIES: Table<Tally> = Table::new(TALLY);
pub(super) const LOG: Table<LogRecord> = Table::new(VOTE_LOG);

/// One row a run.
const DEFINITION: &str = "poll-definition";
/// One row a voter.
const BALLOT: &str = "ballot";
/// One row a node.
const TALLY: &str = "tally";
/// One row a commit of votes; its key begins with the time.
const VOTE_LOG: &str = "vote-log";
/// Every kind of row of a run.
const ROWS: [&str; 4] = [DEFINITION, BALLOT, TALLY, VOTE_LOG];

/// A head lives this much longer than its poll, so that votes need not renew it each time.
const HEAD_SPARE_MS: i64 = 60 * 60 * 1_000;

/// A poll as it was read.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    /// The version of the head's record, also where what it tells of is gone.
    pub(super) version: Option<u64>,
    pub(super) expires_at_ms: Option<i64>,
    /// The live poll.
    pub(super) head: Option<Head>,
    /// What other nodes counted in its run.
    pub(super) others: Tally,
    /// What this node counted, and the version of that record.
    pub(super) own: (Tally, Option<u64>),
    /// The newest version of all records that were read.
    pub(super) newest: u64,
    /// The newest version of the tallies; 0 without any.
    pub(super) votes_version: u64,
}

impl Loaded {
    /// What all nodes counted.
    pub(super) fn total(&self) -> Tally {
        let mut total = self.others.clone();
        total.merge(&self.own.0);
        total
    }
}

/// The keys of the rows of one run.
#[derive(Debug)]
pub(super) struct Rows {
    ballots: String,
    /// What the keys of all tallies start with.
    pub(super) tallies: String,
    /// What the keys of the log start with.
    pub(super) log: String,
    pub(super) definition: String,
}

impl Rows {
    pub(super) fn new(place: &PollPlace, run: &Run) -> Self {
        let rows = |kind| run.rows(place.stage, &place.client_id, kind);
        Self {
            ballots: rows(BALLOT),
            tallies: rows(TALLY),
            log: rows(VOTE_LOG),
            definition: rows(DEFINITION) + "asked",
        }
    }

    pub(super) fn ballot(&self, voter: &str) -> String {
        let mut key = self.ballots.clone();
        keys::push_segment(&mut key, voter);
        key
    }

    /// What a node counted.
    pub(super) fn tally(&self, node: u32) -> String {
        format!("{}{node}", self.tallies)
    }

    /// What a node counted at one moment.
    pub(super) fn log_record(&self, at_ms: i64, node: u32, number: u64) -> String {
        format!("{}{at_ms:013}/{node}/{number}", self.log)
    }
}

impl Polls {
    /// Reads a poll and its tallies.
    pub(super) async fn load(&self, place: &PollPlace) -> Result<Loaded, Error> {
        let head = self.load_head(place).await?;
        self.load_tallies(place, head).await
    }

    /// Reads what stands under the key of a poll, to be followed by its tallies.
    pub(super) async fn load_head(&self, place: &PollPlace) -> Result<Option<Stored<Head>>, Error> {
        HEADS.get(&*self.world.store, &place.key()).await
    }

    /// Reads the tallies to a head. A poll whose last vote is too long ago is gone, to the
    /// millisecond, though its records still lie there.
    pub(super) async fn load_tallies(
        &self,
        place: &PollPlace,
        head: Option<Stored<Head>>,
    ) -> Result<Loaded, Error> {
        let store = &*self.world.store;
        let mut loaded = Loaded {
            version: None,
            expires_at_ms: None,
            head: None,
            others: Tally::default(),
            own: (Tally::default(), None),
            newest: 0,
            votes_version: 0,
        };
        let Some(stored) = head else {
            return Ok(loaded);
        };
        (loaded.version, loaded.expires_at_ms) = (Some(stored.version), stored.expires_at_ms);
        loaded.newest = stored.version;
        let rows = Rows::new(place, &stored.value.run);
        let own_key = rows.tally(self.node);
        let page = SCAN_PAGE_RECORDS_MAX;
        for tally in TALLIES.scan(store, &rows.tallies, None, page).await? {
            loaded.newest = loaded.newest.max(tally.version);
            loaded.votes_version = loaded.votes_version.max(tally.version);
            if tally.key == own_key {
                loaded.own = (tally.value, Some(tally.version));
            } else {
                loaded.others.merge(&tally.value);
            }
        }
        if self.is_live(&stored.value, loaded.total().last_vote_ms) {
            loaded.head = Some(stored.value);
        } else {
            loaded.others = Tally::default();
            loaded.own = (Tally::default(), None);
        }
        Ok(loaded)
    }

    pub(super) fn is_live(&self, head: &Head, last_vote_ms: i64) -> bool {
        let voted_until_ms = last_vote_ms.saturating_add_unsigned(self.votes_ms);
        self.world.now_ms() < head.kept_until_ms.max(voted_until_ms)
    }

    /// When the record of a head ends that is written now.
    pub(super) fn head_expiry_ms(&self, head: &Head) -> i64 {
        let votes_ms = self.world.now_ms().saturating_add_unsigned(self.votes_ms);
        head.kept_until_ms
            .max(votes_ms)
            .saturating_add(HEAD_SPARE_MS)
    }

    /// Adds to a commit that a poll has a run that is new.
    pub(super) fn begin_run(
        &self,
        commit: Commit,
        place: &PollPlace,
        head: &Head,
    ) -> Result<Commit, Error> {
        watch(
            commit,
            &run_watch(place, &head.run),
            self.head_expiry_ms(head),
        )
    }

    /// Adds to a commit that a poll has a run no more: its rows may go.
    pub(super) fn end_run(
        &self,
        commit: Commit,
        place: &PollPlace,
        run: &Run,
    ) -> Result<Commit, Error> {
        watch(commit, &run_watch(place, run), self.world.now_ms())
    }

    /// Refuses a poll that a vote would open where it was seen just now that there is no room.
    pub(super) fn check_not_full(&self, neighbours: &str, place: &PollPlace) -> Result<(), Error> {
        match self.full.get(neighbours) {
            Some(until_ms) if self.world.now_ms() < until_ms => {
                Err(one_too_many(self.polls_max(place)))
            }
            _ => Ok(()),
        }
    }

    /// Counts the polls that votes opened, unless somebody else just did; the caller has the lock
    /// of those who add one.
    pub(super) async fn check_room_of_votes(
        &self,
        neighbours: &str,
        place: &PollPlace,
    ) -> Result<(), Error> {
        self.check_not_full(neighbours, place)?;
        let room = self.check_room(place, false).await;
        if matches!(room, Err(Error::Invalid { .. })) {
            let until_ms = self.world.now_ms().saturating_add(FULL_MS);
            self.full.insert(neighbours.to_owned(), until_ms);
        }
        room
    }

    const fn polls_max(&self, place: &PollPlace) -> usize {
        if place.channel.is_some() {
            self.limits.polls_per_channel_max
        } else {
            self.limits.polls_per_extension_max
        }
    }

    /// Refuses one poll more than a channel or an extension may have, of those that are defined or
    /// of those that only votes opened: viewers must not be able to keep a game from creating one. A poll that only votes of its last hour keep
    /// (`HEAD_SPARE_MS`) is not counted.
    pub(super) async fn check_room(&self, place: &PollPlace, defined: bool) -> Result<(), Error> {
        let polls_max = self.polls_max(place);
        let (store, prefix) = (&*self.world.store, place.neighbours());
        // A head that is in its spare time is of a poll that is gone, or was voted on an hour ago.
        let spare_until_ms = self.world.now_ms().saturating_add(HEAD_SPARE_MS);
        let counts = |head: &&Stored<Head>| {
            let in_time = head
                .expires_at_ms
                .is_none_or(|at_ms| at_ms > spare_until_ms);
            in_time && head.value.defined == defined
        };
        let mut after: Option<String> = None;
        let mut count = 0;
        loop {
            let last = after.as_deref();
            let page = HEADS
                .scan(store, &prefix, last, SCAN_PAGE_RECORDS_MAX)
                .await?;
            let full = page.len() == SCAN_PAGE_RECORDS_MAX;
            count += page.iter().filter(counts).count();
            if count >= polls_max {
                return Err(one_too_many(polls_max));
            }
            after = page.into_iter().next_back().map(|head| head.key);
            if !full {
                return Ok(());
            }
        }
    }
}

fn one_too_many(polls_max: usize) -> Error {
    let expected = format!("is one more than the {polls_max} polls there may be");
    Error::invalid("poll_id", expected)
}

fn run_watch(place: &PollPlace, run: &Run) -> Watch {
    Watch::new(run, place.key(), (place.stage, &place.client_id), &ROWS)
}
