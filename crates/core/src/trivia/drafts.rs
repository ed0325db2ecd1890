//! Records of one kind while a batch is applied to them.

use std::collections::HashMap;

use crowdlink_store::{Commit, Expect, Store};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::table::encode;

#[derive(Debug)]
struct Draft<V> {
    value: V,
    expect: Expect,
    changed: bool,
}

/// Records by key; one that is not stored yet has its default value.
#[derive(Debug)]
pub(super) struct Drafts<V>(HashMap<String, Draft<V>>);

impl<V: Default + Serialize + DeserializeOwned> Drafts<V> {
    /// Reads records as they stand.
    pub(super) async fn read(store: &dyn Store, mut keys: Vec<String>) -> Result<Self, Error> {
        keys.sort_unstable();
        keys.dedup();
        if keys.is_empty() {
            return Ok(Self(HashMap::new()));
        }
        let records = store.get_many(&keys).await?;
        let draft = |record: Option<crowdlink_store::Record>| match record {
            None => Ok(Draft {
                value: V::default(),
                expect: Expect::Absent,
                changed: false,
            }),
            Some(record) => Ok(Draft {
                value: serde_json::from_slice(&record.value)?,
                expect: Expect::Version(record.version),
                changed: false,
            }),
        };
        let drafts = keys.into_iter().zip(records);
        let drafts = drafts.map(|(key, record)| Ok((key, draft(record)?)));
        drafts.collect::<Result<_, Error>>().map(Self)
    }

    /// A record that was read.
    pub(super) fn get(&self, key: &str) -> Option<&V> {
        self.0.get(key).map(|draft| &draft.value)
    }

    /// Whether a record that was read is stored.
    pub(super) fn is_stored(&self, key: &str) -> bool {
        let draft = self.0.get(key);
        draft.is_some_and(|draft| draft.expect != Expect::Absent)
    }

    /// Changes a record that was read.
    pub(super) fn change(&mut self, key: &str, change: impl FnOnce(&mut V)) {
        if let Some(draft) = self.0.get_mut(key) {
            change(&mut draft.value);
            draft.changed = true;
        }
    }

    /// All records that were read.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.0.values().map(|draft| &draft.value)
    }

    /// Adds what was changed to a commit, if it still stands as it was read.
    pub(super) fn write(&self, mut commit: Commit) -> Result<Commit, Error> {
        for (key, draft) in &self.0 {
            if draft.changed {
                let json = encode(&draft.value)?;
                commit = commit.check(key, draft.expect).put(key, json, None);
            }
        }
        Ok(commit)
    }
}
