//! What is particular to the embedded engine.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use crowdlink_store::{Commit, Expect, SqliteOptions, SqliteStore, Store, StoreError};
use rusqlite::Connection;
use tempfile::tempdir;

use crate::harness::{assert_refused, assert_unavailable, open, open_with, put, value};

fn database(directory: &Path) -> std::path::PathBuf {
    directory.join("crowdlink.db")
}

fn log_bytes(directory: &Path) -> u64 {
    fs::metadata(directory.join("crowdlink.db-wal")).map_or(0, |log| log.len())
}

#[tokio::test]
async fn a_closed_store_is_one_file_and_opens_again() {
    let directory = tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let version = put(store.as_ref(), "k", "1").await;
    store.close().await;
    let names: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["crowdlink.db"]);
    assert_unavailable(store.get("k").await, "stopped");
    assert_unavailable(store.commit(Commit::new()).await, "stopped");
    assert_unavailable(store.ping().await, "stopped");

    let store = open(directory.path()).unwrap();
    assert_eq!(store.get("k").await.unwrap().unwrap().version, version);
    assert!(put(store.as_ref(), "k", "2").await > version);
}

#[tokio::test]
async fn a_store_dropped_without_close_lost_nothing() {
    let directory = tempdir().unwrap();
    for round in 0..5 {
        let store = open(directory.path()).unwrap();
        put(store.as_ref(), &format!("k/{round}"), "1").await;
        let page = store.scan("k/", None, 10).await.unwrap();
        assert_eq!(page.len(), round + 1);
    }
}

#[tokio::test]
async fn commits_that_wait_at_close_are_done() {
    let directory = tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let mut waiting: Vec<_> = (0..100)
        .map(|n| Box::pin(store.commit(Commit::new().put(format!("k/{n}"), "1", None))))
        .collect();
    for commit in &mut waiting {
        let _ = futures::poll!(commit.as_mut());
    }
    let close = store.close();
    let (answers, ()) = futures::join!(futures::future::join_all(waiting), close);
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let store = open(directory.path()).unwrap();
    assert_eq!(store.scan("k/", None, 1_000).await.unwrap().len(), 100);
}

#[tokio::test]
async fn the_settings_in_force_survive_power_loss() {
    let directory = tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let durability = store.durability().await.unwrap();
    assert_eq!(durability.journal_mode, "wal");
    assert_eq!(durability.synchronous, 2);
    assert_eq!(durability.wal_autocheckpoint, 0);
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempdir().unwrap();
    let directory = parent.path().join("a/b");
    let store = open(&directory).unwrap();
    put(store.as_ref(), "k", "1").await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    let mut files = 0;
    for entry in fs::read_dir(&directory).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
        files += 1;
    }
    assert_eq!(files, 3, "database, log and index of the log");
}

#[tokio::test]
async fn a_path_may_name_the_file() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("sub/other.db");
    let store = open(&path).unwrap();
    assert_eq!(store.path(), path);
    put(store.as_ref(), "k", "1").await;
    assert!(path.is_file());
}

