//! What a match asks: one poll in every channel (`spec 2.10`).

use std::sync::Arc;

use crowdlink_protocol::{PollConfigChange, PollStatus};
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};

use super::{AT_ONCE, MatchPlace};
use crate::caller::Caller;
use crate::core::Core;
use crate::error::Error;
use crate::polls::{CreatePoll, Mark, MatchChange, Pattern, PollEvent, PollPlace};

/// Where the bus carries [`MatchPollNews`].
pub(crate) const TOPIC: &str = "match-poll";
/// Polls of one match that have not ended: whoever joins it gets all of them.
pub(super) const RUNNING_MAX: usize = 64;

/// A poll of a match.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MatchPollPlace {
    /// The match.
    pub of: MatchPlace,
    /// The poll's id.
    pub poll_id: String,
}

/// Told when the poll of a match changes. Of votes each channel's own news tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchPollNews {
    /// Which poll.
    pub place: MatchPollPlace,
    /// What happened.
    pub event: PollEvent,
    /// The version of its record; whoever reads an older one has not seen it. 0 where nobody knows
    /// whether it happened.
    pub version: u64,
}

impl MatchPlace {
    /// The poll of an id in one of its channels.
    pub(super) fn poll_in(&self, channel: &str, poll_id: &str) -> PollPlace {
        PollPlace {
            stage: self.stage,
            client_id: self.client_id.clone(),
            channel: Some(channel.to_owned()),
            id: poll_id.to_owned(),
        }
    }
}

/// Creates a poll in every channel of a match, over one of that id: one that the match asks
/// already keeps its votes, a channel's own is replaced.
pub async fn create_poll(
    core: &Core,
    caller: &Caller,
    (id, poll_id): (&str, &str),
    poll: CreatePoll,
) -> Result<(), Error> {
    let place = MatchPlace::of(caller, id)?;
    let _turn = core.match_turns.wait(&place.key()).await;
    let life = place.owned(core).await?.value.life;
    core.polls.check_of_match(poll_id, &poll.definition)?;
    let (store, prefix) = (&*core.world.store, place.polls(&life));
    let mut attempt = 1;
    loop {
        let before = Pattern::read(store, &prefix, poll_id).await?;
        check_room(core, &prefix, poll_id).await?;
        let asked = (&poll.definition, &poll.config);
        let pattern = core.polls.pattern(before.as_ref(), asked, poll.fresh);
        let commit = pattern.commit(&prefix, poll_id)?;
        if let Some(version) = core.world.try_commit(commit).await? {
            let ask = |mark, pattern| MatchChange::Ask(mark, pattern);
            let told = (PollEvent::Created, version);
            return everywhere(core, (&place, poll_id), pattern.written(version), ask, told).await;
        }
        core.world.pause_before_retry(attempt).await?;
        attempt += 1;
    }
}

/// Changes the config of a poll that a match asks, in every channel; 404 where it does not.
pub async fn reconfigure_poll(
    core: &Core,
    caller: &Caller,
    (id, poll_id): (&str, &str),
    config: PollConfigChange,
) -> Result<(), Error> {
    let place = MatchPlace::of(caller, id)?;
    let _turn = core.match_turns.wait(&place.key()).await;
    let life = place.owned(core).await?.value.life;
    core.polls.check_of_match(poll_id, &<_>::default())?;
    let (store, prefix) = (&*core.world.store, place.polls(&life));
    let mut attempt = 1;
    loop {
        let before = Pattern::read(store, &prefix, poll_id).await?;
        let before = before.ok_or_else(|| Error::NotFound("There is no such poll".into()))?;
        let (pattern, event) = before.configured(&config, core.world.now_ms());
        if event == PollEvent::Opened {
            check_room(core, &prefix, poll_id).await?;
        }
        let pattern = core.polls.kept(pattern);
        let commit = pattern.commit(&prefix, poll_id)?;
        if let Some(version) = core.world.try_commit(commit).await? {
            let configure = |mark, pattern| MatchChange::Configure(mark, pattern);
            let (pattern, told) = (pattern.written(version), (event, version));
            return everywhere(core, (&place, poll_id), pattern, configure, told).await;
        }
        core.world.pause_before_retry(attempt).await?;
        attempt += 1;
    }
}

/// Deletes a poll of a match with its votes in every channel; nothing happens where there is none.
pub async fn delete_poll(
    core: &Core,
    caller: &Caller,
    (id, poll_id): (&str, &str),
) -> Result<(), Error> {
    let place = MatchPlace::of(caller, id)?;
    let _turn = core.match_turns.wait(&place.key()).await;
    let life = place.owned(core).await?.value.life;
    core.polls.check_of_match(poll_id, &<_>::default())?;
    let (store, prefix) = (&*core.world.store, place.polls(&life));
    let Some(pattern) = Pattern::read(store, &prefix, poll_id).await? else {
        return Ok(());
    };
    // First in the channels: a delete that fails there can be asked for again.
    let delete = |mark, _| MatchChange::Delete(mark);
    in_all(core, (&place, poll_id), &Arc::new(pattern), delete).await?;
    let version = store.commit(Pattern::removal(&prefix, poll_id)).await?;
    tell(core, (&place, poll_id), (PollEvent::Deleted, version));
    Ok(())
}

