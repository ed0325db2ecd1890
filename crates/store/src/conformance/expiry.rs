//! Records that end, and their removal.

use super::{START_MS, Subject, text};
use crate::{Commit, Expect};

async fn put_until(subject: &Subject, key: &str, expires_at_ms: i64) -> u64 {
    let put = Commit::new().put(key, text("1"), Some(expires_at_ms));
    subject.commit(put).await
}

async fn is_seen(subject: &Subject, key: &str) -> bool {
    let get = subject.get(key).await.is_some();
    let many = subject.store.get_many(&[key.to_owned()]).await.unwrap();
    let scan = subject.keys(key).await.len() == 1;
    let any = Commit::new().check(key, Expect::Any);
    let any = subject.store.commit(any).await.is_ok();
    let absent = Commit::new().check(key, Expect::Absent);
    let absent = subject.store.commit(absent).await.is_ok();
    let views = [get, many[0].is_some(), scan, any, !absent];
    assert!(
        views.iter().all(|view| *view == get),
        "views of {key} differ: {views:?}"
    );
    get
}

/// Visible at t-1, gone at t, for every kind of read and condition.
pub async fn a_record_ends_at_its_very_millisecond(subject: Subject) {
    let version = put_until(&subject, "k", START_MS + 10).await;
    assert!(is_seen(&subject, "k").await);
    subject.clock.advance_ms(9);
    assert!(is_seen(&subject, "k").await);
    let record = subject.get("k").await.unwrap();
    assert_eq!(record.expires_at_ms, Some(START_MS + 10));
    subject.clock.advance_ms(1);
    assert!(!is_seen(&subject, "k").await);
    let stale = Commit::new().check("k", Expect::Version(version));
    assert!(subject.store.commit(stale).await.is_err());
}

/// Times in the past, at the edges of what a number holds, and never.
pub async fn a_record_born_expired_is_never_seen(subject: Subject) {
    for past in [START_MS, START_MS - 1, 0, -1, i64::MIN] {
        put_until(&subject, "k", past).await;
        assert!(!is_seen(&subject, "k").await, "{past}");
    }
    for future in [START_MS + 1, i64::MAX] {
        put_until(&subject, "k", future).await;
        assert!(is_seen(&subject, "k").await, "{future}");
    }
}

/// `Expect::Absent` creates over an expired record, with a new version.
pub async fn an_expired_record_gives_its_key_free(subject: Subject) {
    let old = put_until(&subject, "k", START_MS + 1).await;
    let create = |value| {
        Commit::new()
            .check("k", Expect::Absent)
            .put("k", text(value), None)
    };
    assert!(subject.store.commit(create("2")).await.is_err());
    subject.clock.advance_ms(1);
    let new = subject.commit(create("3")).await;
    assert!(new > old);
    assert_eq!(subject.value("k").await.as_deref(), Some("3"));
}

/// A page is full of live records, however many dead ones lie between.
pub async fn expired_records_do_not_count_for_a_page(subject: Subject) {
    let commit = (0..300).fold(Commit::new(), |commit, n| {
        let expires_at_ms = (n % 3 != 0).then_some(START_MS + 1);
        commit.put(format!("k/{n:03}"), "1", expires_at_ms)
    });
    subject.commit(commit).await;
    assert_eq!(
        subject.page("k/", None, 3).await,
        ["k/000", "k/001", "k/002"]
    );
    subject.clock.advance_ms(1);
    assert_eq!(
        subject.page("k/", None, 3).await,
        ["k/000", "k/003", "k/006"]
    );
    assert_eq!(subject.keys("k/").await.len(), 100);
}

/// A record written again without an expiry stays.
pub async fn a_rewrite_takes_the_expiry_away(subject: Subject) {
    put_until(&subject, "k", START_MS + 1).await;
    subject.put("k", "2").await;
    subject.clock.advance_ms(1_000);
    assert!(is_seen(&subject, "k").await);
    assert_eq!(subject.store.sweep(10).await, Ok(0));
    assert!(is_seen(&subject, "k").await);
}

/// What is live stays with its version; what is expired was gone before.
pub async fn a_sweep_changes_nothing_a_reader_sees(subject: Subject) {
    for n in 0..10 {
        put_until(&subject, &format!("k/{n}"), START_MS + n).await;
    }
    subject.put("k/forever", "1").await;
    subject.clock.advance_ms(5);
    let before = subject.store.scan("", None, 100).await.unwrap();
    assert_eq!(before.len(), 5);
    assert_eq!(subject.store.sweep(100).await, Ok(6));
    assert_eq!(subject.store.scan("", None, 100).await.unwrap(), before);
    subject.clock.set_wall_ms(START_MS);
    // The swept records are really gone, not merely hidden.
    assert_eq!(subject.store.scan("", None, 100).await.unwrap(), before);
}

/// At most `limit` each time, then none.
pub async fn a_sweep_is_bounded_and_ends(subject: Subject) {
    for n in 0..5 {
        put_until(&subject, &format!("k/{n}"), START_MS).await;
    }
    let mut swept = Vec::new();
    for limit in [0, 2, 2, 2, 2] {
        swept.push(subject.store.sweep(limit).await.unwrap());
    }
    assert_eq!(swept, [0, 2, 2, 1, 0]);
}

/// A key that expired and was written again belongs to its new record.
pub async fn a_sweep_spares_a_rewritten_key(subject: Subject) {
    put_until(&subject, "k", START_MS + 1).await;
    put_until(&subject, "m", START_MS + 1).await;
    subject.clock.advance_ms(1);
    let version = put_until(&subject, "k", START_MS + 100).await;
    assert_eq!(subject.store.sweep(10).await, Ok(1));
    assert_eq!(subject.get("k").await.unwrap().version, version);
}
