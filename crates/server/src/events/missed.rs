//! Finding what nobody told of documents, of the JSON store and of contests, when the bus lost
//! word: whatever a newer commit than a sure one wrote is told again, if somebody listens.

use std::collections::HashSet;
use std::sync::Arc;

use crowdlink_core::{Core, DocumentKind, Error, Place, Scope, json_store, trivia};
use futures::{StreamExt as _, TryStreamExt as _};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::pump::Pump;
use super::ways::Audience;

/// Audiences looked up at the same time.
const AUDIENCES_AT_ONCE: usize = 16;
/// Documents looked up at the same time.
const PLACES_AT_ONCE: usize = 100;
/// When what could not be looked up is tried again.
const RETRY_MS: u64 = 250;

/// What everybody in a channel may hear of.
const OF_CHANNEL: [DocumentKind; 4] = [
    DocumentKind::State,
    DocumentKind::Config,
    DocumentKind::GatewayActions,
    DocumentKind::GatewayMetadata,
];
/// What everybody may hear of.
const OF_EXTENSION: [DocumentKind; 2] = [DocumentKind::State, DocumentKind::Config];

/// Whether word was lost, and the commit up to which all was heard.
#[derive(Debug, Default)]
pub(super) struct Missed {
    since: Mutex<Option<u64>>,
    woken: Notify,
}

impl Missed {
    /// Word of what was committed after `since` may have been lost.
    pub(super) fn note(&self, since: u64) {
        let mut noted = self.since.lock();
        *noted = Some(noted.map_or(since, |noted| noted.min(since)));
        drop(noted);
        self.woken.notify_one();
    }

    async fn noted(&self) -> u64 {
        loop {
            if let Some(since) = self.since.lock().take() {
                return since;
            }
            self.woken.notified().await;
        }
    }

    /// Looks up what was missed, whenever something may have been; until it is dropped.
    pub(super) async fn run(&self, core: &Arc<Core>, pump: &Pump) {
        loop {
            let since = self.noted().await;
            if let Err(error) = look_up(core, pump, since).await {
                tracing::warn!(%error, "what was missed could not be looked up; trying again");
                self.note(since);
                core.world().clock.sleep_ms(RETRY_MS).await;
            }
        }
    }
}

async fn look_up(core: &Arc<Core>, pump: &Pump, since: u64) -> Result<(), Error> {
    let audiences = pump.audiences();
    let mut places: HashSet<Place> = pump.watched_places().into_iter().collect();
    places.extend(audiences.iter().flat_map(places_of));
    let places: Vec<Place> = places.into_iter().collect();
    for some in places.chunks(PLACES_AT_ONCE) {
        pump.mark(core.changed_since(some.to_vec(), since).await?);
    }
    futures::stream::iter(audiences)
        .map(Ok)
        .try_for_each_concurrent(AUDIENCES_AT_ONCE, |audience| async move {
            let Audience {
                stage,
                client_id,
                channel,
            } = audience;
            let of = (stage, &client_id);
            for written in json_store::written_since(core, of, channel.as_deref(), since).await? {
                pump.tell_written(written);
            }
            if channel.is_none() {
                for changed in trivia::changed_since(core, of, since).await? {
                    pump.tell_trivia(changed);
                }
            }
            Ok(())
        })
        .await
}

fn places_of(audience: &Audience) -> Vec<Place> {
    let (kinds, scope) = match &audience.channel {
        Some(channel) => (&OF_CHANNEL[..], Scope::Channel(channel.clone())),
        None => (&OF_EXTENSION[..], Scope::Extension),
    };
    let place = |kind: &DocumentKind| Place {
        stage: audience.stage,
        client_id: audience.client_id.clone(),
        kind: *kind,
        scope: scope.clone(),
    };
    kinds.iter().map(place).collect()
}
