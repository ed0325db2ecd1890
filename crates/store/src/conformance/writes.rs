//! What a commit does.

use super::{START_MS, Subject, conflict, text};
use crate::{Commit, Expect, Record};

/// Read your writes, through every kind of read.
pub async fn a_commit_is_read_back_at_once(subject: Subject) {
    for round in 0..20 {
        let value = round.to_string();
        let version = subject.put("k", &value).await;
        let expected = Record {
            value: text(&value),
            version,
            expires_at_ms: None,
        };
        assert_eq!(subject.get("k").await, Some(expected.clone()));
        let many = subject.store.get_many(&["k".to_owned()]).await.unwrap();
        assert_eq!(many, [Some(expected.clone())]);
        let page = subject.store.scan("", None, 1).await.unwrap();
        assert_eq!(page[0].record, expected);
    }
}

/// Versions are revisions of the whole store.
pub async fn the_revision_grows_with_every_commit_and_is_the_version_of_what_it_put(
    subject: Subject,
) {
    let mut last = 0;
    for round in 0..10 {
        let keys = [format!("a/{round}"), format!("b/{round}")];
        let commit = keys
            .iter()
            .fold(Commit::new(), |commit, key| commit.put(key, "1", None));
        let revision = subject.commit(commit).await;
        assert!(revision > last, "{revision} after {last}");
        for record in subject.store.get_many(&keys).await.unwrap() {
            assert_eq!(record.unwrap().version, revision);
        }
        last = subject.commit(Commit::new().delete(&keys[0])).await;
        assert!(last > revision);
    }
}

/// Whoever remembers the version of a deleted record cannot mistake the new one for it.
pub async fn a_version_is_never_used_again_after_deletion(subject: Subject) {
    let mut seen = Vec::new();
    for _ in 0..10 {
        seen.push(subject.put("k", "1").await);
        subject.commit(Commit::new().delete("k")).await;
        assert_eq!(subject.get("k").await, None);
    }
    seen.push(subject.put("k", "1").await);
    assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
}

/// A conflict is as if nobody had called.
pub async fn a_conflict_leaves_version_and_value_alone(subject: Subject) {
    subject.put("k", "1").await;
    let before = subject.get("k").await;
    let commit = Commit::new()
        .check("k", Expect::Absent)
        .put("k", text("2"), Some(START_MS + 1));
    assert_eq!(subject.store.commit(commit).await, conflict("k"));
    assert_eq!(subject.get("k").await, before);
}

/// Writes apply in order.
pub async fn the_last_write_of_a_key_in_one_commit_wins(subject: Subject) {
    let commit = Commit::new()
        .put("twice", text("1"), Some(START_MS + 1))
        .put("twice", text("2"), None)
        .put("gone", text("1"), None)
        .delete("gone")
        .delete("back")
        .put("back", text("3"), None);
    let version = subject.commit(commit).await;
    let twice = subject.get("twice").await.unwrap();
    assert_eq!((&twice.value[..], twice.version), (&b"2"[..], version));
    assert_eq!(twice.expires_at_ms, None);
    assert_eq!(subject.keys("").await, ["back", "twice"]);
}

/// A delete needs no record.
pub async fn deleting_what_is_not_there_is_fine(subject: Subject) {
    let commit = Commit::new().delete("missing").put("k", text("1"), None);
    subject.commit(commit).await;
    assert_eq!(subject.keys("").await, ["k"]);
}

/// Empty commits, and commits of conditions alone, are answered like any other.
pub async fn an_empty_commit_succeeds_and_has_its_own_revision(subject: Subject) {
    let first = subject.commit(Commit::new()).await;
    let put = subject.put("k", "1").await;
    let only_checks = Commit::new().check("k", Expect::Version(put));
    let second = subject.commit(only_checks).await;
    assert!(first < put && put < second, "{first} {put} {second}");
    assert_eq!(subject.get("k").await.unwrap().version, put);
}

/// Nothing of the old record stays.
pub async fn a_rewrite_replaces_value_and_expiry(subject: Subject) {
    let expiries = [None, Some(START_MS + 5), Some(START_MS + 9), None];
    for (round, expires_at_ms) in expiries.into_iter().enumerate() {
        let value = text(&"x".repeat(10 - round));
        let put = Commit::new().put("k", value.clone(), expires_at_ms);
        let version = subject.commit(put).await;
        let expected = Record {
            value,
            version,
            expires_at_ms,
        };
        assert_eq!(subject.get("k").await, Some(expected));
    }
}

/// A ping tells that reads and writes work, and changes no record.
pub async fn the_engine_answers_a_ping(subject: Subject) {
    let version = subject.put("k", "1").await;
    subject.store.ping().await.unwrap();
    assert_eq!(subject.get("k").await.unwrap().version, version);
    assert_eq!(subject.keys("").await, ["k"]);
}
