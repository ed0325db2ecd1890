//! What a commit may expect, and what happens when it is not so.

use super::{START_MS, Subject, conflict, text};
use crate::{Commit, Expect};

/// `Absent`, `Version` and `Any` against a key that is absent, live, expired, deleted, and written
/// again after each.
pub async fn every_condition_against_every_state_of_a_key(subject: Subject) {
    let expired = |key| Commit::new().put(key, text("1"), Some(START_MS));
    let delete = |key| Commit::new().delete(key);
    let live = subject.put("live", "1").await;
    let gone = subject.commit(expired("expired")).await;
    let deleted = subject.put("deleted", "1").await;
    subject.commit(delete("deleted")).await;
    let before_expired = subject.commit(expired("after-expired")).await;
    let after_expired = subject.put("after-expired", "2").await;
    let before_deleted = subject.put("after-deleted", "1").await;
    subject.commit(delete("after-deleted")).await;
    let after_deleted = subject.put("after-deleted", "2").await;

    // Key, the version it has, a version it does not have (any more).
    let cases = [
        ("absent", None, live),
        ("live", Some(live), live + 1),
        ("expired", None, gone),
        ("deleted", None, deleted),
        ("after-expired", Some(after_expired), before_expired),
        ("after-deleted", Some(after_deleted), before_deleted),
    ];
    for (key, version, wrong) in cases {
        let mut expectations = vec![
            (Expect::Absent, version.is_none()),
            (Expect::Any, version.is_some()),
            (Expect::Version(wrong), false),
            (Expect::Version(0), false),
            (Expect::Version(u64::MAX), false),
        ];
        expectations.extend(version.map(|version| (Expect::Version(version), true)));
        for (expect, holds) in expectations {
            let witness = format!("witness/{key}/{expect:?}");
            let commit = Commit::new()
                .check(key, expect)
                .put(&witness, text("1"), None);
            let answer = subject.store.commit(commit).await;
            if holds {
                assert!(answer.is_ok(), "{key} {expect:?}: {answer:?}");
            } else {
                assert_eq!(answer, conflict(key), "{key} {expect:?}");
            }
            assert_eq!(subject.get(&witness).await.is_some(), holds, "{witness}");
        }
    }
}

/// Atomicity: puts and deletes beside a failed condition leave no trace.
pub async fn one_failed_condition_writes_nothing(subject: Subject) {
    let kept = subject.put("kept", "1").await;
    let commit = Commit::new()
        .check("kept", Expect::Version(kept))
        .check("missing", Expect::Any)
        .check("absent", Expect::Absent)
        .put("new", text("1"), None)
        .put("kept", text("2"), None)
        .delete("kept");
    assert_eq!(subject.store.commit(commit).await, conflict("missing"));
    assert_eq!(subject.keys("").await, ["kept"]);
    let record = subject.get("kept").await.unwrap();
    assert_eq!((record.version, &record.value[..]), (kept, &b"1"[..]));
}

/// A conflict names the first condition that failed.
pub async fn the_first_failed_condition_is_named(subject: Subject) {
    subject.put("b", "1").await;
    let commit = Commit::new()
        .check("b", Expect::Any)
        .check("z", Expect::Any)
        .check("a", Expect::Any);
    assert_eq!(subject.store.commit(commit).await, conflict("z"));
}

/// Conditions on one key do not replace each other.
pub async fn several_conditions_on_one_key_must_all_hold(subject: Subject) {
    let version = subject.put("k", "1").await;
    let twice = |second| {
        Commit::new()
            .check("k", Expect::Any)
            .check("k", second)
            .put("k", text("2"), None)
    };
    let answer = subject.store.commit(twice(Expect::Version(0))).await;
    assert_eq!(answer, conflict("k"));
    subject.commit(twice(Expect::Version(version))).await;
    assert_eq!(subject.value("k").await.as_deref(), Some("2"));
}

/// A commit that creates a key may expect it to be absent.
pub async fn conditions_see_the_state_before_the_writes_of_their_commit(subject: Subject) {
    let create = || {
        Commit::new()
            .put("k", text("1"), None)
            .check("k", Expect::Absent)
    };
    subject.commit(create()).await;
    assert_eq!(subject.store.commit(create()).await, conflict("k"));
}
