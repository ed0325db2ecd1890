//! Redeeming: those who wait for codes of one set are served by one commit, in their order.

use std::collections::HashMap;

use crowdlink_protocol::CodeRedeemed;
use crowdlink_store::{Commit, Expect};

use super::{
    CHUNKS, CODES_PER_ROW, CODES_PER_USER_MAX, COUNTS, HELD, Place, Rows, SETS, Set, check_index,
    shared_user,
};
use crate::caller::Caller;
use crate::combine::Apply;
use crate::core::Core;
use crate::error::{Error, Refusal};
use crate::table::{Stored, encode};
use crate::world::{CONFLICT_TRIES_MAX, World};

/// A code that a user got.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    code: String,
    /// The set's rows.
    rows: Rows,
}

/// Gives the caller the next code of a prize: each goes to one user, in order, once. It is the
/// user's for good when this answers.
pub async fn redeem(core: &Core, caller: &Caller, prize: usize) -> Result<CodeRedeemed, Error> {
    let user = shared_user(caller)?;
    check_index("prize", prize)?;
    let place = Place::of(caller);
    let head = place.head(prize);
    let server = || Server {
        world: core.world.clone(),
        head: head.clone(),
        place,
    };
    let given = core.redeem.submit(head.clone(), user.to_owned(), server);
    let Given { code, rows } = given.await?;
    let all_prizes = held_by(&core.world, &rows, user).await?;
    Ok(CodeRedeemed { code, all_prizes })
}

/// The codes of a set that a user holds.
pub(super) async fn held_by(world: &World, rows: &Rows, user: &str) -> Result<Vec<String>, Error> {
    let limit = usize::try_from(CODES_PER_USER_MAX).unwrap_or(usize::MAX);
    let held = HELD
        .scan(&*world.store, &rows.held(user), None, limit)
        .await?;
    Ok(held.into_iter().map(|held| held.value).collect())
}

/// Serves those who wait for one set.
struct Server {
    world: World,
    head: String,
    place: Place,
}

impl Apply<String, Given> for Server {
    async fn apply(&mut self, batch: &[String]) -> Vec<Result<Given, Error>> {
        let served = self.serve(batch).await;
        served.unwrap_or_else(|error| batch.iter().map(|_| Err(error.clone())).collect())
    }
}

/// What a batch finds.
struct Found {
    next: u32,
    next_is: Expect,
    users: HashMap<String, User>,
}

/// A user while a batch is served.
struct User {
    limit: u32,
    limit_is: Expect,
    holds: u32,
    /// The numbers of the codes it gets.
    gets: Vec<u32>,
}

impl Server {
    async fn serve(&self, batch: &[String]) -> Result<Vec<Result<Given, Error>>, Error> {
        for attempt in 1..=CONFLICT_TRIES_MAX {
            let Some(set) = SETS.get(&*self.world.store, &self.head).await? else {
                let nothing = |_| Err(Refusal::NotEligible.into());
                return Ok(batch.iter().map(nothing).collect());
            };
            let rows = self.place.rows(&set.value.run);
            let mut found = self.find(&rows, batch).await?;
            let (first, codes) = (found.next, set.value.codes());
            let numbers: Vec<Result<u32, Refusal>> =
                batch.iter().map(|user| found.take(user, codes)).collect();
            let codes = self.codes(&set.value, first, found.next).await?;
            let commit = found.commit(&set, &rows, |number| codes.get(&number))?;
            if commit.writes.is_empty() || self.world.try_commit(commit).await?.is_some() {
                let given = |number: Result<u32, Refusal>| {
                    let code = codes.get(&number?).cloned();
                    let code = code.ok_or_else(lost)?;
                    let rows = rows.clone();
                    Ok(Given { code, rows })
                };
                return Ok(numbers.into_iter().map(given).collect());
            }
            self.world.pause_before_retry(attempt).await?;
        }
        Err(lost())
    }

