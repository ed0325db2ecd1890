//! Everything out of an engine and into one.

use std::fs;
use std::path::Path;

use crowdlink_store::{Bulk, SqliteBulk, Store, StoreError};
use tempfile::tempdir;

use crate::bulk_rules::{self, three};
use crate::for_each_bulk_rule;
use crate::grounds::Ground;
use crate::harness::{assert_refused, open, put, value};

macro_rules! tests {
    ($($rule:ident)*) => {
        $(
            #[tokio::test]
            async fn $rule() {
                for ground in Ground::all() {
                    bulk_rules::$rule(&ground).await;
                }
            }
        )*
    };
}

for_each_bulk_rule!(tests);

fn database(directory: &Path) -> std::path::PathBuf {
    directory.join("crowdlink.db")
}

#[tokio::test]
async fn an_embedded_store_with_an_unfinished_load_does_not_open_until_one_has_ended() {
    let directory = tempdir().unwrap();
    let part = directory.path().join("crowdlink.db.importing");
    let store = open(directory.path()).unwrap();
    put(&*store, "k", "old").await;
    store.close().await;
    // As a kill leaves it: half a database, a log of what was to be undone, no lock.
    fs::write(&part, "half").unwrap();
    fs::write(part.with_extension("importing-journal"), "half").unwrap();
    assert_refused(open(directory.path()), "crowdlink.db.importing");
    let bulk = SqliteBulk::at(database(directory.path()));
    // One that fails in order is no end to it.
    let mut load = bulk.begin_load(true).await.unwrap();
    load.put(three()).await.unwrap();
    load.abandon().await.unwrap();
    assert_refused(open(directory.path()), "an import has not ended");
    // What was there is still there.
    let mut snapshot = bulk.snapshot().await.unwrap();
    assert_eq!(snapshot.next().await.unwrap().unwrap().len(), 1);

    let mut load = bulk.begin_load(true).await.unwrap();
    assert_refused(open(directory.path()), "an import has not ended");
    load.put(three()).await.unwrap();
    load.finish(50).await.unwrap();
    let store = open(directory.path()).unwrap();
    assert_eq!(value(&*store, "a").await.as_deref(), Some("1"));
    assert_eq!(value(&*store, "k").await, None);
    for entry in fs::read_dir(directory.path()).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(!name.to_string_lossy().contains("importing"), "{name:?}");
    }
}

#[tokio::test]
async fn one_load_at_a_time_and_none_under_a_running_server() {
    let directory = tempdir().unwrap();
    let bulk = SqliteBulk::at(database(directory.path()));
    let load = bulk.begin_load(false).await.unwrap();
    let second = bulk.begin_load(false).await.map(|_| ());
    assert_refused(second, "another import into this store is under way");
    assert_refused(open(directory.path()), "an import has not ended");
    load.finish(1).await.unwrap();

    let store = open(directory.path()).unwrap();
    let running = bulk.begin_load(true).await.map(|_| ());
    assert_refused(running, "in use");
    put(&*store, "k", "1").await;
    store.close().await;
    open(directory.path()).unwrap().close().await;
}

#[tokio::test]
async fn a_damaged_embedded_store_can_be_replaced() {
    let directory = tempdir().unwrap();
    fs::write(database(directory.path()), "no database").unwrap();
    let bulk = SqliteBulk::at(database(directory.path()));
    assert_refused(bulk.snapshot().await.map(|_| ()), "not a database");
    let refused = bulk.begin_load(false).await.map(|_| ());
    assert_refused(refused, "not a database");
    let mut load = bulk.begin_load(true).await.unwrap();
    load.put(three()).await.unwrap();
    load.finish(50).await.unwrap();
    let store = open(directory.path()).unwrap();
    // The third has expired.
    assert_eq!(store.scan("", None, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn there_is_no_snapshot_of_nothing_and_none_is_made() {
    let directory = tempdir().unwrap();
    let bulk = SqliteBulk::at(database(directory.path()));
    let nothing = bulk.snapshot().await;
    assert!(matches!(nothing, Err(StoreError::Unavailable(why)) if why.contains("no store at")));
    assert!(!database(directory.path()).exists());
}

#[cfg(unix)]
#[tokio::test]
async fn a_loaded_embedded_store_is_for_its_owner() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempdir().unwrap();
    let bulk = SqliteBulk::at(database(directory.path()));
    bulk.begin_load(false)
        .await
        .unwrap()
        .finish(1)
        .await
        .unwrap();
    let mode = fs::metadata(database(directory.path()))
        .unwrap()
        .permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
}
