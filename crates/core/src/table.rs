//! Typed records over the store's JSON.

use std::marker::PhantomData;

use bytes::Bytes;
use crowdlink_protocol::{ClientId, Stage};
use crowdlink_store::{Commit, Expect, Record, Store};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::keys;

/// All records of one kind, of every extension and stage.
#[derive(Debug)]
pub(crate) struct Table<V> {
    kind: &'static str,
    value: PhantomData<fn() -> V>,
}

/// A record as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Stored<V> {
    pub(crate) key: String,
    pub(crate) value: V,
    pub(crate) version: u64,
    pub(crate) expires_at_ms: Option<i64>,
}

impl<V: Serialize + DeserializeOwned> Table<V> {
    /// The table of a kind.
    pub(crate) const fn new(kind: &'static str) -> Self {
        Self {
            kind,
            value: PhantomData,
        }
    }

    /// The key of a record; its parts may come from outside.
    pub(crate) fn key(&self, stage: Stage, client_id: &ClientId, parts: &[&str]) -> String {
        let mut key = keys::kind(stage, client_id, self.kind);
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                key.push('/');
            }
            key.push_str(&keys::segment(part));
        }
        key
    }

    /// Reads a record.
    pub(crate) async fn get(
        &self,
        store: &dyn Store,
        key: &str,
    ) -> Result<Option<Stored<V>>, Error> {
        store
            .get(key)
            .await?
            .map(|record| Self::decode(key.to_owned(), &record))
            .transpose()
    }

    /// Reads several records, in the order asked, in one snapshot.
    pub(crate) async fn get_many(
        &self,
        store: &dyn Store,
        keys: Vec<String>,
    ) -> Result<Vec<Option<Stored<V>>>, Error> {
        let records = store.get_many(&keys).await?;
        let decode = |(key, record): (String, Option<Record>)| {
            record.map(|record| Self::decode(key, &record)).transpose()
        };
        keys.into_iter().zip(records).map(decode).collect()
    }

    /// Reads a page of the records whose key starts with `prefix`.
    pub(crate) async fn scan(
        &self,
        store: &dyn Store,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Stored<V>>, Error> {
        let page = store.scan(prefix, after, limit).await?;
        page.into_iter()
            .map(|entry| Self::decode(entry.key, &entry.record))
            .collect()
    }

    fn decode(key: String, record: &Record) -> Result<Stored<V>, Error> {
        Ok(Stored {
            value: serde_json::from_slice(&record.value)?,
            key,
            version: record.version,
            expires_at_ms: record.expires_at_ms,
        })
    }
}

/// A record's JSON.
pub(crate) fn encode<V: Serialize>(value: &V) -> Result<Bytes, Error> {
    Ok(serde_json::to_vec(value)?.into())
}

/// Adds "still as it was read" and "replace it" to a commit; it keeps its expiry.
pub(crate) fn replace<V: Serialize>(
    commit: Commit,
    stored: &Stored<V>,
    value: &V,
) -> Result<Commit, Error> {
    Ok(commit
        .check(&stored.key, Expect::Version(stored.version))
        .put(&stored.key, encode(value)?, stored.expires_at_ms))
}
