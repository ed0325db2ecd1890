//! Several documents in one commit: all are changed, or none.

use std::sync::Arc;

use bytes::Bytes;
use crowdlink_store::{COMMIT_BYTES_MAX, Commit, Expect};

use super::cache::{DocumentCache, Snapshot};
use super::change::{Change, apply};
use super::combine::{SharedDocuments, Terms};
use super::place::Place;
use crate::error::Error;
use crate::world::CONFLICT_TRIES_MAX;

/// Documents read at once: of the largest, so many stay well below what one read may answer.
const READ_AT_ONCE: usize = 100;
/// What documents changed together may weigh; the rest of a commit is its keys.
const DOCUMENTS_BYTES_MAX: usize = COMMIT_BYTES_MAX / 2;

/// A change of one document among several.
#[derive(Clone, Debug)]
pub(crate) struct NamedChange {
    /// What the caller calls the document.
    pub(crate) id: String,
    pub(crate) place: Place,
    pub(crate) change: Change,
}

/// A refusal that tells which of several documents it is about.
pub(crate) fn named_error(id: &str, error: &Error) -> Error {
    Error::Document(format!("{id}: {}", error.reason()))
}

impl SharedDocuments {
    /// Reads several documents, past the cache. What was read in one go is of one snapshot.
    pub(crate) async fn read_many(&self, places: &[Place]) -> Result<Vec<Snapshot>, Error> {
        let mut documents = Vec::with_capacity(places.len());
        for places in places.chunks(READ_AT_ONCE) {
            let keys: Vec<String> = places.iter().map(Place::key).collect();
            let records = self.world.store.get_many(&keys).await?;
            documents.extend(
                records
                    .into_iter()
                    .map(|record| record.map_or_else(Snapshot::empty, DocumentCache::snapshot)),
            );
        }
        Ok(documents)
    }

    /// Changes several documents. The error names the document by the id that it came under.
    pub(crate) async fn write_many(
        &self,
        changes: &[NamedChange],
        terms: Terms,
    ) -> Result<(), Error> {
        let places: Vec<Place> = changes.iter().map(|named| named.place.clone()).collect();
        for attempt in 1..=CONFLICT_TRIES_MAX {
            let current = self.read_many(&places).await?;
            let expires_at_ms = terms.expires_at_ms(self.world.now_ms());
            let mut commit = Commit::new();
            let mut written = Vec::with_capacity(changes.len());
            let mut bytes = 0;
            for (named, before) in changes.iter().zip(current) {
                let document = apply(&before.document()?, &named.change, &terms.bounds)
                    .map_err(|error| named_error(&named.id, &error))?;
                bytes += document.bytes();
                if bytes > DOCUMENTS_BYTES_MAX {
                    let together = "the documents are too large together; name fewer";
                    return Err(Error::Document(together.to_owned()));
                }
                let (key, json) = (named.place.key(), Bytes::from(document.to_json()?));
                let expect = match before.version {
                    0 => Expect::Absent,
                    version => Expect::Version(version),
                };
                commit = commit
                    .check(&key, expect)
                    .put(&key, json.clone(), expires_at_ms);
                written.push((key, document, json));
            }
            let marks: Vec<_> = written
                .iter()
                .map(|(key, _, _)| self.cache.mark(key))
                .collect();
            let committed = self.world.try_commit(commit).await;
            let committed = committed.inspect_err(|_| self.outcome_unknown(&places))?;
            if let Some(version) = committed {
                let committed_at_ms = self.world.clock.monotonic_ms();
                let written = written.into_iter().zip(&places).zip(marks);
                for (((key, document, json), place), mark) in written {
                    let snapshot = Snapshot::written(document, json, version, expires_at_ms);
                    self.cache
                        .put(&key, Arc::new(snapshot), committed_at_ms, mark);
                    self.announce(place, version)?;
                }
                return Ok(());
            }
            self.world.pause_before_retry(attempt).await?;
        }
        Err(Error::Internal("the documents kept changing".to_owned()))
    }
}
