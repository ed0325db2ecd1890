//! One order of what several channels gathered.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crowdlink_protocol::Accumulated;
use crowdlink_store::Store;

use super::Place;
use super::read::rows;
use crate::error::Error;
use crate::runs::Run;

/// Rows read of a channel at once, at least.
const CHUNK_ROWS_MIN: usize = 16;

/// A channel of which values are left.
#[derive(Debug)]
pub(super) struct Source {
    run: Run,
    /// The last `observed` that was read.
    read_to: i64,
    /// Whether there may be more behind them.
    more: bool,
    values: VecDeque<Accumulated>,
}

impl Source {
    /// A channel's run, to be read after an `observed`.
    pub(super) const fn new(run: Run, start: i64) -> Self {
        Self {
            run,
            read_to: start,
            more: true,
            values: VecDeque::new(),
        }
    }

    /// `observed` of its next value.
    async fn next(
        &mut self,
        store: &dyn Store,
        place: &Place,
        chunk: usize,
    ) -> Result<Option<i64>, Error> {
        if self.values.is_empty() && self.more {
            self.values = rows(store, place, &self.run, self.read_to, chunk)
                .await?
                .into();
            self.more = self.values.len() == chunk;
            if let Some(last) = self.values.back() {
                self.read_to = last.observed;
            }
        }
        Ok(self.values.front().map(|value| value.observed))
    }
}

/// The first `limit` values of all sources that are not later than `upto`. Holds, beside them, a
/// few values of each source.
pub(super) async fn merge(
    store: &dyn Store,
    place: &Place,
    mut sources: Vec<Source>,
    (upto, limit): (i64, usize),
) -> Result<Vec<Accumulated>, Error> {
    let chunk = (limit / sources.len().max(1)).clamp(CHUNK_ROWS_MIN.min(limit), limit);
    let mut heads = BinaryHeap::with_capacity(sources.len());
    for (index, source) in sources.iter_mut().enumerate() {
        if let Some(observed) = source.next(store, place, chunk).await? {
            heads.push(Reverse((observed, index)));
        }
    }
    let mut merged = Vec::new();
    while merged.len() < limit
        && let Some(Reverse((observed, index))) = heads.pop()
        && observed <= upto
        && let Some(source) = sources.get_mut(index)
    {
        merged.extend(source.values.pop_front());
        if let Some(observed) = source.next(store, place, chunk).await? {
            heads.push(Reverse((observed, index)));
        }
    }
    Ok(merged)
}
