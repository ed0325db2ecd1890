//! What holds for everything out of an engine and into one, on every engine.

use crowdlink_store::{Commit, Entry, KEY_BYTES_MAX, Record, VALUE_BYTES_MAX};

use crate::grounds::{Ground, entry};
use crate::harness::{assert_refused, put};

/// A test of each rule on each engine that needs no server.
#[macro_export]
macro_rules! for_each_bulk_rule {
    ($what:ident) => {
        $what! {
            a_snapshot_has_every_record_in_order_and_asks_no_clock
            a_snapshot_is_one_moment_while_commits_go_on
            a_load_keeps_versions_and_the_next_commit_is_above_all
            a_store_that_holds_records_is_replaced_only_when_told_to_and_at_the_end
            a_load_that_is_abandoned_or_dropped_leaves_the_store_as_it_was
            a_load_takes_nothing_that_a_commit_would_not
        }
    };
}

pub(crate) fn three() -> Vec<Entry> {
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

/// Expired records too, in byte order of the keys.
pub(crate) async fn a_snapshot_has_every_record_in_order_and_asks_no_clock(ground: &Ground) {
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

/// Also of what was not read yet when they came.
pub(crate) async fn a_snapshot_is_one_moment_while_commits_go_on(ground: &Ground) {
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

/// And what has expired is swept as ever.
pub(crate) async fn a_load_keeps_versions_and_the_next_commit_is_above_all(ground: &Ground) {
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

/// Until the end everybody sees the old records.
pub(crate) async fn a_store_that_holds_records_is_replaced_only_when_told_to_and_at_the_end(
    ground: &Ground,
) {
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

/// Both ways, on a store that is there.
pub(crate) async fn a_load_that_is_abandoned_or_dropped_leaves_the_store_as_it_was(
    ground: &Ground,
) {
    ground.make().await;
    // A connection that is dropped cannot take the mark away.
    let ways: &[bool] = match ground {
        Ground::Postgres(_) => &[false],
        Ground::Memory(_) | Ground::Sqlite(_) => &[false, true],
    };
    for dropped in ways {
        let mut load = ground.bulk().begin_load(true).await.unwrap();
        load.put(three()).await.unwrap();
        if *dropped {
            drop(load);
        } else {
            load.abandon().await.unwrap();
        }
        assert_eq!(ground.everything().await, (Vec::new(), 0));
        ground.make().await;
    }
}

/// And what was put before it is taken back.
pub(crate) async fn a_load_takes_nothing_that_a_commit_would_not(ground: &Ground) {
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
    for (bad, why) in &bad {
        let mut load = ground.bulk().begin_load(true).await.unwrap();
        load.put(vec![entry("a", "1", 1)]).await.unwrap();
        assert_refused(load.put(vec![bad.clone()]).await, why);
        load.abandon().await.unwrap();
    }
    ground.make().await;
    assert_eq!(ground.everything().await, (Vec::new(), 0));
}
