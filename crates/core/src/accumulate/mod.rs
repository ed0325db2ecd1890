//! Accumulate: small values that an audience sends, gathered under an id (`spec 3.5`).
//!
//! A channel's values under an id are rows of a run, whose head expires a lifetime after the last
//! of them: they go together. In all channels together no two values under an id have the same
//! `observed`, and what becomes visible is later than all that was visible before: each commit
//! moves the id's clock on. So a reader that continues from `latest` loses and repeats nothing.

mod merge;
mod read;
mod write;

use crowdlink_protocol::{ClientId, Stage};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use read::{AccumulateOf, read};
pub(crate) use write::Entry;
pub use write::add;

use crate::gathered;
use crate::runs::Run;
use crate::table::Table;

/// The kind of heads.
const HEADS_KIND: &str = "accumulate";
/// The kind of rows.
const ROWS_KIND: &str = "accumulate-rows";
const HEADS: Table<Head> = Table::new(HEADS_KIND);
const CLOCKS: Table<i64> = Table::new("accumulate-clock");
const ROWS: Table<Row> = Table::new(ROWS_KIND);

/// What a channel gathers under an id.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Head {
    run: Run,
    /// `observed` of its last value (Unix ms).
    latest: i64,
}

/// A value, under its `observed`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Row {
    channel_id: String,
    opaque_user_id: String,
    user_id: String,
    data: Box<RawValue>,
}

/// What all channels of an extension gather under an id.
#[derive(Clone, Debug)]
struct Place {
    stage: Stage,
    client_id: ClientId,
    id: String,
}

impl Place {
    /// The key of the last `observed` of all channels.
    fn clock_key(&self) -> String {
        CLOCKS.key(self.stage, &self.client_id, &[&self.id])
    }

    fn head_key(&self, channel: Option<&str>) -> String {
        gathered::head_key(&self.heads(), channel)
    }

    fn heads(&self) -> String {
        gathered::prefix(self.stage, &self.client_id, HEADS_KIND, &self.id)
    }

    fn rows(&self, run: &Run) -> String {
        run.rows(self.stage, &self.client_id, ROWS_KIND)
    }
}

/// The key of a row. No time there is has more digits.
fn row_key(rows: &str, observed: i64) -> String {
    format!("{rows}{:016}", observed.max(0))
}

/// `observed` of a row; none where the key is no row's.
fn observed(rows: &str, key: &str) -> Option<i64> {
    key.strip_prefix(rows)?.parse().ok()
}
