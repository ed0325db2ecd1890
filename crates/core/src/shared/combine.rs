//! Writes that wait for one document are applied together.

use std::sync::Arc;

use bytes::Bytes;
use crowdlink_store::{Commit, Expect};

use super::cache::{DocumentCache, Mark, Snapshot};
use super::change::{Change, IfMatch, apply};
use super::place::{Changed, Place};
use crate::combine::{Apply, Combiner};
use crate::documents::{Bounds, Document};
use crate::error::Error;
use crate::world::{CONFLICT_TRIES_MAX, World};

/// Where the bus carries [`Changed`].
pub(crate) const CHANGED_TOPIC: &str = "changed";
/// What a write must obey and how long what it writes lives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) bounds: Bounds,
    /// `None` for ever.
    pub(crate) lifetime_ms: Option<u64>,
}

impl Terms {
    pub(super) fn expires_at_ms(&self, now_ms: i64) -> Option<i64> {
        self.lifetime_ms
            .map(|ms| now_ms.saturating_add_unsigned(ms))
    }
}

/// A document as one change left it.
#[derive(Clone, Debug)]
pub struct Written {
    /// The document.
    pub document: Document,
    /// The version of the commit that the change was part of.
    pub version: u64,
}

type Answer = Result<Written, Error>;

/// A change that waits for its turn.
#[derive(Debug)]
pub(super) struct Waiting {
    change: Change,
    if_match: Option<IfMatch>,
}

/// Documents, their cache and the writes that wait for them.
#[derive(Debug)]
pub(crate) struct SharedDocuments {
    pub(super) world: World,
    pub(super) cache: DocumentCache,
    writes: Arc<Combiner<Waiting, Written>>,
}

/// Applies the writes of one document.
struct Writer {
    shared: Arc<SharedDocuments>,
    key: String,
    place: Place,
    terms: Terms,
}

impl Apply<Waiting, Written> for Writer {
    async fn apply(&mut self, batch: &[Waiting]) -> Vec<Answer> {
        let Self {
            shared,
            key,
            place,
            terms,
        } = self;
        shared.apply_batch(key, place, *terms, batch).await
    }
}

/// A document while a batch of writes is applied to it.
struct Draft {
    document: Document,
    version: u64,
    /// Written in this batch: it has no version yet.
    changed: bool,
}

impl SharedDocuments {
    pub(crate) fn new(world: World) -> Arc<Self> {
        Arc::new(Self {
            world,
            cache: DocumentCache::new(),
            writes: Combiner::new(),
        })
    }

    /// Reads a document; `{}` with version 0 where it was never written.
    pub(crate) async fn read(&self, place: &Place) -> Result<Arc<Snapshot>, Error> {
        self.cache.get(&self.world, &place.key()).await
    }

    /// Takes note of a commit, also one of another node.
    pub(crate) fn hear(&self, changed: &Changed) {
        self.cache.invalidate(&changed.place.key(), changed.version);
    }

    /// Changes a document; answers when the change is durable, with the document as this change
    /// left it.
    pub(crate) async fn write(
        self: &Arc<Self>,
        place: &Place,
        terms: Terms,
        change: Change,
        if_match: Option<IfMatch>,
    ) -> Answer {
        let writer = || Writer {
            shared: Arc::clone(self),
            key: place.key(),
            place: place.clone(),
            terms,
        };
        let waiting = Waiting { change, if_match };
        self.writes.submit(place.key(), waiting, writer).await
    }

    async fn apply_batch(
        &self,
        key: &str,
        place: &Place,
        terms: Terms,
        batch: &[Waiting],
    ) -> Vec<Answer> {
        for attempt in 1..=CONFLICT_TRIES_MAX {
            match self.try_batch(key, place, terms, batch, attempt == 1).await {
                Ok(Some(outcomes)) => return outcomes,
                Ok(None) => {}
                Err(error) => return batch.iter().map(|_| Err(error.clone())).collect(),
            }
            if let Err(error) = self.world.pause_before_retry(attempt).await {
                return batch.iter().map(|_| Err(error.clone())).collect();
            }
        }
        Vec::new()
    }

