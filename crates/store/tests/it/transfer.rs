//! The file that everything is moved in.

use std::io::{BufReader, Read};

use aws_lc_rs::digest;
use crowdlink_store::transfer::{
    self, ExportReader, ExportWriter, LINE_BYTES_MAX, Origin, TransferError,
};
use crowdlink_store::{Bulk, Entry, REVISION_GAP, VALUE_BYTES_MAX};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::grounds::{Ground, entry};

const ORIGIN: Origin<'_> = Origin {
    server_version: "0.0.1",
    created_at_ms: 1_700_000_000_000,
};

async fn export(ground: &Ground) -> Vec<u8> {
    let snapshot = ground.bulk().snapshot().await.unwrap();
    let mut told = Vec::new();
    let bytes = transfer::export(snapshot, Vec::new(), ORIGIN, &mut |at| told.push(at))
        .await
        .unwrap();
    assert!(told.iter().all(|at| at.records <= at.total));
    bytes
}

async fn import(file: &[u8], into: &dyn Bulk) -> Result<u64, TransferError> {
    transfer::import(file, into, true, &mut |_| {}).await
}

/// The small file of these tests.
async fn small() -> Vec<u8> {
    let ground = Ground::memory();
    let mut second = entry("sandbox/x/b \"\u{e9}\"", "[1, 2]", 12);
    second.record.expires_at_ms = Some(1_700_000_600_000);
    let entries = [
        entry("sandbox/x/a", r#"{"a":"\u00e9\n"}"#, 9),
        second,
        entry("sandbox/x/c", "{\n}", 3),
    ];
    ground.fill(&entries, 15).await;
    export(&ground).await
}

fn sha256(bytes: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA256, bytes);
    digest
        .as_ref()
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// A file of these lines, with the right checksum.
fn sealed(lines: &[&str], records: usize) -> Vec<u8> {
    let text = lines.concat();
    let sum = sha256(text.as_bytes());
    format!("{text}{{\"records\":{records},\"sha256\":\"{sum}\"}}\n").into_bytes()
}

fn split(file: &[u8]) -> Vec<&str> {
    let text = std::str::from_utf8(file).unwrap();
    text.split_inclusive('\n').collect()
}

/// Fails unless the file is refused as damaged and the store holds what it held.
async fn assert_found(file: &[u8], why: &str) {
    let ground = Ground::memory();
    let before = vec![entry("before", "1", 1)];
    ground.fill(&before, 1).await;
    match import(file, &*ground.bulk()).await {
        Err(error @ TransferError::Damaged { .. }) if error.to_string().contains(why) => {}
        other => panic!("not found for {why:?}: {other:?}"),
    }
    assert_eq!(ground.everything().await, (before, 1));
}

#[tokio::test]
async fn the_file_is_text_that_an_operator_can_read_and_check() {
    let file = small().await;
    let lines = split(&file);
    assert_eq!(
        lines[..4].concat(),
        concat!(
            r#"{"format":"crowdlink-export","format_version":1,"server_version":"0.0.1","#,
            r#""created_at_ms":1700000000000,"revision":15,"records":3}"#,
            "\n",
            r#"{"key":"sandbox/x/a","version":9,"expires_at_ms":null,"value":{"a":"\u00e9\n"}}"#,
            "\n",
            "{\"key\":\"sandbox/x/b \\\"\u{e9}\\\"\",\"version\":12,",
            r#""expires_at_ms":1700000600000,"value":[1, 2]}"#,
            "\n",
            r#"{"key":"sandbox/x/c","version":3,"expires_at_ms":null,"text":"{\n}"}"#,
            "\n",
        )
    );
    assert_eq!(file, sealed(&lines[..4], 3));
}

#[tokio::test]
async fn a_file_cut_at_any_byte_is_found() {
    let file = small().await;
    for end in 0..file.len() {
        assert_found(&file[..end], "").await;
    }
}

#[tokio::test]
async fn a_flipped_bit_anywhere_is_found() {
    let file = small().await;
    for at in 0..file.len() {
        for bit in 0..8 {
            let mut flipped = file.clone();
            flipped[at] ^= 1 << bit;
            let ground = Ground::memory();
            let answer = import(&flipped, &*ground.bulk()).await;
            // One digit of the format's own version makes a newer one of it.
            let found = matches!(
                answer,
                Err(TransferError::Damaged { .. } | TransferError::Newer { .. })
            );
            assert!(found, "byte {at} bit {bit}: {answer:?}");
            assert_eq!(ground.everything().await, (Vec::new(), 0));
        }
    }
}

#[tokio::test]
async fn lines_that_are_twice_there_missing_or_in_disorder_are_found_also_with_the_right_sum() {
    let file = small().await;
    let [head, a, b, c, end] = split(&file)[..] else {
        panic!("lines");
    };
    for (lines, records, why) in [
        (&[head, a, a, b, c][..], 4, "not greater"),
        (&[head, a, b, b][..], 3, "not greater"),
        (&[head, b, a, c][..], 3, "not greater"),
        (&[head, a, b][..], 2, "announced"),
        (&[head, a, b][..], 3, "announced"),
        (&[head, a, b, c][..], 2, "announced"),
        (&[head, head, a, b, c][..], 3, "line 2"),
        (&[a, b, c][..], 3, "no export"),
        (&[head, a, b, "\n", c][..], 3, "line 4"),
    ] {
        assert_found(&sealed(lines, records), why).await;
    }
    // The sum alone finds what has the right shape.
    let changed = b.replace("[1, 2]", "[1, 3]");
    let changed = [head, a, &changed, c, end].concat();
    assert_found(changed.as_bytes(), "checksum").await;
    assert_found([head, a, b, c].concat().as_bytes(), "cut off").await;
}

#[tokio::test]
async fn whatever_follows_the_end_is_found() {
    let file = small().await;
    for more in [&b"\n"[..], b" ", b"{}", b"\0", &file] {
        assert_found(&[&file, more].concat(), "follows the end").await;
    }
    let end = file.len() - 1;
    assert_found(&[&file[..end], b" \n"].concat(), "checksum").await;
    assert_found(&[&file[..end], b"\r\n"].concat(), "checksum").await;
}

#[tokio::test]
async fn records_that_no_store_would_hold_are_found() {
    let file = small().await;
    let head = split(&file)[0].replace("\"records\":3", "\"records\":1");
    let line = |fields: &str| format!("{{\"key\":{fields}}}\n");
    let key = "k".repeat(1_025);
    for (fields, why) in [
        (
            r#""a","version":16,"expires_at_ms":null,"value":1"#,
            "above",
        ),
        (
            r#""a","version":0,"expires_at_ms":null,"value":1"#,
            "version 0",
        ),
        (
            r#""a","version":-1,"expires_at_ms":null,"value":1"#,
            "column",
        ),
        (
            r#""","version":1,"expires_at_ms":null,"value":1"#,
            "empty key",
        ),
        (r#""a","version":1,"expires_at_ms":null"#, "either"),
        (
            r#""a","version":1,"expires_at_ms":null,"value":1,"text":"1""#,
            "either",
        ),
        (
            r#""a","version":1,"expires_at_ms":null,"value":1,"more":1"#,
            "column",
        ),
        (
            r#""a","version":1,"expires_at_ms":null,"value":1,"value":2"#,
            "column",
        ),
        (
            r#""a","version":1,"expires_at_ms":null,"text":"\u0000""#,
            "NUL",
        ),
        (
            &format!(r#""{key}","version":1,"expires_at_ms":null,"value":1"#),
            "key of",
        ),
    ] {
        assert_found(&sealed(&[&head, &line(fields)], 1), why).await;
    }
    let good = line(r#""a","version":15,"expires_at_ms":null,"value":1"#);
    let good = sealed(&[&head, &good], 1);
    assert_eq!(import(&good, &*Ground::memory().bulk()).await.unwrap(), 1);
}

#[tokio::test]
async fn a_newer_format_is_refused_by_its_name() {
    let file = small().await;
    let text = String::from_utf8(file).unwrap();
    let newer = text.replace("\"format_version\":1,", "\"format_version\":2,\"more\":[],");
    let refused = import(newer.as_bytes(), &*Ground::memory().bulk()).await;
    assert!(matches!(refused, Err(TransferError::Newer { found: 2 })));
    let other = text.replace("crowdlink-export", "tapestry-export");
    assert_found(other.as_bytes(), "no export").await;
}

#[test]
fn a_line_has_a_length_it_must_not_pass() {
    let endless = BufReader::new(std::io::repeat(b'x').take(1 << 40));
    let refused = ExportReader::open(endless).unwrap_err();
    let why = format!("line 1: over {LINE_BYTES_MAX} bytes");
    assert!(refused.to_string().contains(&why), "{refused}");
}

#[tokio::test]
async fn the_largest_values_and_longest_lines_come_back() {
    let plain = format!("\"{}\"", "x".repeat(VALUE_BYTES_MAX - 2));
    // Each byte takes six.
    let worst = "\u{1}".repeat(VALUE_BYTES_MAX);
    let key = "\u{1}".repeat(1_024);
    let entries = vec![entry(&key, &worst, 1), entry("a", &plain, 2)];
    let ground = Ground::memory();
    ground.fill(&entries, 2).await;
    let file = export(&ground).await;
    let longest = split(&file).iter().map(|line| line.len()).max().unwrap();
    assert!(longest <= LINE_BYTES_MAX && longest > 6 * VALUE_BYTES_MAX);
    let target = Ground::sqlite();
    assert_eq!(import(&file, &*target.bulk()).await.unwrap(), 2);
    assert!(target.everything().await.0 == entries);
}

#[tokio::test]
async fn every_oddity_of_json_comes_back_byte_for_byte() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let values = [
        "null",
        "true",
        "0",
        "-0",
        "1.0",
        "1e999",
        "-1E-400",
        "1.10",
        "12345678901234567890123456789",
        "\"\"",
        "\"\u{e9}\"",
        r#""\u00e9""#,
        r#""\ud800""#,
        r#""\/""#,
        "\"\u{2028}\"",
        "\"\u{7f}\"",
        "{}",
        "[ ]",
        "{ \"a\" : 1 }",
        r#"{"a":1,"a":2}"#,
        r#"{"$serde_json::private::RawValue":"1"}"#,
        " 1",
        "1 ",
        "\t1",
        "{\n  \"a\": 1\n}",
        "[1,\r\n2]",
        "\r",
        "\n",
        "",
        " ",
        "no json",
        "{",
        "1 2",
        "\"\u{1}\"",
        "\"",
        "\u{feff}1",
        "NaN",
        "}",
        "\"}\\\"",
        &deep,
    ];
    let entries: Vec<_> = (1..)
        .zip(values)
        .map(|(n, value)| entry(&format!("{n:03}"), value, n))
        .collect();
    let source = Ground::memory();
    source.fill(&entries, 1_000).await;
    let file = export(&source).await;
    assert_eq!(split(&file).len(), values.len() + 2);
    for ground in Ground::all() {
        import(&file, &*ground.bulk()).await.unwrap();
        assert_eq!(ground.everything().await.0, entries);
    }
}

#[tokio::test]
async fn a_store_without_records_is_moved_as_well() {
    let source = Ground::sqlite();
    source.make().await;
    let file = export(&source).await;
    assert_eq!(split(&file).len(), 2);
    let target = Ground::sqlite();
    assert_eq!(import(&file, &*target.bulk()).await.unwrap(), 0);
    assert_eq!(target.everything().await, (Vec::new(), REVISION_GAP));
    target.make().await;
}

#[tokio::test]
async fn a_store_that_holds_records_is_not_replaced_unless_told_to() {
    let file = small().await;
    let target = Ground::sqlite();
    let before = vec![entry("before", "1", 1)];
    target.fill(&before, 1).await;
    let refused = transfer::import(&*file, &*target.bulk(), false, &mut |_| {}).await;
    assert!(refused.unwrap_err().to_string().contains("holds 1 records"));
    assert_eq!(target.everything().await, (before, 1));
}

#[tokio::test]
async fn versions_given_away_after_the_export_do_not_come_again() {
    let file = small().await;
    let target = Ground::sqlite();
    import(&file, &*target.bulk()).await.unwrap();
    let (entries, revision) = target.everything().await;
    assert_eq!(entries[1].record.version, 12);
    assert_eq!(revision, 15 + REVISION_GAP);
}

#[test]
fn an_engine_that_gives_keys_out_of_order_makes_no_file() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let file = runtime.block_on(small());
    let header = ExportReader::open(&*file).unwrap().header().clone();
    let mut writer = ExportWriter::begin(Vec::new(), &header).unwrap();
    writer.record(&entry("b", "1", 1)).unwrap();
    for key in ["b", "a"] {
        let refused = writer.record(&entry(key, "1", 1)).unwrap_err();
        assert!(refused.to_string().contains("out of order"));
    }
    writer.record(&entry("b0", "1", 1)).unwrap();
    assert_eq!(writer.records(), 2);
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let key = prop_oneof![
        "[a-c/]{1,6}".boxed(),
        vec(any::<char>().prop_filter("no NUL", |c| *c != '\0'), 1..8)
            .prop_map(String::from_iter)
            .boxed(),
    ];
    let value = prop_oneof![
        "[ \n\t]{0,1}\\{\"[a-z]{0,3}\":[0-9]{1,4}\\}[ \n]{0,1}".boxed(),
        "[\"\\\\{}:,0-9enu \u{1}\u{e9}]{0,12}".boxed(),
        any::<String>()
            .prop_map(|text| text.replace('\0', ""))
            .boxed(),
        any::<i64>().prop_map(|n| n.to_string()).boxed(),
    ];
    let record = (value, 1..1_u64 << 40, proptest::option::of(any::<i64>()));
    proptest::collection::btree_map(key, record, 0..40).prop_map(|map| {
        let entry = |(key, (value, version, expires_at_ms)): (String, (String, u64, _))| {
            let mut entry = entry(&key, &value, version);
            entry.record.expires_at_ms = expires_at_ms;
            entry
        };
        map.into_iter().map(entry).collect()
    })
}

/// Through every engine and back to the first, by files.
async fn around(entries: Vec<Entry>) -> Result<(), TestCaseError> {
    let first = Ground::sqlite();
    first.fill(&entries, 1 << 40).await;
    let mut file = export(&first).await;
    let mut grounds = Ground::all();
    grounds.push(Ground::sqlite());
    for ground in grounds {
        import(&file, &*ground.bulk()).await.unwrap();
        prop_assert_eq!(&ground.everything().await.0, &entries);
        let next = export(&ground).await;
        let records = |file: &[u8]| split(file)[1..=entries.len()].concat();
        prop_assert_eq!(records(&next), records(&file));
        file = next;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_stores_go_around_all_engines_and_come_back_the_same(entries in entries()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(around(entries))?;
    }
}
