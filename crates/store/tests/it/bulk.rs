//! Everything out of an engine and into one, the same on each.

use std::fs;
use std::path::Path;

use crowdlink_store::{
    Bulk, Commit, Entry, KEY_BYTES_MAX, Record, SqliteBulk, Store, StoreError, VALUE_BYTES_MAX,
};
use tempfile::tempdir;

use crate::grounds::{Ground, entry};
use crate::harness::{assert_refused, open, put, value};

fn three() -> Vec<Entry> {
    let expired = Entry {
        key: "b".into(),
        record: Record {
            value: "2".into(),
            version: 40,
            expires_at_ms: Some(1),
        },
    };
    vec![entry("a", "1", 7), expired, entry("c/\u{10FFFF}", "3", 41)]
}

#[tokio::test]
async fn a_snapshot_has_every_record_in_order_and_asks_no_clock() {
    for ground in Ground::all() {
        let opened = ground.open().await;
        let commit = Commit::new()
            .put("z", "1", None)
            .put("expired", "2", Some(1))
            .put("a/\u{e9}", "3", Some(5_000));
        assert_eq!(opened.store.commit(commit).await, Ok(1));
        put(&*opened.store, "a", "4").await;
        opened.store.commit(Commit::new()).await.unwrap();
        let found = ground.everything().await;
        let at = |key, value, version, expires_at_ms| {
            let mut entry = entry(key, value, version);
            entry.record.expires_at_ms = expires_at_ms;
            entry
        };
        let expected = vec![
            at("a", "4", 2, None),
            at("a/\u{e9}", "3", 1, Some(5_000)),
            at("expired", "2", 1, Some(1)),
            at("z", "1", 1, None),
        ];
        assert_eq!(found, (expected, 3));
        opened.close().await;
    }
}

#[tokio::test]
async fn a_snapshot_is_one_moment_while_commits_go_on() {
    for ground in Ground::all() {
        let opened = ground.open().await;
        // More than is read ahead.
        for n in 0..20 {
            let value = n.to_string();
            let commit = (0..1_000).fold(Commit::new(), |commit, k| {
                commit.put(format!("{k:04}/{n}"), value.clone(), None)
            });
            opened.store.commit(commit).await.unwrap();
        }
        let mut snapshot = ground.bulk().snapshot().await.unwrap();
        let mut entries = snapshot.next().await.unwrap().unwrap();
        let commit = (0..1_000).fold(Commit::new(), |commit, k| {
            commit
                .put(format!("{k:04}/0"), "changed", None)
                .delete(format!("{k:04}/1"))
        });
        opened.store.commit(commit).await.unwrap();
        while let Some(batch) = snapshot.next().await.unwrap() {
            entries.extend(batch);
        }
        assert_eq!((entries.len(), snapshot.revision), (20_000, 20));
        for entry in entries {
            let (_, n) = entry.key.split_once('/').unwrap();
            assert_eq!(entry.record.value, n, "{}", entry.key);
        }
        opened.close().await;
    }
}

#[tokio::test]
async fn a_load_keeps_versions_and_the_next_commit_is_above_all() {
    for ground in Ground::all() {
        let mut load = ground.bulk().begin_load(false).await.unwrap();
        load.put(three()[..2].to_vec()).await.unwrap();
        load.put(three()[2..].to_vec()).await.unwrap();
        load.finish(50).await.unwrap();
        assert_eq!(ground.everything().await, (three(), 50));
        let opened = ground.open().await;
        assert_eq!(opened.store.get("a").await.unwrap().unwrap().version, 7);
        assert_eq!(opened.store.get("b").await.unwrap(), None);
        assert_eq!(put(&*opened.store, "new", "1").await, 51);
        // What has expired is found and removed as ever.
        assert_eq!(opened.store.sweep(10).await, Ok(1));
        opened.close().await;
    }
}

#[tokio::test]
async fn a_store_that_holds_records_is_replaced_only_when_told_to_and_at_the_end() {
    for ground in Ground::all() {
        ground.fill(&[entry("old", "1", 99)], 100).await;
        let refused = ground.bulk().begin_load(false).await.map(|_| ());
        assert_refused(refused, "holds 1 records already");
        let mut load = ground.bulk().begin_load(true).await.unwrap();
        load.put(three()).await.unwrap();
        assert_eq!(
            ground.everything().await,
            (vec![entry("old", "1", 99)], 100)
        );
        load.finish(50).await.unwrap();
        // The old one gave versions up to 100.
        assert_eq!(ground.everything().await, (three(), 100));
        ground.fill(&[], 1).await;
        let mut load = ground.bulk().begin_load(false).await.unwrap();
        load.put(three()).await.unwrap();
        load.finish(200).await.unwrap();
        assert_eq!(ground.everything().await, (three(), 200));
    }
}

#[tokio::test]
async fn a_load_that_is_abandoned_or_dropped_leaves_the_store_as_it_was() {
    for ground in Ground::all() {
        ground.make().await;
        for dropped in [false, true] {
            let mut load = ground.bulk().begin_load(true).await.unwrap();
            load.put(three()).await.unwrap();
            if dropped {
                drop(load);
            } else {
                load.abandon().await.unwrap();
            }
            assert_eq!(ground.everything().await, (Vec::new(), 0));
            ground.make().await;
        }
    }
}

#[tokio::test]
async fn a_load_takes_nothing_that_a_commit_would_not() {
    let over = "k".repeat(KEY_BYTES_MAX + 1);
    let large = "x".repeat(VALUE_BYTES_MAX + 1);
    let mut binary = entry("k", "", 1);
    binary.record.value = vec![0xff].into();
    let bad = [
        (entry("", "1", 1), "empty key"),
        (entry(&over, "1", 1), "key of"),
        (entry("a\0b", "1", 1), "NUL"),
        (entry("k", "a\0b", 1), "NUL"),
        (entry("k", &large, 1), "value of"),
        (binary, "UTF-8"),
        (entry("k", "1", 0), "version 0"),
        (entry("k", "1", 1 << 63), "version"),
        (entry("a", "1", 1), "put before"),
    ];
    for ground in Ground::all() {
        for (bad, why) in &bad {
            let mut load = ground.bulk().begin_load(true).await.unwrap();
            load.put(vec![entry("a", "1", 1)]).await.unwrap();
            assert_refused(load.put(vec![bad.clone()]).await, why);
            load.abandon().await.unwrap();
        }
        ground.make().await;
        assert_eq!(ground.everything().await, (Vec::new(), 0));
    }
}

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
    assert_eq!(store.scan("", None, 10).await.unwrap().len(), 3);
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
