//! Rank: every voter names one key; keys are ranked by their voters (`spec 3.5`).
//!
//! All rows of a ranking belong to a run: the key of each voter, the count of each key, and each
//! key again under its score, most first, so that the top is read without the rest. Answers that
//! wait for one ranking are counted together; every commit checks its head.

mod count;

use crowdlink_protocol::{ClientId, RankAccepted, RankScore, Ranking, Stage};
use serde::{Deserialize, Serialize};

pub(crate) use count::{Counter, Operation};

use crate::caller::Caller;
use crate::core::Core;
use crate::error::Error;
use crate::gathered::{self, check_id};
use crate::keys::{self, is_global};
use crate::runs::Run;
use crate::table::Table;

/// Keys that a ranking tells of.
const TOP_KEYS_MAX: usize = 100;
/// The kind of heads.
const HEADS_KIND: &str = "rank";
/// The kind of rows.
const ROWS_KIND: &str = "rank-rows";
const HEADS: Table<Head> = Table::new(HEADS_KIND);
/// The key that each voter has.
const VOTERS: Table<String> = Table::new(ROWS_KIND);
/// How many voters each key has; also under the score.
const COUNTS: Table<u32> = Table::new(ROWS_KIND);

/// What exists while a ranking lives.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Head {
    run: Run,
}

/// Where a ranking stands.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    stage: Stage,
    client_id: ClientId,
    head: String,
}

impl Place {
    fn of(caller: &Caller, channel: Option<&str>, id: &str) -> Self {
        let (stage, client_id) = (caller.stage, caller.client_id().clone());
        let prefix = gathered::prefix(stage, &client_id, HEADS_KIND, id);
        Self {
            stage,
            client_id,
            head: gathered::head_key(&prefix, channel),
        }
    }

    fn rows(&self, run: &Run) -> Rows {
        Rows(run.rows(self.stage, &self.client_id, ROWS_KIND))
    }
}

/// The keys of the rows of a run. A ranked key is the last part of its rows' keys and stands there
/// as it is, so that the store's order is the ranking's.
#[derive(Clone, Debug)]
struct Rows(String);

impl Rows {
    fn voter(&self, voter: &str) -> String {
        [&self.0, "voter/", &keys::segment(voter)].concat()
    }

    fn count(&self, key: &str) -> String {
        [&self.0, "count/", key].concat()
    }

    fn scores(&self) -> String {
        [&self.0, "score/"].concat()
    }

    /// The higher the score, the earlier.
    fn score(&self, count: u32, key: &str) -> String {
        format!("{}score/{:010}/{key}", self.0, u32::MAX - count)
    }

    /// The key in a row under its score.
    fn ranked<'a>(scores: &str, row: &'a str) -> Option<&'a str> {
        Some(row.strip_prefix(scores)?.split_once('/')?.1)
    }
}

/// Gives the caller's answer; another one replaces it.
pub async fn answer(
    core: &Core,
    caller: &Caller,
    channel: Option<&str>,
    id: &str,
    key: &str,
) -> Result<RankAccepted, Error> {
    check_id(id)?;
    let bytes_max = core.limits.rank_key_bytes_max;
    if key.is_empty() || key.len() > bytes_max || key.chars().any(char::is_control) {
        let expected = format!("must be 1 to {bytes_max} bytes without control characters");
        return Err(Error::invalid("key", expected));
    }
    let channel = if is_global(id) {
        None
    } else {
        Some(caller.channel(channel)?)
    };
    let operation = Operation::Answer {
        voter: caller.viewer()?.to_owned(),
        key: key.to_owned(),
    };
    let original = submit(core, Place::of(caller, channel, id), operation).await?;
    Ok(RankAccepted {
        accepted: true,
        original,
    })
}

/// The keys with most voters, then by key.
pub async fn read(
    core: &Core,
    caller: &Caller,
    channel: Option<&str>,
    id: &str,
) -> Result<Ranking, Error> {
    check_id(id)?;
    let channel = if is_global(id) {
        caller.require_broadcaster()?;
        None
    } else {
        Some(caller.writable_channel(channel)?)
    };
    let place = Place::of(caller, channel, id);
    let store = &*core.world.store;
    let Some(head) = HEADS.get(store, &place.head).await? else {
        return Ok(Ranking::default());
    };
    let scores = place.rows(&head.value.run).scores();
    let top = COUNTS.scan(store, &scores, None, TOP_KEYS_MAX).await?;
    let score = |row: crate::table::Stored<u32>| {
        Some(RankScore {
            key: Rows::ranked(&scores, &row.key)?.to_owned(),
            score: row.value.into(),
        })
    };
    Ok(Ranking {
        data: top.into_iter().filter_map(score).collect(),
    })
}

/// Forgets every answer, at once.
pub async fn clear(
    core: &Core,
    caller: &Caller,
    channel: Option<&str>,
    id: &str,
) -> Result<(), Error> {
    check_id(id)?;
    let channel = if is_global(id) {
        caller.require_owner()?;
        None
    } else {
        Some(caller.writable_channel(channel)?)
    };
    submit(core, Place::of(caller, channel, id), Operation::Clear).await?;
    Ok(())
}

async fn submit(core: &Core, place: Place, operation: Operation) -> Result<Option<String>, Error> {
    let key = place.head.clone();
    let counter = || Counter::new(core.world.clone(), core.lifetimes.rank_ms, place);
    core.rank.submit(key, operation, counter).await
}
