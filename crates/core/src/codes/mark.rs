//! Marks: which users may redeem how many codes.

use std::collections::HashSet;

use crowdlink_protocol::CodesMarked;
use crowdlink_store::{BATCH_ITEMS_MAX, Commit, Expect};

use super::{CODES_PER_USER_MAX, Place, Set, check_index};
use crate::caller::{Caller, check_id};
use crate::core::Core;
use crate::error::Error;
use crate::polls::{self, LogEntry};
use crate::table::{Stored, encode};
use crate::world::{CONFLICT_TRIES_MAX, World};

/// What users are marked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marks {
    /// Prize indices, and how many codes of each one user may hold in all.
    prizes: Vec<(usize, u32)>,
}

impl Marks {
    /// Prizes and, for each, a limit; 0 takes a mark back.
    pub fn new(prizes: &[usize], limits: &[u32]) -> Result<Self, Error> {
        if prizes.is_empty() || limits.len() != prizes.len() {
            return Err(Error::invalid(
                "prize_limits",
                "must be one for each of prizes",
            ));
        }
        for prize in prizes {
            check_index("prizes", *prize)?;
        }
        if prizes.iter().collect::<HashSet<_>>().len() < prizes.len() {
            return Err(Error::invalid("prizes", "must name each prize once"));
        }
        if limits.iter().any(|limit| *limit > CODES_PER_USER_MAX) {
            let expected = format!("must be numbers up to {CODES_PER_USER_MAX}");
            return Err(Error::invalid("prize_limits", expected));
        }
        let prizes = prizes.iter().copied().zip(limits.iter().copied());
        Ok(Self {
            prizes: prizes.collect(),
        })
    }
}

/// Marks users. So many at once as one commit takes (10,000 marks), longer lists in steps: each
/// step is in effect when it is done, and the whole may be repeated.
pub async fn mark(
    core: &Core,
    caller: &Caller,
    marks: &Marks,
    users: &[&str],
) -> Result<CodesMarked, Error> {
    caller.require_trusted()?;
    let mut seen = HashSet::with_capacity(users.len());
    let mut distinct = Vec::with_capacity(users.len());
    for user in users {
        if user.is_empty() {
            return Err(Error::invalid("users", "must not be empty"));
        }
        check_id("users", user)?;
        if seen.insert(*user) {
            distinct.push(*user);
        }
    }
    let place = Place::of(caller);
    let per_commit = BATCH_ITEMS_MAX / marks.prizes.len();
    if distinct.is_empty() {
        marked_sets(&place, &core.world, marks).await?;
    }
    for users in distinct.chunks(per_commit) {
        commit(&place, &core.world, marks, users).await?;
    }
    Ok(CodesMarked {
        marked: distinct.len(),
    })
}

/// Who is marked for what they voted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Winners<'a> {
    /// The channel of the poll, where the call names one.
    pub channel: Option<&'a str>,
    /// The poll.
    pub poll_id: &'a str,
    /// The value that is right.
    pub correct: i64,
    /// The last moment for a right vote (Unix ms); none for any time.
    pub cutoff_ms: Option<i64>,
}

/// Marks the voters of a poll who voted for the right value, of those who share identity. In
/// steps, as [`mark`].
pub async fn mark_winners(
    core: &Core,
    caller: &Caller,
    marks: &Marks,
    winners: Winners<'_>,
) -> Result<CodesMarked, Error> {
    caller.require_trusted()?;
    let place = Place::of(caller);
    marked_sets(&place, &core.world, marks).await?;
    let mut log = polls::vote_log(core, caller, winners.channel, winners.poll_id).await?;
    let is_right = |row: &LogEntry| {
        // Who does not share identity is known by the opaque id alone.
        let shares = row.identifier != row.opaque;
        let in_time = winners
            .cutoff_ms
            .is_none_or(|cutoff| row.timestamp <= cutoff);
        row.value == winners.correct && shares && in_time
    };
    let mut marked = 0;
    loop {
        let rows = log.next(core).await?;
        if rows.is_empty() {
            return Ok(CodesMarked { marked });
        }
        let right = rows.iter().filter(|row| is_right(row));
        let users: Vec<&str> = right.map(|row| &*row.identifier).collect();
        for users in users.chunks(BATCH_ITEMS_MAX / marks.prizes.len()) {
            commit(&place, &core.world, marks, users).await?;
        }
        // One row a voter and value: none comes twice.
        marked += users.len();
    }
}

async fn commit(place: &Place, world: &World, marks: &Marks, users: &[&str]) -> Result<(), Error> {
    for attempt in 1..=CONFLICT_TRIES_MAX {
        let mut commit = Commit::new();
        for (set, limit) in marked_sets(place, world, marks).await? {
            let rows = place.rows(&set.value.run);
            commit = commit.check(&set.key, Expect::Version(set.version));
            for user in users {
                commit = commit.put(rows.limit(user), encode(&limit)?, None);
            }
        }
        if world.try_commit(commit).await?.is_some() {
            return Ok(());
        }
        world.pause_before_retry(attempt).await?;
    }
    Ok(())
}

/// The sets that users are marked for, with their limits.
async fn marked_sets(
    place: &Place,
    world: &World,
    marks: &Marks,
) -> Result<Vec<(Stored<Set>, u32)>, Error> {
    let mut sets = place.sets(world).await?;
    let set = |(prize, limit): &(usize, u32)| {
        let set = sets.get_mut(*prize).and_then(Option::take);
        let set = set.ok_or_else(|| Error::invalid("prizes", "must name sets that are there"))?;
        Ok((set, *limit))
    };
    marks.prizes.iter().map(set).collect()
}
