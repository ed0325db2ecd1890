//! Several documents in one commit: all are changed, or none.

use std::sync::Arc;

use bytes::Bytes;
use crowdlink_store::{Commit, Expect};

use super::cache::{DocumentCache, Snapshot};
use super::change::{Change, apply};
use super::combine::{SharedDocuments, Terms};
use super::place::Place;
use crate::error::Error;
use crate::world::CONFLICT_TRIES_MAX;

impl SharedDocuments {
    /// Reads several documents in one snapshot, past the cache.
    pub(crate) async fn read_many(&self, places: &[Place]) -> Result<Vec<Snapshot>, Error> {
        let keys: Vec<String> = places.iter().map(Place::key).collect();
        let records = self.world.store.get_many(&keys).await?;
        let snapshot =
            |record: Option<_>| record.map_or_else(Snapshot::empty, DocumentCache::snapshot);
        Ok(records.into_iter().map(snapshot).collect())
    }

    /// Changes several documents. The error names the document, as `name` calls it.
    pub(crate) async fn write_many(
        &self,
        changes: &[(Place, Change)],
        terms: Terms,
        name: impl Fn(&Place) -> String,
    ) -> Result<(), Error> {
        let places: Vec<Place> = changes.iter().map(|(place, _)| place.clone()).collect();
        for attempt in 1..=CONFLICT_TRIES_MAX {
            let current = self.read_many(&places).await?;
            let expires_at_ms = terms.expires_at_ms(self.world.now_ms());
            let mut commit = Commit::new();
            let mut written = Vec::with_capacity(changes.len());
            for ((place, change), before) in changes.iter().zip(current) {
                let document =
                    apply(&before.document()?, change, &terms.bounds).map_err(|error| {
                        Error::Document(format!("{}: {}", name(place), error.reason()))
                    })?;
                let (key, json) = (place.key(), Bytes::from(document.to_json()?));
                let expect = match before.version {
                    0 => Expect::Absent,
                    version => Expect::Version(version),
                };
                commit = commit
                    .check(&key, expect)
                    .put(&key, json.clone(), expires_at_ms);
                written.push((key, document, json));
            }
            let committed = self.world.try_commit(commit).await;
            let committed = committed.inspect_err(|_| self.outcome_unknown(&places))?;
            if let Some(version) = committed {
                let committed_at_ms = self.world.clock.monotonic_ms();
                for ((key, document, json), place) in written.into_iter().zip(&places) {
                    let snapshot = Snapshot::written(document, json, version, expires_at_ms);
                    self.cache.put(&key, Arc::new(snapshot), committed_at_ms);
                    self.announce(place, version)?;
                }
                return Ok(());
            }
            self.world.pause_before_retry(attempt).await?;
        }
        Err(Error::Internal("the documents kept changing".to_owned()))
    }
}
