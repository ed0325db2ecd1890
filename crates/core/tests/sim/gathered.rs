//! Accumulate: a reader that goes on from where it was misses and repeats nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crowdlink_core::accumulate::{self, AccumulateOf};
use crowdlink_core::{Core, Error};
use crowdlink_protocol::Role;
use serde_json::json;

use crate::feature::{Feature, Turn, broadcaster, caller};
use crate::history::{Event, History};
use crate::node::Ground;
use crate::time::START_MS;

const CHANNEL: &str = "42";
const ID: &str = "words";
/// Values are gone together, so long after the last of them.
const VALUES_MS: u64 = 24 * 60 * 60 * 1_000;

#[derive(Clone, Debug)]
enum Call {
    Add(u64),
    /// What was observed after a moment, at most so many.
    Page {
        start: i64,
        limit: usize,
    },
}

/// Observed and value of each row; none of an addition.
type Answer = Vec<(i64, u64)>;

async fn call(core: &Core, call: &Call) -> Result<Answer, Error> {
    match call {
        Call::Add(value) => {
            let viewer = caller(core, Role::Viewer, CHANNEL, "v").await;
            accumulate::add(core, &viewer, None, ID, &json!(value)).await?;
            Ok(Vec::new())
        }
        Call::Page { start, limit } => {
            let start = start.to_string();
            let of = AccumulateOf {
                id: ID,
                channel: None,
                start: Some(&start),
                limit: Some(*limit),
            };
            let page = accumulate::read(core, &broadcaster(core, CHANNEL).await, of).await?;
            let row = |row: crowdlink_protocol::Accumulated| {
                (row.observed, row.data.get().parse().unwrap())
            };
            Ok(page.data.into_iter().map(row).collect())
        }
    }
}

/// What is gathered under one id.
pub struct Gathered {
    history: History<Call, Answer>,
    added: u64,
}

impl Gathered {
    pub fn new() -> Self {
        Self {
            history: History::new("accumulate"),
            added: 0,
        }
    }

    fn begin(&self, turn: &Turn<'_>, begun: Call) {
        let core = Arc::clone(&turn.core);
        let open = self
            .history
            .begin(turn.clerk, turn.node.index, begun.clone());
        turn.spawn(async move { open.end(call(&core, &begun).await) });
    }
}

/// The rows of a page that was read.
fn rows(event: &Event<Call, Answer>) -> Option<(i64, usize, &Answer)> {
    match (&event.call, &event.answer) {
        (Call::Page { start, limit }, Some(Ok(rows))) => Some((*start, *limit, rows)),
        _ => None,
    }
}

/// Each value has one moment in all pages, no two have the same, and a page has all of those that
/// its first and last row stand around.
fn consistent(events: &[Event<Call, Answer>]) -> Result<BTreeMap<i64, u64>, String> {
    let (mut observed, mut by_value) = (BTreeMap::new(), BTreeMap::new());
    for event in events {
        let Some((start, _, rows)) = rows(event) else {
            continue;
        };
        if !rows.is_sorted() || rows.first().is_some_and(|(first, _)| *first <= start) {
            return Err(format!("a page in no order: {event:?}"));
        }
        for (at, value) in rows {
            let known = *observed.entry(*at).or_insert(*value);
            let before = *by_value.entry(*value).or_insert(*at);
            if known != *value || before != *at {
                return Err(format!(
                    "{value} at {at}, {known} there, or at {before}: {event:?}"
                ));
            }
        }
    }
    for event in events {
        let Some((start, _, rows)) = rows(event) else {
            continue;
        };
        let Some((last, _)) = rows.last() else {
            continue;
        };
        // What is gone for its time was over is in no page.
        let lifetime_ms = i64::try_from(VALUES_MS).unwrap();
        let oldest = START_MS + i64::try_from(event.start.ms).unwrap() - lifetime_ms;
        let between: Vec<_> = observed
            .range(oldest.max(start + 1)..=*last)
            .map(|(at, v)| (*at, *v))
            .collect();
        if between != *rows {
            return Err(format!("{event:?}\nmisses some of {between:?}"));
        }
    }
    Ok(observed)
}

/// A page that is not full has everything that was answered before it was asked for.
fn complete(events: &[Event<Call, Answer>], observed: &BTreeMap<i64, u64>) -> Result<(), String> {
    let at: BTreeMap<u64, i64> = observed.iter().map(|(at, value)| (*value, *at)).collect();
    for event in events {
        let Some((start, limit, rows)) = rows(event) else {
            continue;
        };
        if rows.len() == limit {
            continue;
        }
        let there: BTreeSet<u64> = rows.iter().map(|(_, value)| *value).collect();
        for added in events {
            let (Call::Add(value), Some(Ok(_)), Some(end)) =
                (&added.call, &added.answer, added.end)
            else {
                continue;
            };
            let wanted = at.get(value).is_none_or(|at| *at > start);
            let lives = event.start.ms < added.start.ms + VALUES_MS;
            if end < event.start && wanted && lives && !there.contains(value) {
                return Err(format!("{event:?}\nmisses {added:?}"));
            }
        }
    }
    Ok(())
}

impl Feature for Gathered {
    fn act(&mut self, turn: &mut Turn<'_>) {
        let call = if turn.dice.chance(600) {
            self.added += 1;
            Call::Add(self.added)
        } else {
            // On from some page that somebody read.
            let events = self.history.events();
            let ends: Vec<i64> = events
                .iter()
                .filter_map(|event| Some(rows(event)?.2.last()?.0))
                .collect();
            let start = if ends.is_empty() || turn.dice.chance(300) {
                0
            } else {
                turn.dice.pick(&ends)
            };
            Call::Page {
                start,
                limit: turn.dice.pick(&[2, 1_000]),
            }
        };
        self.begin(turn, call);
    }

    fn read_all(&mut self, turn: &mut Turn<'_>) {
        self.begin(
            turn,
            Call::Page {
                start: 0,
                limit: 1_000,
            },
        );
    }

    fn verify(&self, _: &Ground) -> Result<(), String> {
        let events = self.history.events();
        let name = self.history.name();
        let checked = consistent(&events).and_then(|observed| complete(&events, &observed));
        checked.map_err(|wrong| format!("{name}: {wrong}"))
    }
}