    /// `None` when another node was first.
    async fn try_batch(
        &self,
        key: &str,
        place: &Place,
        terms: Terms,
        batch: &[Waiting],
        from_cache: bool,
    ) -> Result<Option<Vec<Answer>>, Error> {
        let current = if from_cache {
            self.cache.get(&self.world, key).await?
        } else {
            self.cache.read(&self.world, key).await?
        };
        let document = current.document()?;
        let mut draft = Draft {
            document,
            version: current.version,
            changed: false,
        };
        let drafts: Vec<Result<Document, Error>> = batch
            .iter()
            .map(|waiting| draft.apply(waiting, &terms.bounds))
            .collect();
        if !draft.changed {
            // What was refused was refused for what the store holds, not for what memory believed.
            if from_cache {
                return Ok(None);
            }
            return Ok(Some(drafts.into_iter().map(refused).collect()));
        }
        let expires_at_ms = terms.expires_at_ms(self.world.now_ms());
        let json = Bytes::from(draft.document.to_json()?);
        let expect = if current.version == 0 {
            Expect::Absent
        } else {
            Expect::Version(current.version)
        };
        let commit = Commit::new()
            .check(key, expect)
            .put(key, json.clone(), expires_at_ms);
        let mark = self.cache.mark(key);
        let committed = self.world.try_commit(commit).await;
        let Some(version) = committed.inspect_err(|_| self.outcome_unknown([place]))? else {
            return Ok(None);
        };
        // The moment after: whoever began to read before it may have found the record missing.
        let committed_at_ms = self.world.clock.monotonic_ms();
        let written = Snapshot::written(draft.document, json, version, expires_at_ms);
        self.cache
            .put(key, Arc::new(written), committed_at_ms, mark);
        self.announce(place, version)?;
        let answer = |drafted: Result<Document, Error>| {
            drafted.map(|document| Written { document, version })
        };
        Ok(Some(drafts.into_iter().map(answer).collect()))
    }

    /// A commit that failed may have happened all the same: what memory holds is not believed any
    /// more, and those who subscribed are told what the store holds.
    pub(crate) fn outcome_unknown<'a>(&self, places: impl IntoIterator<Item = &'a Place>) {
        for place in places {
            self.cache.forget(&place.key());
            if let Err(error) = self.announce(place, 0) {
                tracing::error!(%error, "a change could not be announced");
            }
        }
    }

    /// To be taken before a document is committed among other records.
    pub(crate) fn mark(&self, place: &Place) -> Mark {
        self.cache.mark(&place.key())
    }

    /// Takes note of a commit that wrote a document for ever among other records, and tells
    /// everybody.
    pub(crate) fn committed(
        &self,
        place: &Place,
        json: Bytes,
        version: u64,
        mark: Mark,
    ) -> Result<(), Error> {
        let snapshot = Snapshot::stored(json, version);
        let committed_at_ms = self.world.clock.monotonic_ms();
        self.cache
            .put(&place.key(), Arc::new(snapshot), committed_at_ms, mark);
        self.announce(place, version)
    }

    /// Word of some changes was lost: what memory holds may be behind, and those who look now
    /// because of it must find the newest.
    pub(crate) fn doubt(&self) {
        self.cache.forget_all();
    }

    /// Tells everybody, after the commit.
    pub(super) fn announce(&self, place: &Place, version: u64) -> Result<(), Error> {
        let changed = Changed {
            place: place.clone(),
            version,
        };
        self.world.tell(CHANGED_TOPIC, &changed)
    }
}

fn refused(drafted: Result<Document, Error>) -> Answer {
    Err(drafted
        .err()
        .unwrap_or_else(|| Error::Internal("a draft was lost".to_owned())))
}

impl Draft {
    fn apply(&mut self, waiting: &Waiting, bounds: &Bounds) -> Result<Document, Error> {
        // What was changed in this batch has a version that nobody can have named.
        let fits = |wanted: &IfMatch| match wanted {
            IfMatch::Written => self.changed || wanted.allows(self.version),
            IfMatch::Versions(_) => !self.changed && wanted.allows(self.version),
        };
        if !waiting.if_match.as_ref().is_none_or(fits) {
            return Err(Error::PreconditionFailed);
        }
        self.document = apply(&self.document, &waiting.change, bounds)?;
        self.changed = true;
        Ok(self.document.clone())
    }
}
