//! The engines that everything can be moved between, each as a place to stand on.

use std::path::PathBuf;
use std::sync::Arc;

use crowdlink_store::{
    Bulk, Entry, ManualClock, MemoryStore, PostgresBulk, PostgresStore, Record, SqliteBulk,
    SqliteStore, Store,
};
use tempfile::TempDir;

use crate::harness::open;
use crate::postgres::server;

/// An engine's store, open or not.
pub(crate) enum Ground {
    Memory(Arc<MemoryStore>),
    Sqlite(TempDir),
    /// The URL of its database.
    Postgres(String),
}

/// A store while it is open.
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn Store>,
    embedded: Option<Arc<SqliteStore>>,
    clustered: Option<Arc<PostgresStore>>,
}

impl Opened {
    pub(crate) async fn close(self) {
        if let Some(embedded) = self.embedded {
            embedded.close().await;
        }
        if let Some(clustered) = self.clustered {
            clustered.close().await;
        }
    }
}

impl Ground {
    pub(crate) fn memory() -> Self {
        Self::Memory(MemoryStore::new(ManualClock::new(1_000)))
    }

    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    /// Every engine that needs no server, empty.
    pub(crate) fn all() -> Vec<Self> {
        vec![Self::memory(), Self::sqlite()]
    }

    /// The folder of an embedded store.
    fn folder(directory: &TempDir) -> PathBuf {
        directory.path().join("data")
    }

    pub(crate) fn bulk(&self) -> Box<dyn Bulk> {
        match self {
            Self::Memory(store) => Box::new(Arc::clone(store)),
            Self::Sqlite(directory) => {
                Box::new(SqliteBulk::at(Self::folder(directory).join("crowdlink.db")))
            }
            Self::Postgres(url) => {
                Box::new(PostgresBulk::at(url, ManualClock::new(1_000)).unwrap())
            }
        }
    }

    pub(crate) async fn open(&self) -> Opened {
        match self {
            Self::Memory(store) => Opened {
                store: store.clone(),
                embedded: None,
                clustered: None,
            },
            Self::Sqlite(directory) => {
                let embedded = open(&Self::folder(directory)).unwrap();
                Opened {
                    store: embedded.clone(),
                    embedded: Some(embedded),
                    clustered: None,
                }
            }
            Self::Postgres(url) => {
                let clustered = server::open(url).await.unwrap();
                Opened {
                    store: clustered.clone(),
                    embedded: None,
                    clustered: Some(clustered),
                }
            }
        }
    }

    /// Makes an empty store with a revision.
    pub(crate) async fn make(&self) {
        self.open().await.close().await;
    }

    /// Fills it with these records.
    pub(crate) async fn fill(&self, entries: &[Entry], revision: u64) {
        let mut load = self.bulk().begin_load(true).await.unwrap();
        for batch in entries.chunks(3) {
            load.put(batch.to_vec()).await.unwrap();
        }
        load.finish(revision).await.unwrap();
    }

    /// Everything it holds, and its revision.
    pub(crate) async fn everything(&self) -> (Vec<Entry>, u64) {
        let mut snapshot = self.bulk().snapshot().await.unwrap();
        let mut entries = Vec::new();
        while let Some(batch) = snapshot.next().await.unwrap() {
            entries.extend(batch);
        }
        (entries, snapshot.revision)
    }
}

pub(crate) fn entry(key: &str, value: &str, version: u64) -> Entry {
    Entry {
        key: key.into(),
        record: Record {
            value: value.to_owned().into(),
            version,
            expires_at_ms: None,
        },
    }
}
