//! Everything at once, out of one engine and into another, with versions kept.
//!
//! Beside the contract and not part of it: an engine that moves nothing needs none of this, and the
//! server itself never calls it.

use std::fmt;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::bounds;
use crate::contract::{Entry, StoreError};

/// Most records of one batch.
pub const BULK_BATCH_RECORDS_MAX: usize = 1_000;
/// A batch takes no further record once its keys and values have so many bytes.
pub const BULK_BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Batches read ahead of whoever takes them.
const WAITING_BATCHES_MAX: usize = 2;
/// A store made from a copy goes on with revisions greater by this, so that versions which were
/// given away after the copy was taken do not come again for other content.
pub const REVISION_GAP: u64 = 1 << 32;

/// What an engine offers to be moved away from, or to.
#[async_trait]
pub trait Bulk: fmt::Debug + Send + Sync {
    /// One moment of the whole store. Reads and commits go on beside it.
    async fn snapshot(&self) -> Result<Snapshot, StoreError>;

    /// Begins to fill the store. What it held stays whole and unseen by the load until
    /// [`Load::finish`]; until then, also after a crash, no server opens it.
    ///
    /// # Errors
    /// `Refused` if the store holds records and `replace` is false, if it is in use, or if another
    /// load is under way; `Unavailable` if it cannot be written.
    async fn begin_load(&self, replace: bool) -> Result<Box<dyn Load>, StoreError>;
}

/// A store being filled. Dropped without [`Load::finish`], it leaves what the store held, and maybe the
/// mark that no server opens it; [`Load::abandon`] takes that away as well.
#[async_trait]
pub trait Load: Send {
    /// Writes records with exactly these versions. Nobody sees them yet.
    ///
    /// # Errors
    /// `Refused` if a record breaks a bound of the contract, or its key was put before.
    async fn put(&mut self, entries: Vec<Entry>) -> Result<(), StoreError>;

    /// Puts what was written in the place of what the store held, durably. The next commit has a
    /// revision greater than `revision`, and than any that the replaced store gave.
    async fn finish(self: Box<Self>, revision: u64) -> Result<(), StoreError>;

    /// Takes back what was written: the store is as it was.
    async fn abandon(self: Box<Self>) -> Result<(), StoreError>;
}

/// Every record of one moment, in byte order of the keys, expired ones that were not swept yet
/// included: no clock is asked.
#[derive(Debug)]
pub struct Snapshot {
    /// The revision of the last commit before that moment.
    pub revision: u64,
    /// How many records there are.
    pub records: u64,
    taken: u64,
    batches: mpsc::Receiver<Result<Vec<Entry>, StoreError>>,
}

/// Where an engine sends the batches of a [`Snapshot`].
pub(crate) type Batches = mpsc::Sender<Result<Vec<Entry>, StoreError>>;

impl Snapshot {
    /// A snapshot, and the way to fill it.
    pub(crate) fn new(revision: u64, records: u64) -> (Batches, Self) {
        let (sender, batches) = mpsc::channel(WAITING_BATCHES_MAX);
        let snapshot = Self {
            revision,
            records,
            taken: 0,
            batches,
        };
        (sender, snapshot)
    }

    /// The next records; `None` once all were given. Of [`BULK_BATCH_RECORDS_MAX`] at most.
    ///
    /// # Errors
    /// `Unavailable` if the engine could not read on: what was given is not the whole then.
    pub async fn next(&mut self) -> Result<Option<Vec<Entry>>, StoreError> {
        let Some(batch) = self.batches.recv().await else {
            // A reader that died closes its end as one that is done does.
            return if self.taken == self.records {
                Ok(None)
            } else {
                Err(StoreError::Unavailable(format!(
                    "the snapshot broke off after {} of {} records",
                    self.taken, self.records
                )))
            };
        };
        let batch = batch?;
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        self.taken = self.taken.saturating_add(count);
        Ok(Some(batch))
    }
}

/// A batch while it grows.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    entries: Vec<Entry>,
    bytes: usize,
}

impl Batch {
    /// Adds a record; tells whether the batch is full now.
    pub(crate) fn add(&mut self, entry: Entry) -> bool {
        let bytes = entry.key.len().saturating_add(entry.record.value.len());
        self.bytes = self.bytes.saturating_add(bytes);
        self.entries.push(entry);
        self.entries.len() >= BULK_BATCH_RECORDS_MAX || self.bytes >= BULK_BATCH_BYTES_MAX
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What was gathered; the batch is empty again.
    pub(crate) fn take(&mut self) -> Vec<Entry> {
        self.bytes = 0;
        std::mem::take(&mut self.entries)
    }
}

/// Every record of a load obeys the contract, whoever wrote it down.
pub(crate) fn check(entries: &[Entry]) -> Result<(), StoreError> {
    entries.iter().try_for_each(bounds::entry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Record;

    fn entry(value_bytes: usize) -> Entry {
        Entry {
            key: "k".into(),
            record: Record {
                value: "x".repeat(value_bytes).into(),
                version: 1,
                expires_at_ms: None,
            },
        }
    }

    #[test]
    fn a_batch_is_full_with_its_last_record_or_its_last_byte() {
        let mut batch = Batch::default();
        for _ in 1..BULK_BATCH_RECORDS_MAX {
            assert!(!batch.add(entry(0)));
        }
        assert!(batch.add(entry(0)));
        assert_eq!(batch.take().len(), BULK_BATCH_RECORDS_MAX);
        assert!(batch.is_empty());
        assert!(!batch.add(entry(BULK_BATCH_BYTES_MAX - 3)));
        assert!(batch.add(entry(1)));
    }

    #[tokio::test]
    async fn a_snapshot_that_ends_early_is_no_snapshot() {
        let (sender, mut snapshot) = Snapshot::new(7, 2);
        sender.send(Ok(vec![entry(1)])).await.unwrap();
        drop(sender);
        assert_eq!(snapshot.next().await, Ok(Some(vec![entry(1)])));
        let end = snapshot.next().await;
        assert!(matches!(end, Err(StoreError::Unavailable(why)) if why.contains("1 of 2")));
    }

    #[tokio::test]
    async fn no_more_batches_are_read_ahead_than_the_bound_says() {
        let (sender, _snapshot) = Snapshot::new(7, 9);
        for _ in 0..WAITING_BATCHES_MAX {
            sender.try_send(Ok(Vec::new())).unwrap();
        }
        assert!(sender.try_send(Ok(Vec::new())).is_err());
    }
}
