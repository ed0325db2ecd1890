//! The bounds of the contract, from both sides.

use bytes::Bytes;

use super::{Subject, assert_refused, text};
use crate::{
    BATCH_ITEMS_MAX, COMMIT_BYTES_MAX, Commit, Expect, KEY_BYTES_MAX, READ_BYTES_MAX,
    VALUE_BYTES_MAX,
};

/// Refused, and the innocent put beside the guilty item did not happen.
async fn assert_commit_refused(subject: &Subject, guilty: Commit) {
    let answer = subject.store.commit(guilty.put("beside", "1", None)).await;
    assert_refused(answer);
    assert_eq!(subject.get("beside").await, None);
}

/// Empty and overlong keys, wherever a key may stand.
pub async fn a_key_has_one_byte_to_its_maximum(subject: Subject) {
    let longest = "k".repeat(KEY_BYTES_MAX);
    subject.put(&longest, "1").await;
    subject.put("k", "2").await;
    assert_eq!(subject.value(&longest).await.as_deref(), Some("1"));
    assert_eq!(subject.keys(&longest).await, [longest.as_str()]);
    let none = subject.page("", Some(&longest), 1).await;
    assert_eq!(none, Vec::<String>::new());

    let over = "k".repeat(KEY_BYTES_MAX + 1);
    // Counted in bytes, not characters.
    let wide = "\u{e9}".repeat(KEY_BYTES_MAX / 2 + 1);
    for bad in ["", &over, &wide] {
        assert_refused(subject.store.get(bad).await);
        assert_refused(subject.store.get_many(&["k".into(), bad.into()]).await);
        assert_commit_refused(&subject, Commit::new().put(bad, "1", None)).await;
        assert_commit_refused(&subject, Commit::new().delete(bad)).await;
        assert_commit_refused(&subject, Commit::new().check(bad, Expect::Absent)).await;
    }
    assert_refused(subject.store.scan(&over, None, 1).await);
    assert_refused(subject.store.scan("", Some(&over), 1).await);
}

/// One engine or another could not hold it.
pub async fn a_nul_character_is_refused_everywhere(subject: Subject) {
    let bad = "a\0b";
    assert_refused(subject.store.get(bad).await);
    assert_refused(subject.store.scan(bad, None, 1).await);
    assert_refused(subject.store.scan("", Some(bad), 1).await);
    assert_commit_refused(&subject, Commit::new().put(bad, "1", None)).await;
    assert_commit_refused(&subject, Commit::new().put("k", bad, None)).await;
}

/// The largest value works, one byte more does not.
pub async fn a_value_has_at_most_its_maximum(subject: Subject) {
    let largest = Bytes::from(vec![b'1'; VALUE_BYTES_MAX]);
    subject
        .commit(Commit::new().put("k", largest.clone(), None))
        .await;
    assert!(subject.get("k").await.unwrap().value == largest);
    let over = vec![b'1'; VALUE_BYTES_MAX + 1];
    assert_commit_refused(&subject, Commit::new().put("m", over, None)).await;
}

/// Values are text.
pub async fn a_value_must_be_utf8(subject: Subject) {
    for bad in [&b"\xff"[..], b"\"\xc3\"", b"\xed\xa0\x80"] {
        assert_commit_refused(&subject, Commit::new().put("k", bad, None)).await;
    }
    assert_eq!(subject.get("k").await, None);
}

/// Keys of a read, conditions and writes of a commit.
pub async fn a_batch_has_at_most_its_maximum(subject: Subject) {
    let most: Vec<_> = (0..BATCH_ITEMS_MAX).map(|n| format!("k/{n}")).collect();
    let commit = most.iter().fold(Commit::new(), |commit, key| {
        commit.check(key, Expect::Absent).put(key, "1", None)
    });
    subject.commit(commit.clone()).await;
    let answer = subject.store.get_many(&most).await.unwrap();
    assert!(answer.iter().all(Option::is_some));

    let mut over = most;
    over.push("one-more".into());
    assert_refused(subject.store.get_many(&over).await);
    let checks = over
        .iter()
        .fold(Commit::new(), |commit, key| commit.check(key, Expect::Any));
    assert_commit_refused(&subject, checks).await;
    let writes = over.iter().fold(Commit::new(), Commit::delete);
    assert_commit_refused(&subject, writes).await;
    assert_eq!(subject.keys("k/").await.len(), BATCH_ITEMS_MAX);
}

fn values(count: usize) -> Commit {
    let value = Bytes::from(vec![b'1'; VALUE_BYTES_MAX]);
    (0..count).fold(Commit::new(), |commit, n| {
        commit.put(format!("k/{n}"), value.clone(), None)
    })
}

/// Keys and values together.
pub async fn a_commit_has_at_most_its_maximum_of_bytes(subject: Subject) {
    let over = values(COMMIT_BYTES_MAX / VALUE_BYTES_MAX);
    assert_commit_refused(&subject, over).await;
    let most = values(COMMIT_BYTES_MAX / VALUE_BYTES_MAX - 1);
    subject.commit(most).await;
}

/// Refused, not cut: a caller that pages may trust a short page to be the last.
pub async fn an_answer_has_at_most_its_maximum_of_bytes(subject: Subject) {
    let most = READ_BYTES_MAX / VALUE_BYTES_MAX;
    subject.commit(values(most - 1)).await;
    let last = Bytes::from(vec![b'1'; VALUE_BYTES_MAX]);
    subject
        .commit(Commit::new().put("k/last", last, None))
        .await;
    let mut keys = subject.keys("k/").await;
    assert_eq!(keys.len(), most);
    assert_eq!(subject.store.get_many(&keys).await.unwrap().len(), most);

    subject
        .commit(Commit::new().put("k/more", text("1"), None))
        .await;
    keys.push("k/more".into());
    assert_refused(subject.store.get_many(&keys).await);
    assert_refused(subject.store.scan("k/", None, 100).await);
    assert_eq!(subject.page("k/", None, most).await.len(), most);
}
