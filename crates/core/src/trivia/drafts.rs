//! Records of one kind while a batch is applied to them.

use std::collections::HashMap;

use crowdlink_store::{Commit, Expect, Record, Store};
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
        let draft = |(key, record): (String, Option<Record>)| {
            let (value, expect) = match record {
                None => (V::default(), Expect::Absent),
                Some(record) => {
                    let value = serde_json::from_slice(&record.value)?;
                    (value, Expect::Version(record.version))
                }
            };
            let draft = Draft {
                value,
                expect,
                changed: false,
            };
            Ok((key, draft))
        };
        let drafts: Result<_, Error> = keys.into_iter().zip(records).map(draft).collect();
        drafts.map(Self)
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

    /// The keys of what was changed and is found so.
    pub(super) fn changed(&self, is_so: impl Fn(&V) -> bool) -> Vec<String> {
        let changed = self.0.iter().filter(|(_, draft)| draft.changed);
        let found = changed.filter(|(_, draft)| is_so(&draft.value));
        found.map(|(key, _)| key.clone()).collect()
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