/// Does a change in every channel, then tells it.
async fn everywhere(
    core: &Core,
    of: (&MatchPlace, &str),
    pattern: Pattern,
    change: impl Fn(Mark, Arc<Pattern>) -> MatchChange,
    told: (PollEvent, u64),
) -> Result<(), Error> {
    let done = in_all(core, of, &Arc::new(pattern), change).await;
    // Also where a channel failed: the others have it.
    tell(core, of, told);
    done
}

/// The channels are read after what the match asks was written: whoever joins meanwhile reads that.
async fn in_all(
    core: &Core,
    (place, poll_id): (&MatchPlace, &str),
    pattern: &Arc<Pattern>,
    change: impl Fn(Mark, Arc<Pattern>) -> MatchChange,
) -> Result<(), Error> {
    let channels = place.owned(core).await?.value.channels;
    let change = change(pattern.mark(place), Arc::clone(pattern));
    let changes = channels.iter().map(|channel| {
        let at = place.poll_in(channel, poll_id);
        (at, change.clone())
    });
    apply(core, changes.collect()).await
}

/// Applies changes to polls of channels, all of them also where one fails; the first failure.
async fn apply(core: &Core, changes: Vec<(PollPlace, MatchChange)>) -> Result<(), Error> {
    let changes = changes.iter();
    let changing: Vec<_> = changes
        .map(|(at, change)| core.polls.change_of_match(at, change.clone()))
        .collect();
    let outcomes = futures::stream::iter(changing).buffered(AT_ONCE);
    let outcomes: Vec<Result<(), Error>> = outcomes.collect().await;
    outcomes.into_iter().collect()
}

/// Asks in channels that joined what the match asks and has not ended.
pub(super) async fn ask_in(
    core: &Core,
    place: &MatchPlace,
    life: &str,
    channels: impl Iterator<Item = &String> + Clone,
) -> Result<(), Error> {
    change_in(core, place, life, channels, MatchChange::Ask).await
}

/// Ends in channels that left what the match asks.
pub(super) async fn stop_in(
    core: &Core,
    place: &MatchPlace,
    life: &str,
    channels: impl Iterator<Item = &String> + Clone,
) -> Result<(), Error> {
    let stop = |mark, _| MatchChange::Stop(mark);
    change_in(core, place, life, channels, stop).await
}

async fn change_in(
    core: &Core,
    place: &MatchPlace,
    life: &str,
    channels: impl Iterator<Item = &String> + Clone,
    change: impl Fn(Mark, Arc<Pattern>) -> MatchChange,
) -> Result<(), Error> {
    if channels.clone().next().is_none() {
        return Ok(());
    }
    let (store, prefix) = (&*core.world.store, place.polls(life));
    for poll_id in running(core, &prefix).await? {
        if let Some(pattern) = Pattern::read(store, &prefix, &poll_id).await? {
            let change = change(pattern.mark(place), Arc::new(pattern));
            let changes = channels.clone().map(|channel| {
                let at = place.poll_in(channel, &poll_id);
                (at, change.clone())
            });
            apply(core, changes.collect()).await?;
        }
    }
    Ok(())
}

/// The polls under a prefix that have not ended.
async fn running(core: &Core, prefix: &str) -> Result<Vec<String>, Error> {
    let now_ms = core.world.now_ms();
    let polls = Pattern::times_of(&*core.world.store, prefix).await?;
    let running = polls
        .into_iter()
        .filter(|(_, times)| times.status(now_ms) != PollStatus::Expired);
    Ok(running.map(|(id, _)| id).collect())
}

/// Refuses one poll more than a match may have: of those that have not ended, and of all.
async fn check_room(core: &Core, prefix: &str, poll_id: &str) -> Result<(), Error> {
    let polls = Pattern::times_of(&*core.world.store, prefix).await?;
    let now_ms = core.world.now_ms();
    let others = || polls.iter().filter(|(id, _)| id != poll_id);
    let running = others().filter(|(_, times)| times.status(now_ms) != PollStatus::Expired);
    let polls_max = core.limits.polls_per_channel_max;
    for (count, max) in [
        (running.count(), RUNNING_MAX),
        (others().count(), polls_max),
    ] {
        if count >= max {
            let expected = format!("is one more than the {max} polls there may be");
            return Err(Error::invalid("poll_id", expected));
        }
    }
    Ok(())
}

fn tell(core: &Core, (of, poll_id): (&MatchPlace, &str), (event, version): (PollEvent, u64)) {
    let news = MatchPollNews {
        place: MatchPollPlace {
            of: of.clone(),
            poll_id: poll_id.to_owned(),
        },
        event,
        version,
    };
    if let Err(error) = core.world.tell(TOPIC, &news) {
        tracing::error!(?error, "news of a match's poll could not be told");
    }
}
