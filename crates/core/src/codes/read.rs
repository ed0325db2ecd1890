//! What is there of codes, and the end of it.

use crowdlink_protocol::{CodeNames, CodesDistributed, CodesEligible, CodesRedeemed, PRIZES_MAX};
use crowdlink_store::{Commit, Expect};

use super::redeem::held_by;
use super::{COUNTS, Place, Set, shared_user};
use crate::caller::Caller;
use crate::core::Core;
use crate::error::Error;
use crate::runs;
use crate::table::Stored;
use crate::world::{CONFLICT_TRIES_MAX, World};

/// How long the rows of removed sets stay: somebody is being told how many codes went out.
const REMOVED_MS: i64 = 10 * 60 * 1_000;

/// The names of the sets.
pub async fn names(core: &Core, caller: &Caller) -> Result<CodeNames, Error> {
    caller.require_trusted()?;
    let mut sets = Place::of(caller).sets(&core.world).await?;
    cut(&mut sets);
    let name = |set: Option<Stored<Set>>| set.map_or_else(String::new, |set| set.value.name);
    Ok(CodeNames {
        names: sets.into_iter().map(name).collect(),
    })
}

/// Forgets the places behind the last set.
fn cut(sets: &mut Vec<Option<Stored<Set>>>) {
    let last = sets.iter().rposition(Option::is_some);
    sets.truncate(last.map_or(0, |last| last + 1));
}

/// Removes every set with all that users hold of it; tells how many codes went out.
pub async fn remove(core: &Core, caller: &Caller) -> Result<CodesDistributed, Error> {
    caller.require_trusted()?;
    let (world, place) = (&core.world, Place::of(caller));
    for attempt in 1..=CONFLICT_TRIES_MAX {
        let mut sets = place.sets(world).await?;
        cut(&mut sets);
        let due_at_ms = world.now_ms().saturating_add(REMOVED_MS);
        let mut commit = Commit::new();
        for set in sets.iter().flatten() {
            commit = commit
                .check(&set.key, Expect::Version(set.version))
                .delete(&set.key);
            let parts = set.value.parts.iter().map(|part| &part.run);
            for run in parts.chain([&set.value.run]) {
                commit = runs::watch(commit, &place.watch_of(run, &set.key), due_at_ms)?;
            }
        }
        if commit.writes.is_empty() || world.try_commit(commit).await?.is_some() {
            return distributed(world, &place, &sets).await;
        }
        world.pause_before_retry(attempt).await?;
    }
    distributed(world, &place, &[]).await
}

/// Of sets that are removed: no more of their codes can go out.
async fn distributed(
    world: &World,
    place: &Place,
    sets: &[Option<Stored<Set>>],
) -> Result<CodesDistributed, Error> {
    let mut distributed = Vec::with_capacity(sets.len());
    for set in sets {
        let count = match set {
            None => None,
            Some(set) => {
                let next = place.rows(&set.value.run).next();
                COUNTS.get(&*world.store, &next).await?
            }
        };
        distributed.push(count.map_or(0, |count| count.value));
    }
    Ok(CodesDistributed { distributed })
}

/// How many codes of each prize the caller may still redeem.
pub async fn eligible(core: &Core, caller: &Caller) -> Result<CodesEligible, Error> {
    let user = shared_user(caller)?;
    let place = Place::of(caller);
    let mut eligible = vec![0; PRIZES_MAX];
    let (mut keys, mut prizes) = (Vec::new(), Vec::new());
    for (prize, set) in place.sets(&core.world).await?.into_iter().enumerate() {
        if let Some(set) = set {
            let rows = place.rows(&set.value.run);
            keys.extend([rows.limit(user), rows.count(user)]);
            prizes.push(prize);
        }
    }
    let counts = COUNTS.get_many(&*core.world.store, keys).await?;
    let count = |count: &Option<Stored<u32>>| count.as_ref().map_or(0, |count| count.value);
    for (prize, counts) in prizes.into_iter().zip(counts.chunks(2)) {
        if let ([limit, holds], Some(eligible)) = (counts, eligible.get_mut(prize)) {
            *eligible = count(limit).saturating_sub(count(holds));
        }
    }
    Ok(CodesEligible { eligible })
}

/// The codes that the caller holds.
pub async fn redeemed(core: &Core, caller: &Caller) -> Result<CodesRedeemed, Error> {
    let user = shared_user(caller)?;
    let place = Place::of(caller);
    let mut redeemed = Vec::with_capacity(PRIZES_MAX);
    for set in place.sets(&core.world).await? {
        redeemed.push(match set {
            None => Vec::new(),
            Some(set) => held_by(&core.world, &place.rows(&set.value.run), user).await?,
        });
    }
    Ok(CodesRedeemed { redeemed })
}