    async fn find(&self, rows: &Rows, batch: &[String]) -> Result<Found, Error> {
        let mut names: Vec<&String> = batch.iter().collect();
        names.sort_unstable();
        names.dedup();
        let mut keys = vec![rows.next()];
        keys.extend(names.iter().map(|user| rows.limit(user)));
        keys.extend(names.iter().map(|user| rows.count(user)));
        let counts = COUNTS.get_many(&*self.world.store, keys).await?;
        let mut counts = counts.into_iter().map(|count| match count {
            Some(count) => (count.value, Expect::Version(count.version)),
            None => (0, Expect::Absent),
        });
        let mut count = || counts.next().ok_or_else(lost);
        let (next, next_is) = count()?;
        let limits: Vec<_> = names.iter().map(|_| count()).collect::<Result<_, _>>()?;
        let mut users = HashMap::with_capacity(names.len());
        for (user, (limit, limit_is)) in names.into_iter().zip(limits) {
            let (holds, _) = count()?;
            let gets = Vec::new();
            users.insert(
                user.clone(),
                User {
                    limit,
                    limit_is,
                    holds,
                    gets,
                },
            );
        }
        Ok(Found {
            next,
            next_is,
            users,
        })
    }

    /// The codes with some numbers, `from..to`, of which there are as many as a batch has.
    async fn codes(&self, set: &Set, from: u32, to: u32) -> Result<HashMap<u32, String>, Error> {
        let mut codes = HashMap::new();
        let (mut number, mut part_start) = (from as usize, 0);
        for part in &set.parts {
            let part_end = part_start + part.codes as usize;
            let rows = self.place.rows(&part.run);
            while number < part_end.min(to as usize) {
                let row = (number - part_start) / CODES_PER_ROW;
                let row_start = part_start + row * CODES_PER_ROW;
                let chunk = CHUNKS.get(&*self.world.store, &rows.chunk(row)).await?;
                let chunk = chunk.ok_or_else(lost)?.value;
                for (code, at) in chunk.into_iter().zip(row_start..) {
                    if at >= number && at < to as usize {
                        codes.insert(u32::try_from(at).unwrap_or(u32::MAX), code);
                    }
                }
                number = (row_start + CODES_PER_ROW).min(part_end);
            }
            part_start = part_end;
        }
        Ok(codes)
    }
}

/// Records of a live set that are not there.
fn lost() -> Error {
    Error::Internal("codes of a set are missing".to_owned())
}

impl Found {
    /// The number of the code that a user gets of a set with so many codes.
    fn take(&mut self, user: &str, codes: u32) -> Result<u32, Refusal> {
        let user = self.users.get_mut(user).ok_or(Refusal::NotEligible)?;
        if user.holds >= user.limit {
            return Err(Refusal::NotEligible);
        }
        if self.next >= codes {
            return Err(Refusal::NoCodesLeft);
        }
        let number = self.next;
        self.next += 1;
        user.holds += 1;
        user.gets.push(number);
        Ok(number)
    }

    /// Writes who got what. Every commit of a set moves `next` on, so checking it keeps any two
    /// apart; the limits are checked for they are set by others.
    fn commit<'a>(
        &self,
        set: &Stored<Set>,
        rows: &Rows,
        code: impl Fn(u32) -> Option<&'a String>,
    ) -> Result<Commit, Error> {
        let mut commit = Commit::new()
            .check(&set.key, Expect::Version(set.version))
            .check(rows.next(), self.next_is);
        for (name, user) in self.users.iter().filter(|(_, user)| !user.gets.is_empty()) {
            commit = commit.check(rows.limit(name), user.limit_is).put(
                rows.count(name),
                encode(&user.holds)?,
                None,
            );
            let held = rows.held(name);
            for number in &user.gets {
                let code = code(*number).ok_or_else(lost)?;
                commit = commit.put(format!("{held}{number:06}"), encode(code)?, None);
            }
        }
        if !commit.writes.is_empty() {
            commit = commit.put(rows.next(), encode(&self.next)?, None);
        }
        Ok(commit)
    }
}
