//! Marks: which users may redeem how many codes.

use std::collections::HashSet;

use crowdlink_protocol::CodesMarked;
use crowdlink_store::{BATCH_ITEMS_MAX, Commit, Expect};

use super::{CODES_PER_USER_MAX, Place, Set, check_index};
use crate::caller::{Caller, check_id};
use crate::core::Core;
use crate::error::Error;
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
