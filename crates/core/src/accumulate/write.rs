//! Values that arrive under one id, of whatever channel, are written together.

use std::collections::HashMap;

use crowdlink_store::{Commit, Expect};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{CLOCKS, HEADS, Head, Place, ROWS_KIND, Row, row_key};
use crate::caller::Caller;
use crate::combine::Apply;
use crate::core::Core;
use crate::error::Error;
use crate::gathered::check_id;
use crate::keys::is_global;
use crate::runs::{self, Run, Watch};
use crate::table::encode;
use crate::world::{CONFLICT_TRIES_MAX, World};

/// A value that waits to be written.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The key of the head.
    head: String,
    row: Row,
}

/// Gathers a value under an id; it is durable and visible when this answers.
pub async fn add(
    core: &Core,
    caller: &Caller,
    channel: Option<&str>,
    id: &str,
    value: &Value,
) -> Result<(), Error> {
    check_id(id)?;
    let bytes_max = core.limits.accumulate_bytes_max;
    let json = serde_json::to_string(value)?;
    if json.len() > bytes_max {
        let expected = format!("must be at most {bytes_max} bytes of JSON");
        return Err(Error::invalid("body", expected));
    }
    let (scope, channel_id) = if is_global(id) {
        caller.check_named_channel(channel)?;
        let named = channel.filter(|channel| !channel.is_empty());
        (None, named.or(caller.channel_id.as_deref()))
    } else {
        let channel = caller.channel(channel)?;
        (Some(channel), Some(channel))
    };
    let place = Place {
        stage: caller.stage,
        client_id: caller.client_id().clone(),
        id: id.to_owned(),
    };
    let entry = Entry {
        head: place.head_key(scope),
        row: Row {
            channel_id: channel_id.unwrap_or_default().to_owned(),
            opaque_user_id: opaque_user_id(caller),
            user_id: caller.user_id.clone().unwrap_or_default(),
            data: RawValue::from_string(json)?,
        },
    };
    let writer = || Writer {
        world: core.world.clone(),
        lifetime_ms: core.lifetimes.accumulate_ms,
        place: place.clone(),
    };
    let key = place.clock_key();
    core.accumulate.submit(key, entry, writer).await
}

/// Never empty for a viewer: it is the user's own where the token has none (`spec 6.3`).
fn opaque_user_id(caller: &Caller) -> String {
    match (&caller.opaque_user_id, &caller.user_id) {
        (Some(opaque), _) => opaque.clone(),
        (None, Some(user_id)) => format!("U{user_id}"),
        (None, None) => String::new(),
    }
}

/// Writes the values of one id.
struct Writer {
    world: World,
    lifetime_ms: u64,
    place: Place,
}

impl Apply<Entry, ()> for Writer {
    async fn apply(&mut self, batch: &[Entry]) -> Vec<Result<(), Error>> {
        let written = self.write(batch).await;
        batch.iter().map(|_| written.clone()).collect()
    }
}

/// The head of a channel while a batch is written.
struct Drafted {
    head: Head,
    expect: Expect,
    rows: String,
}

impl Writer {
    async fn write(&self, batch: &[Entry]) -> Result<(), Error> {
        for attempt in 1..=CONFLICT_TRIES_MAX {
            let commit = self.draft(batch).await?;
            if self.world.try_commit(commit).await?.is_some() {
                return Ok(());
            }
            self.world.pause_before_retry(attempt).await?;
        }
        Ok(())
    }

    async fn draft(&self, batch: &[Entry]) -> Result<Commit, Error> {
        let store = &*self.world.store;
        let (now_ms, clock_key) = (self.world.now_ms().max(0), self.place.clock_key());
        let clock = CLOCKS.get(store, &clock_key).await?;
        let mut last = clock.as_ref().map_or(0, |clock| clock.value);
        let mut heads = self.heads(batch).await?;
        let expect = Expect::from(clock.map(|clock| clock.version));
        let mut commit = Commit::new().check(&clock_key, expect);
        for entry in batch {
            last = now_ms.max(last.saturating_add(1));
            if let Some(drafted) = heads.get_mut(&*entry.head) {
                drafted.head.latest = last;
                let row = encode(&entry.row)?;
                commit = commit.put(row_key(&drafted.rows, last), row, None);
            }
        }
        let expires_at_ms = now_ms.saturating_add_unsigned(self.lifetime_ms);
        for (key, drafted) in heads {
            let (head, expect) = (drafted.head, drafted.expect);
            if expect == Expect::Absent {
                let extension = (self.place.stage, &self.place.client_id);
                let watched = Watch::new(&head.run, key, extension, &[ROWS_KIND]);
                commit = runs::watch(commit, &watched, expires_at_ms)?;
            }
            let json = encode(&head)?;
            commit = commit
                .check(key, expect)
                .put(key, json, Some(expires_at_ms));
        }
        // Beyond the values: a reader's `latest` must not lie ahead of a clock that began anew.
        let clock_expires_at_ms = last
            .max(now_ms)
            .saturating_add_unsigned(self.lifetime_ms.saturating_mul(2));
        Ok(commit.put(clock_key, encode(&last)?, Some(clock_expires_at_ms)))
    }

    /// The heads that a batch needs, by key; new ones where there are none.
    async fn heads<'a>(&self, batch: &'a [Entry]) -> Result<HashMap<&'a str, Drafted>, Error> {
        let mut keys: Vec<&str> = batch.iter().map(|entry| &*entry.head).collect();
        keys.sort_unstable();
        keys.dedup();
        let wanted = keys.iter().map(|key| (*key).to_owned()).collect();
        let there = HEADS.get_many(&*self.world.store, wanted).await?;
        let mut heads = HashMap::with_capacity(keys.len());
        for (key, there) in keys.into_iter().zip(there) {
            let (head, expect) = if let Some(there) = there {
                (there.value, Expect::Version(there.version))
            } else {
                let run = Run::new(&self.world);
                (Head { run, latest: 0 }, Expect::Absent)
            };
            let rows = self.place.rows(&head.run);
            heads.insert(key, Drafted { head, expect, rows });
        }
        Ok(heads)
    }
}
