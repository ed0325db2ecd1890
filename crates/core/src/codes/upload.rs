//! Uploads: a million codes in one call, all of them or none.

use std::collections::HashSet;

use crowdlink_protocol::PRIZES_MAX;
use crowdlink_store::{Commit, Expect};
use tokio::sync::SemaphorePermit;

use super::{
    CHUNKS, CODES_PER_ROW, CODES_PER_SET_MAX, CodeList, NewCodes, PARTS_PER_SET_MAX, Part, Place,
    Set, Upload,
};
use crate::caller::Caller;
use crate::core::Core;
use crate::error::Error;
use crate::runs::{self, Run, Watch};
use crate::table::{Stored, encode};
use crate::world::World;

/// Uploads that one node takes at a time: each may hold a large body in memory.
pub(crate) const UPLOADS_AT_ONCE_MAX: usize = 2;
/// When an upload that found too many others may come again.
const RETRY_AFTER_MS: u64 = 1_000;
/// Rows of one commit: small enough that others do not wait for it.
const ROWS_PER_COMMIT_MAX: usize = 20;
/// Rows of codes read at once.
const ROWS_READ_MAX: usize = 100;
/// Codes looked at without a turn for others.
const CODES_BETWEEN_TURNS: usize = 4_096;
/// How long the rows of an upload wait for the set that they are for; then they go.
const UPLOAD_MS_MAX: i64 = 60 * 60 * 1_000;
/// Tries of an upload that meets others at the same sets.
const UPLOAD_TRIES_MAX: u32 = 3;

/// The right to upload, and a place among those who do.
#[derive(Debug)]
pub struct UploadPermit<'a> {
    _place: SemaphorePermit<'a>,
}

/// Asks for the right to upload, before the body is read.
pub fn begin_upload<'a>(core: &'a Core, caller: &Caller) -> Result<UploadPermit<'a>, Error> {
    caller.require_trusted()?;
    let place = core.uploads.try_acquire();
    let place = place.map_err(|_| Error::RateLimited {
        retry_after_ms: RETRY_AFTER_MS,
    })?;
    Ok(UploadPermit { _place: place })
}

/// Adds codes to sets, which are made where there are none. A set that a name stands for already
/// is that set, unless the call tells an index. Codes that a set has already are not added again,
/// so an upload may be repeated. All sets change at once, or none does.
pub async fn upload(
    core: &Core,
    caller: &Caller,
    _permit: &UploadPermit<'_>,
    upload: &Upload,
) -> Result<(), Error> {
    caller.require_trusted()?;
    let uploading = Uploading {
        world: &core.world,
        place: Place::of(caller),
    };
    for _ in 0..UPLOAD_TRIES_MAX {
        let sets = uploading.place.sets(&core.world).await?;
        let targets = targets(upload, &sets)?;
        let mut commit = Commit::new();
        let expires_at_ms = core
            .world
            .now_ms()
            .saturating_add_unsigned(core.lifetimes.codes_ms);
        for (codes, index) in upload.sets.iter().zip(targets) {
            let there = sets.get(index).and_then(Option::as_ref);
            let target = Target {
                codes,
                index,
                there,
            };
            commit = uploading.add(commit, target, expires_at_ms).await?;
        }
        if core.world.try_commit(commit).await?.is_some() {
            return Ok(());
        }
    }
    Err(Error::Internal(
        "others changed the sets meanwhile".to_owned(),
    ))
}

/// The prize that each set of an upload is for.
fn targets(upload: &Upload, sets: &[Option<Stored<Set>>]) -> Result<Vec<usize>, Error> {
    let named = |name: &str| {
        let is_named =
            |set: &Option<Stored<Set>>| set.as_ref().is_some_and(|set| set.value.name == name);
        sets.iter().position(is_named)
    };
    let mut names: Vec<Option<&str>> = sets
        .iter()
        .map(|set| set.as_ref().map(|set| &*set.value.name))
        .collect();
    names.resize(PRIZES_MAX, None);
    let mut targets = Vec::with_capacity(upload.sets.len());
    for (position, set) in upload.sets.iter().enumerate() {
        let index = set.index.or_else(|| named(&set.name)).unwrap_or(position);
        if targets.contains(&index) {
            return Err(Error::invalid("indices", "must name each prize once"));
        }
        if let Some(name) = names.get_mut(index) {
            *name = Some(&set.name);
        }
        targets.push(index);
    }
    let mut seen = HashSet::new();
    if names.into_iter().flatten().all(|name| seen.insert(name)) {
        return Ok(targets);
    }
    Err(Error::invalid("names", "must be different for each prize"))
}

