//! Copies of a running store, and stores made from copies.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crowdlink_store::{Commit, SqliteStore, Store};
use tempfile::tempdir;

use crate::harness::{assert_refused, assert_unavailable, open, put, value};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_beside_writers_is_one_moment_of_the_store() {
    let directory = tempdir().unwrap();
    let store = open(&directory.path().join("live")).unwrap();
    // Large enough for several steps of copying.
    for n in 0..3 {
        put(store.as_ref(), &format!("fill/{n}"), &"x".repeat(4_000_000)).await;
    }
    let (stop, rounds) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let writing = tokio::spawn({
        let (store, stop, rounds) = (store.clone(), stop.clone(), rounds.clone());
        async move {
            while !stop.load(Ordering::SeqCst) {
                let round = rounds.load(Ordering::SeqCst).to_string();
                let commit = Commit::new()
                    .put("a", round.clone(), None)
                    .put("z", round, None);
                store.commit(commit).await.unwrap();
                rounds.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    while rounds.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let before = rounds.load(Ordering::SeqCst);
    let copy = directory.path().join("copy.db");
    store.backup_to(&copy).await.unwrap();
    let after = rounds.load(Ordering::SeqCst);
    stop.store(true, Ordering::SeqCst);
    writing.await.unwrap();
    assert!(after > before, "writers stood still");

    let names: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
    let restored = directory.path().join("restored");
    SqliteStore::restore(&copy, &restored, false).unwrap();
    let restored = open(&restored).unwrap();
    let moment = value(restored.as_ref(), "a").await.unwrap();
    assert_eq!(value(restored.as_ref(), "z").await.unwrap(), moment);
    let moment: usize = moment.parse().unwrap();
    assert!(
        (before - 1..=after).contains(&moment),
        "{before} {moment} {after}"
    );
    assert_eq!(restored.scan("fill/", None, 10).await.unwrap().len(), 3);
}

#[cfg(unix)]
#[tokio::test]
async fn a_backup_is_for_its_owner_and_overwrites_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempdir().unwrap();
    let store = open(&directory.path().join("live")).unwrap();
    put(store.as_ref(), "k", "1").await;
    let copy = directory.path().join("copy.db");
    store.backup_to(&copy).await.unwrap();
    let mode = fs::metadata(&copy).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let before = fs::read(&copy).unwrap();
    put(store.as_ref(), "k", "2").await;
    assert_refused(store.backup_to(&copy).await, "exists already");
    assert!(fs::read(&copy).unwrap() == before);
}

#[tokio::test]
async fn a_backup_that_cannot_be_written_leaves_no_file() {
    let directory = tempdir().unwrap();
    let store = open(&directory.path().join("live")).unwrap();
    let nowhere = directory.path().join("missing/copy.db");
    assert_unavailable(store.backup_to(&nowhere).await, "copy.db");
    assert!(!nowhere.exists());
}

#[tokio::test]
async fn versions_after_a_restore_are_greater_than_any_given_away_before() {
    let directory = tempdir().unwrap();
    let live = directory.path().join("live");
    let store = open(&live).unwrap();
    let kept = put(store.as_ref(), "k", "1").await;
    let copy = directory.path().join("copy.db");
    store.backup_to(&copy).await.unwrap();
    let mut last = kept;
    for _ in 0..10 {
        last = put(store.as_ref(), "k", "2").await;
    }
    store.close().await;
    SqliteStore::restore(&copy, &live, true).unwrap();
    let store = open(&live).unwrap();
    assert_eq!(store.get("k").await.unwrap().unwrap().version, kept);
    assert!(put(store.as_ref(), "k", "3").await > last);
}

#[tokio::test]
async fn a_restore_replaces_only_when_told_to_and_never_under_a_running_server() {
    let directory = tempdir().unwrap();
    let (one, two) = (directory.path().join("one"), directory.path().join("two"));
    let copy = directory.path().join("copy.db");
    let source = open(&one).unwrap();
    put(source.as_ref(), "k", "one").await;
    source.backup_to(&copy).await.unwrap();
    let target = open(&two).unwrap();
    put(target.as_ref(), "k", "two").await;

    assert_refused(SqliteStore::restore(&copy, &two, false), "exists already");
    assert_refused(SqliteStore::restore(&copy, &two, true), "in use");
    assert_eq!(value(target.as_ref(), "k").await.as_deref(), Some("two"));
    put(target.as_ref(), "k", "still two").await;
    target.close().await;
    assert_refused(SqliteStore::restore(&copy, &two, false), "exists already");

    SqliteStore::restore(&copy, &two, true).unwrap();
    let target = open(&two).unwrap();
    assert_eq!(value(target.as_ref(), "k").await.as_deref(), Some("one"));
}

#[tokio::test]
async fn a_leftover_log_is_not_applied_to_the_restored_store() {
    let directory = tempdir().unwrap();
    let (live, crashed) = (
        directory.path().join("live"),
        directory.path().join("crashed"),
    );
    let copy = directory.path().join("copy.db");
    let store = open(&live).unwrap();
    put(store.as_ref(), "k", "old").await;
    store.backup_to(&copy).await.unwrap();
    put(store.as_ref(), "k", "new").await;
    // As a crash leaves them: the log holds what the database does not.
    fs::create_dir(&crashed).unwrap();
    for name in ["crowdlink.db", "crowdlink.db-wal"] {
        fs::copy(live.join(name), crashed.join(name)).unwrap();
    }
    SqliteStore::restore(&copy, &crashed, true).unwrap();
    let restored = open(&crashed).unwrap();
    assert_eq!(value(restored.as_ref(), "k").await.as_deref(), Some("old"));
}

#[tokio::test]
async fn a_damaged_store_can_be_replaced_and_a_damaged_backup_is_refused() {
    let directory = tempdir().unwrap();
    let live = directory.path().join("live");
    let copy = directory.path().join("copy.db");
    let store = open(&live).unwrap();
    for n in 0..200 {
        put(store.as_ref(), &format!("k/{n}"), &"x".repeat(500)).await;
    }
    store.backup_to(&copy).await.unwrap();
    store.close().await;
    let database = live.join("crowdlink.db");
    fs::write(&database, "no database").unwrap();
    assert_refused(open(&live), "not a database");
    assert_refused(
        SqliteStore::restore(&database, &live, true),
        "not a database",
    );
    SqliteStore::restore(&copy, &live, true).unwrap();
    assert_eq!(
        open(&live)
            .unwrap()
            .scan("k/", None, 500)
            .await
            .unwrap()
            .len(),
        200
    );

    let mut bytes = fs::read(&copy).unwrap();
    let middle = bytes.len() / 2 / 4_096 * 4_096;
    bytes[middle..middle + 4_096].fill(0x5a);
    let damaged = directory.path().join("damaged.db");
    fs::write(&damaged, bytes).unwrap();
    let fresh = directory.path().join("fresh");
    assert!(SqliteStore::restore(&damaged, &fresh, false).is_err());
    assert!(!fresh.join("crowdlink.db").exists());
}

#[tokio::test]
async fn a_restore_from_what_is_not_ours_is_refused() {
    let directory = tempdir().unwrap();
    let fresh = directory.path().join("fresh");
    let other = directory.path().join("other.db");
    let shell = rusqlite::Connection::open(&other).unwrap();
    shell.execute_batch("CREATE TABLE records (a)").unwrap();
    drop(shell);
    assert_refused(
        SqliteStore::restore(&other, &fresh, false),
        "not a Crowdlink store",
    );
    let empty = directory.path().join("empty.db");
    fs::write(&empty, "").unwrap();
    assert_refused(SqliteStore::restore(&empty, &fresh, false), "empty");
    let missing = directory.path().join("missing.db");
    assert!(SqliteStore::restore(&missing, &fresh, false).is_err());
    assert!(!fresh.exists());
}
