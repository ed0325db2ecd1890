//! Teams: a channel is one from the moment somebody joins it there, for good.

use std::collections::HashSet;
use std::sync::Arc;

use crowdlink_store::Commit;
use futures::future::join_all;
use serde::{Deserialize, Serialize};

use super::drafts::Drafts;
use super::place::Place;
use crate::combine::{Apply, Combiner};
use crate::error::Error;
use crate::world::{CONFLICT_TRIES_MAX, World};

/// A team that began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Team {
    /// Unix ms.
    since_ms: i64,
}

/// Teams of a contest so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Count {
    teams: usize,
}

/// Lets teams begin, one by one for each contest: all of them count in one record.
#[derive(Debug)]
pub(super) struct Teams(Arc<Combiner<String, ()>>);

/// Lets teams of one contest begin.
struct Opener {
    world: World,
    place: Place,
    teams_max: usize,
}

impl Teams {
    pub(super) fn new() -> Self {
        Self(Combiner::new())
    }

    /// Lets teams begin that have not; for each, a refusal where there are too many.
    pub(super) async fn open(
        &self,
        (world, place): (&World, &Place),
        teams_max: usize,
        teams: Vec<String>,
    ) -> Vec<Result<(), Error>> {
        let opener = || Opener {
            world: world.clone(),
            place: place.clone(),
            teams_max,
        };
        let open = |team| self.0.submit(place.team_count(), team, opener);
        join_all(teams.into_iter().map(open)).await
    }
}

impl Apply<String, ()> for Opener {
    async fn apply(&mut self, batch: &[String]) -> Vec<Result<(), Error>> {
        for attempt in 1..=CONFLICT_TRIES_MAX {
            let tried = match self.try_batch(batch).await {
                Ok(None) => self.world.pause_before_retry(attempt).await.map(|()| None),
                tried => tried,
            };
            match tried {
                Ok(Some(outcomes)) => return outcomes,
                Ok(None) => {}
                Err(error) => return vec![Err(error); batch.len()],
            }
        }
        Vec::new()
    }
}

impl Opener {
    /// `None` when another node was first.
    async fn try_batch(&self, batch: &[String]) -> Result<Option<Vec<Result<(), Error>>>, Error> {
        let store = &*self.world.store;
        let count_key = self.place.team_count();
        let mut count = Drafts::<Count>::read(store, vec![count_key.clone()]).await?;
        let keys = batch.iter().map(|team| self.place.team(team)).collect();
        let mut teams = Drafts::<Team>::read(store, keys).await?;
        let since_ms = self.world.now_ms();
        let mut opened = HashSet::new();
        let mut outcomes = Vec::with_capacity(batch.len());
        for team in batch {
            let key = self.place.team(team);
            if teams.is_stored(&key) || opened.contains(&key) {
                outcomes.push(Ok(()));
                continue;
            }
            let so_far = count.get(&count_key).map_or(0, |count| count.teams);
            if so_far >= self.teams_max {
                outcomes.push(Err(too_many(self.teams_max)));
                continue;
            }
            teams.change(&key, |team| team.since_ms = since_ms);
            count.change(&count_key, |count| count.teams += 1);
            opened.insert(key);
            outcomes.push(Ok(()));
        }
        if opened.is_empty() {
            return Ok(Some(outcomes));
        }
        let commit = count.write(teams.write(Commit::new())?)?;
        let committed = self.world.try_commit(commit).await?;
        Ok(committed.map(|_| outcomes))
    }
}

fn too_many(teams_max: usize) -> Error {
    let expected = format!("is of one team too many: a contest has at most {teams_max}");
    Error::invalid("channel_id", expected)
}
