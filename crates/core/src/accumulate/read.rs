//! Pages of what was gathered.

use crowdlink_protocol::{Accumulated, AccumulatedPage};
use crowdlink_store::{READ_BYTES_MAX, Store};

use super::merge::{self, Source};
use super::{CLOCKS, HEADS, Place, ROWS, observed, row_key};
use crate::caller::Caller;
use crate::core::Core;
use crate::error::{Error, Refusal};
use crate::gathered::{CHANNELS, check_id};
use crate::keys::is_global;
use crate::runs::Run;

/// What a row weighs beside its value: three ids and their names.
const ROW_BYTES_BESIDE: usize = 1_024;
/// Heads read at once.
const HEADS_PAGE_MAX: usize = 10_000;
/// Channels with news that one page is merged from.
const MERGED_CHANNELS_MAX: usize = 50_000;

/// What a reader wants.
#[derive(Clone, Copy, Debug)]
pub struct AccumulateOf<'a> {
    /// The id.
    pub id: &'a str,
    /// One channel; none is the broadcaster's own, and all of them for an admin.
    pub channel: Option<&'a str>,
    /// Values after this `observed` (Unix ms), as it came.
    pub start: Option<&'a str>,
    /// Most values; more than the limit means the limit (`spec 6.3`).
    pub limit: Option<usize>,
}

/// A page of values in the order in which they arrived: a broadcaster's own channel's, or, for a
/// trusted caller that names none, all channels'. Continue from `latest`.
pub async fn read(
    core: &Core,
    caller: &Caller,
    of: AccumulateOf<'_>,
) -> Result<AccumulatedPage, Error> {
    check_id(of.id)?;
    let named = of.channel.filter(|channel| !channel.is_empty());
    caller.require_broadcaster()?;
    caller.check_named_channel(named)?;
    let all = caller.role.is_trusted() && named.is_none();
    let channel = if all || is_global(of.id) {
        None
    } else {
        Some(caller.channel(named)?)
    };
    let start = of.start.and_then(|start| start.parse().ok());
    let start: i64 = start.ok_or(Refusal::MalformedStart)?;
    let row_bytes_max = core.limits.accumulate_bytes_max + ROW_BYTES_BESIDE;
    let limit = of.limit.unwrap_or(usize::MAX);
    let limit = limit
        .min(core.limits.accumulate_entries_max)
        .min(READ_BYTES_MAX / row_bytes_max);
    if limit == 0 {
        return Err(Error::invalid("limit", "must be a number from 1 on"));
    }
    let store = &*core.world.store;
    let place = Place {
        stage: caller.stage,
        client_id: caller.client_id().clone(),
        id: of.id.to_owned(),
    };
    let data = if all && !is_global(of.id) {
        read_all(store, &place, start, limit).await?
    } else {
        match HEADS.get(store, &place.head_key(channel)).await? {
            Some(head) => rows(store, &place, &head.value.run, start, limit).await?,
            None => Vec::new(),
        }
    };
    let latest = data.last().map_or(0, |last| last.observed);
    Ok(AccumulatedPage { data, latest })
}

async fn read_all(
    store: &dyn Store,
    place: &Place,
    start: i64,
    limit: usize,
) -> Result<Vec<Accumulated>, Error> {
    // Before all else: what is committed while channels are read one by one is left for the next
    // page, or it might be seen in one channel and missed in another.
    let Some(clock) = CLOCKS.get(store, &place.clock_key()).await? else {
        return Ok(Vec::new());
    };
    let prefix = [&place.heads(), CHANNELS].concat();
    let (mut sources, mut after) = (Vec::new(), None);
    loop {
        let page = HEADS
            .scan(store, &prefix, after.as_deref(), HEADS_PAGE_MAX)
            .await?;
        let whole = page.len() == HEADS_PAGE_MAX;
        after = page.last().map(|head| head.key.clone());
        let news = page.into_iter().filter(|head| head.value.latest > start);
        sources.extend(news.map(|head| Source::new(head.value.run, start)));
        if sources.len() > MERGED_CHANNELS_MAX {
            return Err(Error::invalid(
                "channel_id",
                "is required: too many channels",
            ));
        }
        if !whole {
            break;
        }
    }
    let upto = clock.value;
    merge::merge(store, place, sources, (upto, limit)).await
}

/// Values of one run.
pub(super) async fn rows(
    store: &dyn Store,
    place: &Place,
    run: &Run,
    start: i64,
    limit: usize,
) -> Result<Vec<Accumulated>, Error> {
    let prefix = place.rows(run);
    let after = (start >= 0).then(|| row_key(&prefix, start));
    let page = ROWS.scan(store, &prefix, after.as_deref(), limit).await?;
    let value = |row: crate::table::Stored<super::Row>| {
        Some(Accumulated {
            observed: observed(&prefix, &row.key)?,
            channel_id: row.value.channel_id,
            opaque_id: row.value.opaque_user_id.clone(),
            opaque_user_id: row.value.opaque_user_id,
            user_id: row.value.user_id,
            data: row.value.data,
        })
    };
    Ok(page.into_iter().filter_map(value).collect())
}
