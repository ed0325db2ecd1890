//! A store opened for reading only.

use crowdlink_store::{Commit, ManualClock, ReadOnlySqlite, Store};
use tempfile::tempdir;

use crate::harness::{assert_refused, assert_unavailable, open, put, value};

#[tokio::test]
async fn a_reader_beside_a_server_sees_what_is_committed_and_changes_nothing() {
    let directory = tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    put(&*store, "a", "1").await;
    let reader = ReadOnlySqlite::open(directory.path(), ManualClock::new(1_000)).unwrap();
    assert_eq!(value(&*reader, "a").await.as_deref(), Some("1"));
    put(&*store, "a", "2").await;
    let page = reader.scan("", None, 10).await.unwrap();
    assert_eq!((page.len(), &*page[0].record.value), (1, &b"2"[..]));
    let many = reader.get_many(&["a".into(), "b".into()]).await.unwrap();
    assert!(many[0].is_some() && many[1].is_none());
    let write = Commit::new().put("a", "3", None);
    assert_refused(reader.commit(write).await, "reading only");
    assert_refused(reader.sweep(1).await, "reading only");
    reader.ping().await.unwrap();
    assert_eq!(value(&*store, "a").await.as_deref(), Some("2"));
}

#[test]
fn a_reader_makes_no_store_where_there_is_none() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("nothing");
    let refused = ReadOnlySqlite::open(&path, ManualClock::new(0));
    assert_unavailable(refused, "");
    assert!(!path.exists());
}
