//! The engine in memory as what everything is moved from, or to: for tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::{MemoryStore, State};
use crate::bulk::{Batch, Bulk, Load, Snapshot, check};
use crate::contract::{Entry, Record, StoreError};

#[async_trait]
impl Bulk for Arc<MemoryStore> {
    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.up()?;
        let (revision, records) = {
            let state = self.state.lock();
            (state.revision, state.records.clone())
        };
        let count = u64::try_from(records.len()).unwrap_or(u64::MAX);
        let (batches, snapshot) = Snapshot::new(revision, count);
        tokio::spawn(async move {
            let mut batch = Batch::default();
            for (key, record) in records {
                if batch.add(Entry { key, record }) && batches.send(Ok(batch.take())).await.is_err()
                {
                    return;
                }
            }
            if !batch.is_empty() {
                let _ = batches.send(Ok(batch.take())).await;
            }
        });
        Ok(snapshot)
    }

    async fn begin_load(&self, replace: bool) -> Result<Box<dyn Load>, StoreError> {
        self.up()?;
        let held = self.held();
        if held > 0 && !replace {
            let why = format!("the store holds {held} records already");
            return Err(StoreError::Refused(why));
        }
        Ok(Box::new(Loading {
            store: Self::clone(self),
            records: BTreeMap::new(),
        }))
    }
}

struct Loading {
    store: Arc<MemoryStore>,
    records: BTreeMap<String, Record>,
}

#[async_trait]
impl Load for Loading {
    async fn put(&mut self, entries: Vec<Entry>) -> Result<(), StoreError> {
        self.store.up()?;
        check(&entries)?;
        for Entry { key, record } in entries {
            if self.records.contains_key(&key) {
                return Err(StoreError::Refused(format!("{key} was put before")));
            }
            self.records.insert(key, record);
        }
        Ok(())
    }

    async fn finish(self: Box<Self>, revision: u64) -> Result<(), StoreError> {
        self.store.up()?;
        let by_expiry = self
            .records
            .iter()
            .filter_map(|(key, record)| Some((record.expires_at_ms?, key.clone())))
            .collect();
        let mut state = self.store.state.lock();
        *state = State {
            revision: revision.max(state.revision),
            records: self.records,
            by_expiry,
        };
        Ok(())
    }

    async fn abandon(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}
