//! What the polls of matches tell (`spec 2.10`).

use std::collections::BTreeMap;

use crowdlink_protocol::{MatchPollReport, MatchPollResult};
use futures::{StreamExt as _, TryStreamExt as _};

use super::{AT_ONCE, Match, MatchPlace, MatchPollPlace};
use crate::caller::Caller;
use crate::core::Core;
use crate::error::Error;
use crate::polls::{Mark, Pattern, PollTimes, Share};

/// A poll of a match as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct MatchPollSnapshot {
    /// When it begins and ends.
    pub times: PollTimes,
    /// As games are told.
    pub report: MatchPollReport,
    /// The newest commit of votes in each channel; 0 without one. Not of one moment: see each by
    /// itself.
    pub votes_versions: BTreeMap<String, u64>,
    /// The moment it shows (Unix ms): its status is of then.
    pub at_ms: i64,
}

/// The match that its owner subscribes to: unknown 404, another channel's 403 (`spec 6.2`).
pub async fn subscribable(core: &Core, caller: &Caller, id: &str) -> Result<MatchPlace, Error> {
    let place = MatchPlace::of(caller, id)?;
    place.owned(core).await?;
    Ok(place)
}

/// The polls of a match and when they begin and end; none where there is no such match.
pub async fn polls_of(
    core: &Core,
    place: &MatchPlace,
) -> Result<Vec<(MatchPollPlace, PollTimes)>, Error> {
    let Some(found) = place.find(core).await? else {
        return Ok(Vec::new());
    };
    let prefix = place.polls(&found.value.life);
    let polls = Pattern::times_of(&*core.world.store, &prefix).await?;
    let polls = polls.into_iter().map(|(poll_id, times)| {
        let of = place.clone();
        (MatchPollPlace { of, poll_id }, times)
    });
    Ok(polls.collect())
}

/// A poll of a match for those who were found fit to be told of it; `None` where there is none.
pub async fn poll_snapshot(
    core: &Core,
    place: &MatchPollPlace,
) -> Result<Option<MatchPollSnapshot>, Error> {
    let Some((found, pattern)) = find(core, place).await? else {
        return Ok(None);
    };
    let mark = pattern.mark(&place.of);
    let reading = found.channels.into_iter();
    let reading: Vec<_> = reading
        .map(|channel| share_in(core, place, channel, &mark))
        .collect();
    let shares = futures::stream::iter(reading).buffered(AT_ONCE);
    let shares: Vec<(String, Share)> = shares.try_collect().await?;
    let (times, at_ms) = (pattern.times(), core.world.now_ms());
    let status = times.status(at_ms);
    let mut overall = Share::default();
    for (_, share) in &shares {
        overall.add(share);
    }
    let votes_versions = shares
        .iter()
        .map(|(channel, share)| (channel.clone(), share.votes_version));
    let votes_versions = votes_versions.collect();
    let results = shares.into_iter().map(|(channel, share)| {
        let status = share.status.unwrap_or(status);
        (channel, MatchPollResult::new(&share.numbers(), status))
    });
    let report = MatchPollReport {
        match_id: place.of.id.clone(),
        poll_id: place.poll_id.clone(),
        overall: MatchPollResult::new(&overall.numbers(), status),
        results: results.collect(),
    };
    Ok(Some(MatchPollSnapshot {
        times,
        report,
        votes_versions,
        at_ms,
    }))
}

async fn share_in(
    core: &Core,
    place: &MatchPollPlace,
    channel: String,
    mark: &Mark,
) -> Result<(String, Share), Error> {
    let at = place.of.poll_in(&channel, &place.poll_id);
    let share = core.polls.share(&at, mark).await?;
    Ok((channel, share))
}

/// The same, with every vote counted that was on its way on this node.
pub async fn settled_poll(
    core: &Core,
    place: &MatchPollPlace,
) -> Result<Option<MatchPollSnapshot>, Error> {
    let Some((found, _)) = find(core, place).await? else {
        return Ok(None);
    };
    let channels = found.channels.iter();
    let polls: Vec<_> = channels
        .map(|channel| place.of.poll_in(channel, &place.poll_id))
        .collect();
    let settling: Vec<_> = polls.iter().map(|at| core.polls.settle(at)).collect();
    let settled = futures::stream::iter(settling).buffered(AT_ONCE);
    settled.try_collect::<Vec<()>>().await?;
    poll_snapshot(core, place).await
}

async fn find(core: &Core, place: &MatchPollPlace) -> Result<Option<(Match, Pattern)>, Error> {
    let Some(found) = place.of.find(core).await? else {
        return Ok(None);
    };
    let prefix = place.of.polls(&found.value.life);
    let pattern = Pattern::read(&*core.world.store, &prefix, &place.poll_id).await?;
    Ok(pattern.map(|pattern| (found.value, pattern)))
}
