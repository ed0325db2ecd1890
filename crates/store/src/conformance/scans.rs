//! Ordered pages over a prefix.

use super::{Subject, text};
use crate::{Commit, SCAN_PAGE_RECORDS_MAX};

async fn fill<K: Into<String>>(subject: &Subject, keys: impl IntoIterator<Item = K>) {
    let commit = keys
        .into_iter()
        .fold(Commit::new(), |commit, key| commit.put(key, "1", None));
    subject.commit(commit).await;
}

/// Byte order of UTF-8, whatever the order of writing.
pub async fn a_scan_is_in_byte_order(subject: Subject) {
    let mut keys = vec![
        "b",
        "a",
        "B",
        "a/b",
        "a-b",
        "a0",
        "\u{e9}",
        "z",
        "\u{ffff}",
        "\u{10000}",
        "\u{10FFFF}",
        "10",
        "9",
        "~",
        " ",
        "a/\u{7f}",
        "a/\u{80}",
    ];
    fill(&subject, keys.iter().copied()).await;
    keys.sort_unstable();
    assert_eq!(subject.keys("").await, keys);
}

/// Neighbours of a prefix on either side stay out, also where its last character has no successor.
pub async fn a_scan_holds_exactly_the_prefix(subject: Subject) {
    let keys = [
        "a",
        "a.",
        "a/",
        "a/b",
        "a/b/c",
        "a/\u{d7ff}",
        "a/\u{d7ff}x",
        "a/\u{e000}",
        "a/\u{10FFFF}",
        "a/\u{10FFFF}\u{10FFFF}",
        "a/\u{10FFFF}\u{10FFFF}z",
        "a0",
        "b",
        "\u{10FFFF}",
        "\u{10FFFF}\u{10FFFF}",
    ];
    fill(&subject, keys).await;
    let prefixes = keys.into_iter().chain(["", "a/b/", "c", "a/\u{10FFFF}z"]);
    for prefix in prefixes {
        let mut expected: Vec<_> = keys
            .iter()
            .copied()
            .filter(|key| key.starts_with(prefix))
            .collect();
        expected.sort_unstable();
        assert_eq!(subject.keys(prefix).await, expected, "{prefix:?}");
    }
}

/// A prefix is no pattern.
pub async fn pattern_characters_in_a_prefix_mean_themselves(subject: Subject) {
    fill(
        &subject,
        ["%", "%x", "_", "_x", "*x", "?x", "[x", "x", "\\x"],
    )
    .await;
    assert_eq!(subject.keys("%").await, ["%", "%x"]);
    assert_eq!(subject.keys("_").await, ["_", "_x"]);
    assert_eq!(subject.keys("*").await, ["*x"]);
    assert_eq!(subject.keys("?").await, ["?x"]);
    assert_eq!(subject.keys("[").await, ["[x"]);
    assert_eq!(subject.keys("\\").await, ["\\x"]);
    assert_eq!(subject.keys("X").await, Vec::<String>::new());
}

/// The last key of a page is the starting point of the next.
pub async fn pages_follow_each_other_without_loss_or_repetition(subject: Subject) {
    let keys: Vec<_> = (0..100).map(|n| format!("p/{n:03}")).collect();
    fill(&subject, keys.clone()).await;
    fill(&subject, ["o", "p", "p0", "q"]).await;
    for limit in [1, 7, 50, 99, 100, 101] {
        let mut seen: Vec<String> = Vec::new();
        loop {
            let page = subject
                .page("p/", seen.last().map(String::as_str), limit)
                .await;
            let last = page.len() < limit;
            seen.extend(page);
            if last {
                break;
            }
        }
        assert_eq!(seen, keys, "pages of {limit}");
    }
}

/// `after` need not exist, nor lie within the prefix.
pub async fn the_starting_point_may_be_anywhere(subject: Subject) {
    fill(&subject, ["a/1", "a/2", "a/2x", "a/3", "b/1"]).await;
    let cases: [(&str, &[&str]); 8] = [
        ("", &["a/1", "a/2", "a/2x", "a/3"]),
        ("A", &["a/1", "a/2", "a/2x", "a/3"]),
        ("a/", &["a/1", "a/2", "a/2x", "a/3"]),
        ("a/1", &["a/2", "a/2x", "a/3"]),
        ("a/2", &["a/2x", "a/3"]),
        ("a/2a", &["a/2x", "a/3"]),
        ("a/3", &[]),
        ("b", &[]),
    ];
    for (after, expected) in cases {
        assert_eq!(
            subject.page("a/", Some(after), 10).await,
            expected,
            "{after:?}"
        );
    }
}

/// 0, 1, and more than there is.
pub async fn the_limit_of_a_page_is_obeyed(subject: Subject) {
    fill(&subject, ["a", "b", "c"]).await;
    assert_eq!(subject.page("", None, 0).await, Vec::<String>::new());
    assert_eq!(subject.page("", None, 1).await, ["a"]);
    assert_eq!(subject.page("", None, 3).await, ["a", "b", "c"]);
    assert_eq!(subject.page("", None, usize::MAX).await, ["a", "b", "c"]);
}

/// However much is asked for, a page has [`SCAN_PAGE_RECORDS_MAX`] records.
pub async fn a_page_is_cut_to_the_maximum(subject: Subject) {
    let keys: Vec<_> = (0..SCAN_PAGE_RECORDS_MAX)
        .map(|n| format!("k/{n:05}"))
        .collect();
    fill(&subject, keys.clone()).await;
    subject.put("k/last", &text("1").len().to_string()).await;
    let page = subject.page("k/", None, SCAN_PAGE_RECORDS_MAX + 1).await;
    assert_eq!(page, keys);
    let rest = subject
        .page("k/", page.last().map(String::as_str), 10)
        .await;
    assert_eq!(rest, ["k/last"]);
}
