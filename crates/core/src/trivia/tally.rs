//! Votes as they are counted, and counted together when a winner is declared.

use std::collections::{BTreeMap, HashMap};

use crowdlink_store::{SCAN_PAGE_RECORDS_MAX, Store};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::board::Standing;
use super::place::{Place, team_of};
use super::question::{Declared, Question};
use crate::error::Error;
use crate::runs::ROW_BYTES_MAX;

/// What a slot takes in a tally at most: two numbers of 20 digits.
const SLOT_BYTES_MAX: usize = 48;
/// Most options that the limits may allow a question, each with a slot.
const SLOTS_MAX: usize = 64;
/// A tally is a row of its run.
const _: () = assert!(SLOTS_MAX * SLOT_BYTES_MAX <= ROW_BYTES_MAX);

/// What one share counted of a team's votes; shares are summed up. A voter may change the vote
/// through another share than before, so a share may be below zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    /// Members' votes by slot.
    #[serde(default)]
    pub(super) votes: BTreeMap<u64, i64>,
    /// The slot that the team's broadcaster voted for, in the row for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) leader: Option<u64>,
}

impl Tally {
    /// Counts a vote for a slot, and no more the one before. Votes for options that are gone are
    /// dropped.
    pub(super) fn move_vote(&mut self, question: &Question, before: Option<u64>, slot: u64) {
        if let Some(before) = before {
            *self.votes.entry(before).or_default() -= 1;
        }
        *self.votes.entry(slot).or_default() += 1;
        let is_there = |slot: u64| question.options.iter().any(|option| option.slot == slot);
        self.votes
            .retain(|slot, votes| *votes != 0 && is_there(*slot));
    }
}

/// What one share counted of a team's members.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Members {
    pub(super) members: u64,
}

/// Counts all votes for a question that takes none any more.
pub(super) async fn count(
    store: &dyn Store,
    place: &Place,
    question: &Question,
    winner: u64,
) -> Result<(Declared, Vec<Standing>), Error> {
    let mut teams: HashMap<String, (Tally, u64)> = HashMap::new();
    let tallies = place.tallies(&question.run);
    each(store, &tallies, |team, row: Tally| {
        let (tally, _) = teams.entry(team).or_default();
        for (slot, votes) in row.votes {
            *tally.votes.entry(slot).or_default() += votes;
        }
        tally.leader = tally.leader.or(row.leader);
    })
    .await?;
    // After the votes: whoever voted is a member.
    each(store, &place.all_members(), |team, row: Members| {
        teams.entry(team).or_default().1 += row.members;
    })
    .await?;
    let mut declared = Declared {
        winner,
        votes: BTreeMap::new(),
    };
    let mut standings = Vec::with_capacity(teams.len());
    for (team, (tally, members)) in teams {
        let mut standing = Standing {
            team,
            leader: tally.leader == Some(winner),
            members,
            ..Standing::default()
        };
        // Votes for options that were deleted are gone.
        for option in &question.options {
            let votes = tally.votes.get(&option.slot).copied().unwrap_or(0);
            let votes = u64::try_from(votes).unwrap_or(0);
            *declared.votes.entry(option.slot).or_default() += votes;
            standing.votes += votes;
            if option.slot == winner {
                standing.correct = votes;
            }
        }
        standings.push(standing);
    }
    standings.sort_unstable_by(|a, b| a.team.cmp(&b.team));
    Ok((declared, standings))
}

/// Hands over every row behind a prefix, with the team that its key names.
async fn each<V: DeserializeOwned>(
    store: &dyn Store,
    prefix: &str,
    mut take: impl FnMut(String, V),
) -> Result<(), Error> {
    let mut after: Option<String> = None;
    loop {
        let page = store
            .scan(prefix, after.as_deref(), SCAN_PAGE_RECORDS_MAX)
            .await?;
        let is_last = page.len() < SCAN_PAGE_RECORDS_MAX;
        after = page.last().map(|entry| entry.key.clone());
        for entry in page {
            let team = team_of(&entry.key, prefix)
                .ok_or_else(|| Error::Internal("a row without a team".to_owned()))?;
            take(team, serde_json::from_slice(&entry.record.value)?);
        }
        if is_last {
            return Ok(());
        }
    }
}