#[tokio::test]
async fn an_operator_can_query_values_as_json() {
    let directory = tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let version = put(store.as_ref(), "a/b", r#"{"votes":[1,2]}"#).await;
    let shell = Connection::open(database(directory.path())).unwrap();
    let found: (i64, u32, Option<i64>) = shell
        .query_row(
            "SELECT value ->> '$.votes[1]', version, expires_at_ms FROM records \
             WHERE key = 'a/b' AND typeof(value) = 'text'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .unwrap();
    assert_eq!(found, (2, u32::try_from(version).unwrap(), None));
}

#[tokio::test]
async fn files_of_others_are_refused_and_left_alone() {
    let directory = tempdir().unwrap();
    let path = database(directory.path());
    fs::write(
        &path,
        "once upon a time there was no database at all".repeat(50),
    )
    .unwrap();
    let before = fs::read(&path).unwrap();
    assert_refused(open(directory.path()), "not a database");
    assert!(fs::read(&path).unwrap() == before);

    fs::remove_file(&path).unwrap();
    let other = Connection::open(&path).unwrap();
    other
        .execute_batch("CREATE TABLE records (a); CREATE TABLE meta (b)")
        .unwrap();
    drop(other);
    let before = fs::read(&path).unwrap();
    assert_refused(open(directory.path()), "not a Crowdlink store");
    assert!(fs::read(&path).unwrap() == before);
}

#[tokio::test]
async fn a_newer_schema_is_refused_politely() {
    let directory = tempdir().unwrap();
    open(directory.path()).unwrap().close().await;
    let shell = Connection::open(database(directory.path())).unwrap();
    shell
        .execute("UPDATE meta SET value = 2 WHERE name = 'schema'", [])
        .unwrap();
    drop(shell);
    assert_refused(open(directory.path()), "newer Crowdlink (schema 2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_may_open_a_new_store_at_the_same_moment() {
    for _ in 0..20 {
        let directory = tempdir().unwrap();
        let path = directory.path().to_owned();
        let opening = (0..4).map(|_| {
            let path = path.clone();
            tokio::task::spawn_blocking(move || open(&path))
        });
        let opened = futures::future::join_all(opening).await;
        for (n, store) in opened.into_iter().enumerate() {
            let store = store.unwrap().unwrap();
            let revision = put(store.as_ref(), "k", "1").await;
            assert_eq!(revision, u64::try_from(n).unwrap() + 1);
        }
    }
}

async fn increment(store: Arc<SqliteStore>, times: usize) -> Vec<u64> {
    let mut revisions = Vec::new();
    while revisions.len() < times {
        let found = store.get("n").await.unwrap();
        let (count, expect) = found.map_or((0, Expect::Absent), |record| {
            let text = std::str::from_utf8(&record.value).unwrap();
            (
                text.parse::<usize>().unwrap(),
                Expect::Version(record.version),
            )
        });
        let next = (count + 1).to_string();
        match store
            .commit(Commit::new().check("n", expect).put("n", next, None))
            .await
        {
            Ok(revision) => revisions.push(revision),
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    revisions
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_stores_on_one_file_lose_no_increment_and_share_no_revision() {
    let directory = tempdir().unwrap();
    let one = open(directory.path()).unwrap();
    let two = open(directory.path()).unwrap();
    let tasks = [&one, &two, &one, &two].map(|store| tokio::spawn(increment(store.clone(), 50)));
    let mut revisions: Vec<_> = futures::future::join_all(tasks)
        .await
        .into_iter()
        .flat_map(Result::unwrap)
        .collect();
    revisions.sort_unstable();
    revisions.dedup();
    assert_eq!(revisions.len(), 200);
    assert_eq!(value(one.as_ref(), "n").await.as_deref(), Some("200"));
    assert_eq!(value(two.as_ref(), "n").await.as_deref(), Some("200"));
}

#[tokio::test]
async fn a_writer_elsewhere_is_waited_for_and_not_for_ever() {
    let directory = tempdir().unwrap();
    let options = SqliteOptions {
        busy_timeout_ms: 20,
        ..SqliteOptions::default()
    };
    let store = open_with(directory.path(), options).unwrap();
    put(store.as_ref(), "k", "1").await;
    let elsewhere = Connection::open(database(directory.path())).unwrap();
    elsewhere.execute_batch("BEGIN IMMEDIATE").unwrap();
    let commit = Commit::new().put("k", "2", None);
    assert_unavailable(store.commit(commit).await, "locked");
    assert_eq!(value(store.as_ref(), "k").await.as_deref(), Some("1"));
    elsewhere.execute_batch("ROLLBACK").unwrap();
    put(store.as_ref(), "k", "3").await;
}

#[tokio::test]
async fn a_full_disk_leaves_the_store_whole_and_space_brings_it_back() {
    let directory = tempdir().unwrap();
    let options = SqliteOptions {
        database_pages_max: Some(100),
        ..SqliteOptions::default()
    };
    let store = open_with(directory.path(), options).unwrap();
    let large = "x".repeat(20_000);
    let mut written = 0;
    let full = loop {
        let commit = Commit::new()
            .put(format!("a/{written:03}"), large.clone(), None)
            .put(format!("b/{written:03}"), large.clone(), None);
        match store.commit(commit).await {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 100, "never full");
    };
    assert!(matches!(full, StoreError::Unavailable(_)), "{full}");
    assert!(written > 0);
    for prefix in ["a/", "b/"] {
        let page = store.scan(prefix, None, 1_000).await.unwrap();
        assert_eq!(page.len(), written, "half a commit under {prefix}");
    }
    let freed = Commit::new().delete("a/000").delete("b/000");
    store.commit(freed).await.unwrap();
    let commit = Commit::new().put("c", large.clone(), None);
    store.commit(commit).await.unwrap();
    store.close().await;

    let store = open(directory.path()).unwrap();
    put(store.as_ref(), "d", &large.repeat(10)).await;
    assert_eq!(value(store.as_ref(), "c").await, Some(large));
}

#[tokio::test]
async fn the_log_is_cut_while_commits_go_on() {
    let directory = tempdir().unwrap();
    let options = SqliteOptions {
        checkpoint_pages: 20,
        truncate_pages: 40,
        ..SqliteOptions::default()
    };
    let store = open_with(directory.path(), options).unwrap();
    let large = "x".repeat(30_000);
    let (mut longest, mut was_cut) = (0, false);
    for round in 0..5_000 {
        put(store.as_ref(), &format!("k/{}", round % 50), &large).await;
        let bytes = log_bytes(directory.path());
        was_cut |= bytes < longest;
        longest = longest.max(bytes);
        if was_cut {
            break;
        }
    }
    assert!(was_cut, "the log only grew, to {longest} bytes");
}

#[tokio::test]
async fn the_log_is_written_over_while_commits_go_on() {
    let directory = tempdir().unwrap();
    let options = SqliteOptions {
        checkpoint_pages: 20,
        restart_pages: 40,
        ..SqliteOptions::default()
    };
    let store = open_with(directory.path(), options).unwrap();
    let large = "x".repeat(30_000);
    let (mut longest, mut written) = (0, 0);
    for round in 0..500 {
        put(store.as_ref(), &format!("k/{}", round % 50), &large).await;
        written += large.len() as u64;
        let bytes = log_bytes(directory.path());
        assert!(bytes >= longest, "cut from {longest} to {bytes} bytes");
        longest = bytes;
    }
    assert!(longest < written / 2, "{longest} bytes for {written}");
    store.close().await;
    let store = open(directory.path()).unwrap();
    for n in 0..50 {
        let found = value(store.as_ref(), &format!("k/{n}")).await;
        assert_eq!(found.as_ref(), Some(&large));
    }
}

#[tokio::test]
async fn checkpoints_come_by_themselves_when_commits_have_ceased() {
    let directory = tempdir().unwrap();
    let options = SqliteOptions {
        checkpoint_interval_ms: 1,
        truncate_pages: 0,
        ..SqliteOptions::default()
    };
    let store = open_with(directory.path(), options).unwrap();
    put(store.as_ref(), "k", "1").await;
    while log_bytes(directory.path()) > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(value(store.as_ref(), "k").await.as_deref(), Some("1"));
}
