//! What a read gives.

use super::{Subject, text};
use crate::Commit;

/// One answer for each key asked.
pub async fn get_many_answers_in_the_order_asked_with_duplicates_and_gaps(subject: Subject) {
    for key in ["a", "b", "c"] {
        subject.put(key, key).await;
    }
    let keys = ["c", "missing", "a", "c", "b", "a"].map(str::to_owned);
    let answer = subject.store.get_many(&keys).await.unwrap();
    let values: Vec<_> = answer
        .into_iter()
        .map(|record| record.map(|record| record.value))
        .collect();
    let expected = ["c", "", "a", "c", "b", "a"].map(|v| (!v.is_empty()).then(|| text(v)));
    assert_eq!(values, expected);
    assert_eq!(subject.store.get_many(&[]).await.unwrap(), []);
}

/// Values are text; the engine neither parses nor changes them.
pub async fn values_come_back_byte_for_byte(subject: Subject) {
    let values = [
        "",
        " { \"b\":1 ,\"a\":1e400, \"a\": 0.1000 } ",
        "not JSON at all",
        "\u{feff}\"\u{10FFFF}\\u0000\\ud800\"\r\n",
        "123",
        "'; DROP TABLE records; --",
    ];
    for value in values {
        subject.put("k", value).await;
        assert_eq!(subject.value("k").await.as_deref(), Some(value));
    }
}

/// Large values are ordinary values.
pub async fn a_value_of_one_mebibyte_comes_back(subject: Subject) {
    let value = format!("\"{}\"", "0123456789abcdef".repeat(65_536));
    subject.put("k", &value).await;
    assert_eq!(subject.value("k").await.unwrap(), value);
    subject.put("k", "1").await;
    assert_eq!(subject.value("k").await.as_deref(), Some("1"));
}

/// No case folding, no trimming, no Unicode normalisation.
pub async fn keys_are_compared_byte_for_byte(subject: Subject) {
    let keys = ["a", "A", "a ", " a", "\u{e9}", "e\u{301}", "1", "01", "1.0"];
    let commit = keys
        .iter()
        .fold(Commit::new(), |commit, key| commit.put(*key, *key, None));
    subject.commit(commit).await;
    for key in keys {
        assert_eq!(subject.value(key).await.as_deref(), Some(key));
    }
    assert_eq!(subject.keys("").await.len(), keys.len());
}