/// Codes without repetitions. A million of them take a while: others get their turns.
async fn distinct(codes: &CodeList) -> HashSet<&str> {
    let mut distinct = HashSet::new();
    for (number, code) in codes.iter().enumerate() {
        distinct.insert(code);
        if number % CODES_BETWEEN_TURNS == 0 {
            tokio::task::yield_now().await;
        }
    }
    distinct
}

/// The codes of the next row: new ones, each once.
fn next_chunk<'a>(
    codes: &mut impl Iterator<Item = &'a str>,
    fresh: &mut HashSet<&'a str>,
) -> Vec<&'a str> {
    let fresh = codes.filter(|code| fresh.remove(code));
    fresh.take(CODES_PER_ROW).collect()
}

/// One set of an upload, and what is there.
struct Target<'a> {
    codes: &'a NewCodes,
    index: usize,
    there: Option<&'a Stored<Set>>,
}

/// An upload under way.
struct Uploading<'a> {
    world: &'a World,
    place: Place,
}

impl Uploading<'_> {
    /// Writes the codes that are new, and adds to the commit what makes them a part of the set.
    async fn add(
        &self,
        commit: Commit,
        target: Target<'_>,
        expires_at_ms: i64,
    ) -> Result<Commit, Error> {
        let head = self.place.head(target.index);
        let (mut set, expect) = match target.there {
            Some(there) => (there.value.clone(), Expect::Version(there.version)),
            None => (self.new_set(), Expect::Absent),
        };
        set.name.clone_from(&target.codes.name);
        let mut commit = commit.check(&head, expect);
        if expect == Expect::Absent {
            commit = runs::watch(commit, &self.place.watch_of(&set.run, &head), expires_at_ms)?;
        }
        let mut fresh = distinct(&target.codes.codes).await;
        for part in &set.parts {
            self.forget_known(part, &mut fresh).await?;
        }
        let codes = u32::try_from(fresh.len()).unwrap_or(u32::MAX);
        if set.codes() as usize + fresh.len() > CODES_PER_SET_MAX {
            let expected = format!("must be at most {CODES_PER_SET_MAX} in a set");
            return Err(Error::invalid("codes", expected));
        }
        if codes > 0 {
            if set.parts.len() >= PARTS_PER_SET_MAX {
                let expected = format!("must come in at most {PARTS_PER_SET_MAX} uploads a set");
                return Err(Error::invalid("codes", expected));
            }
            let run = Run::new(self.world);
            let watched = self.place.watch_of(&run, &head);
            let due_at_ms = self.world.now_ms().saturating_add(UPLOAD_MS_MAX);
            self.write(&watched, due_at_ms, &target.codes.codes, fresh)
                .await?;
            commit = commit.check(watched.due_key(due_at_ms), Expect::Any);
            set.parts.push(Part { run, codes });
        }
        Ok(commit.put(head, encode(&set)?, Some(expires_at_ms)))
    }

    fn new_set(&self) -> Set {
        Set {
            name: String::new(),
            run: Run::new(self.world),
            parts: Vec::new(),
        }
    }

    /// Takes the codes of a part out of those that are new.
    async fn forget_known(&self, part: &Part, fresh: &mut HashSet<&str>) -> Result<(), Error> {
        let rows = self.place.rows(&part.run);
        let (prefix, mut after) = (&rows.0, None);
        loop {
            let store = &*self.world.store;
            let page = CHUNKS
                .scan(store, prefix, after.as_deref(), ROWS_READ_MAX)
                .await?;
            for code in page.iter().flat_map(|chunk| &chunk.value) {
                fresh.remove(&**code);
            }
            if page.len() < ROWS_READ_MAX {
                return Ok(());
            }
            after = page.into_iter().next_back().map(|chunk| chunk.key);
        }
    }

    /// Writes the new ones among codes, each once and in their order, under a run that waits for
    /// its set.
    async fn write<'a>(
        &self,
        watched: &Watch,
        due_at_ms: i64,
        codes: &'a CodeList,
        mut fresh: HashSet<&'a str>,
    ) -> Result<(), Error> {
        let waits = || watched.due_key(due_at_ms);
        let store = &self.world.store;
        store
            .commit(runs::watch(Commit::new(), watched, due_at_ms)?)
            .await?;
        let rows = self.place.rows(&watched.run);
        let (mut codes, mut number) = (codes.iter(), 0);
        let mut more = true;
        while more {
            let mut commit = Commit::new().check(waits(), Expect::Any);
            while more && commit.writes.len() < ROWS_PER_COMMIT_MAX {
                let chunk = next_chunk(&mut codes, &mut fresh);
                more = chunk.len() == CODES_PER_ROW;
                if !chunk.is_empty() {
                    commit = commit.put(rows.chunk(number), encode(&chunk)?, None);
                    number += 1;
                }
            }
            store.commit(commit).await?;
        }
        Ok(())
    }
}
