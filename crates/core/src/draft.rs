//! Records that are read together and written as one commit, if nobody else wrote them meanwhile.

use std::collections::BTreeMap;

use bytes::Bytes;
use crowdlink_store::{Commit, Expect, Store};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::table::encode;

/// A record as it was read, and what is to become of it.
#[derive(Debug)]
struct Held {
    /// What the store must still hold; `None` where nobody looked.
    expect: Option<Expect>,
    value: Option<Bytes>,
    written: bool,
}

/// Records on their way from one version to the next. Nothing happens until it is committed.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    records: BTreeMap<String, Held>,
}

impl Draft {
    /// Reads records in one snapshot.
    pub(crate) async fn load(store: &dyn Store, mut keys: Vec<String>) -> Result<Self, Error> {
        keys.sort_unstable();
        keys.dedup();
        let found = store.get_many(&keys).await?;
        let held = |record: Option<crowdlink_store::Record>| match record {
            None => Held {
                expect: Some(Expect::Absent),
                value: None,
                written: false,
            },
            Some(record) => Held {
                expect: Some(Expect::Version(record.version)),
                value: Some(record.value),
                written: false,
            },
        };
        let records = keys.into_iter().zip(found.into_iter().map(held));
        Ok(Self {
            records: records.collect(),
        })
    }

    /// A record that was loaded, as it is by now.
    pub(crate) fn get<V: DeserializeOwned>(&self, key: &str) -> Result<Option<V>, Error> {
        let held = self.records.get(key);
        let held = held.ok_or_else(|| Error::Internal(format!("{key} was not loaded")))?;
        let value = held.value.as_deref().map(serde_json::from_slice);
        Ok(value.transpose()?)
    }

    /// Writes a record. One that was not loaded is written whatever is there.
    pub(crate) fn put<V: Serialize>(&mut self, key: String, value: &V) -> Result<(), Error> {
        self.write(key, Some(encode(value)?));
        Ok(())
    }

    /// Removes a record.
    pub(crate) fn delete(&mut self, key: String) {
        self.write(key, None);
    }

    fn write(&mut self, key: String, value: Option<Bytes>) {
        let held = self.records.entry(key).or_insert(Held {
            expect: None,
            value: None,
            written: false,
        });
        held.value = value;
        held.written = true;
    }

    /// What a record is to become, if it was written.
    pub(crate) fn written(&self, key: &str) -> Option<Bytes> {
        let held = self.records.get(key).filter(|held| held.written)?;
        held.value.clone()
    }

    /// The commit; `None` where nothing was written. Records never expire.
    pub(crate) fn into_commit(self) -> Option<Commit> {
        if !self.records.values().any(|held| held.written) {
            return None;
        }
        let mut commit = Commit::new();
        for (key, held) in self.records {
            if let Some(expect) = held.expect {
                commit = commit.check(&key, expect);
            }
            commit = match (held.written, held.value) {
                (false, _) => commit,
                (true, Some(value)) => commit.put(key, value, None),
                (true, None) => commit.delete(key),
            };
        }
        Some(commit)
    }
}

#[cfg(test)]
mod tests {
    use crowdlink_store::{ManualClock, MemoryStore, StoreError};

    use super::*;

    #[tokio::test]
    async fn what_somebody_else_wrote_meanwhile_stops_the_commit() {
        let store = MemoryStore::new(ManualClock::new(0));
        let keys = || vec!["a".to_owned(), "b".to_owned(), "a".to_owned()];
        let mut draft = Draft::load(&*store, keys()).await.unwrap();
        assert_eq!(draft.get::<u32>("a").unwrap(), None);
        draft.put("b".to_owned(), &1).unwrap();
        assert_eq!(draft.get::<u32>("b").unwrap(), Some(1));
        assert_eq!(draft.written("b").as_deref(), Some(&b"1"[..]));
        assert_eq!(draft.written("a"), None);
        assert!(draft.get::<u32>("c").is_err());
        // The record that was only read is guarded too.
        store
            .commit(Commit::new().put("a", "1", None))
            .await
            .unwrap();
        let refused = store.commit(draft.into_commit().unwrap()).await;
        assert!(matches!(refused, Err(StoreError::Conflict { key }) if key == "a"));
        let mut draft = Draft::load(&*store, keys()).await.unwrap();
        draft.delete("a".to_owned());
        store.commit(draft.into_commit().unwrap()).await.unwrap();
        assert_eq!(store.get("a").await.unwrap(), None);
        let unchanged = Draft::load(&*store, keys()).await.unwrap();
        assert!(unchanged.into_commit().is_none());
    }
}
