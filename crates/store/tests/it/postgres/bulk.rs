//! Everything out of PostgreSQL and into it, on databases of one server.

use crowdlink_store::{Bulk, PostgresBulk, Store, transfer};

use super::server::{Server, open, open_for_real, row, run};
use crate::bulk_rules::{self, three};
use crate::for_each_bulk_rule;
use crate::grounds::{Ground, entry};
use crate::harness::{assert_refused, assert_unavailable, put};

macro_rules! tell_all {
    ($($rule:ident)*) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn every_rule_of_moving_everything_holds_on_postgres() {
            let server = Server::start();
            $(
                eprintln!("{}", stringify!($rule));
                bulk_rules::$rule(&Ground::Postgres(server.database().await)).await;
            )*
        }
    };
}

for_each_bulk_rule!(tell_all);

async fn export(ground: &Ground) -> Vec<u8> {
    let snapshot = ground.bulk().snapshot().await.unwrap();
    let origin = transfer::Origin {
        server_version: "0",
        created_at_ms: 0,
    };
    let file = transfer::export(snapshot, Vec::new(), origin, &mut |_| {}).await;
    file.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_to_postgres_and_back_is_identical() {
    let server = Server::start();
    let odd = [
        "null",
        " 1 ",
        "{\n}",
        "",
        "no json",
        "\"\\u0000\\ud800\"",
        "1e999",
        "{\"a\":1,\"a\":2}",
        "\u{1}\u{7f}\u{2028}\u{10FFFF}",
        "\\",
        "\\\\N",
        "{}",
        "'; --",
        "%s",
    ];
    let keys = [
        "A",
        "B",
        "a",
        "a b",
        "a/",
        "a/\u{e9}",
        "a0",
        "b_%",
        "z\u{ffff}",
        "\u{10FFFF}",
    ];
    let mut entries: Vec<_> = (1..)
        .zip(keys.iter().flat_map(|key| odd.map(|value| (key, value))))
        .map(|(n, (key, value))| entry(&format!("{key}/{n}"), value, n))
        .collect();
    for (n, entry) in (0_i64..).zip(&mut entries) {
        entry.record.expires_at_ms = match n % 3 {
            0 => None,
            1 => Some(n),
            _ => Some(i64::MAX - n),
        };
    }
    let mut large = entry("large", &"x".repeat(8 << 20), 1 << 62);
    large.record.expires_at_ms = Some(i64::MIN);
    entries.push(large);
    entries.sort_by(|a, b| a.key.cmp(&b.key));
    let first = Ground::sqlite();
    first.fill(&entries, (1 << 62) + 7).await;
    let mut file = export(&first).await;
    for ground in [Ground::Postgres(server.database().await), Ground::sqlite()] {
        transfer::import(&*file, &*ground.bulk(), false, &mut |_| {})
            .await
            .unwrap();
        assert!(ground.everything().await.0 == entries);
        let next = export(&ground).await;
        // All but the first line, which tells of the export itself, and the sum of that.
        let records = |file: &[u8]| {
            let text = std::str::from_utf8(file).unwrap();
            text.lines()
                .skip(1)
                .take(entries.len())
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert!(records(&next) == records(&file));
        file = next;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_node_works_on_a_store_whose_load_was_killed_until_one_has_ended() {
    let server = Server::start();
    let url = server.database().await;
    let ground = Ground::Postgres(url.clone());
    ground.fill(&[entry("old", "1", 9)], 9).await;
    let mut load = ground.bulk().begin_load(true).await.unwrap();
    load.put(three()).await.unwrap();
    assert_refused(open(&url).await, "an import has not ended");
    let second = ground.bulk().begin_load(true).await.map(|_| ());
    assert_refused(second, "under way");
    // As a kill leaves it: the session is gone.
    drop(load);
    assert_refused(open(&url).await, "DELETE FROM crowdlink.meta");
    assert_eq!(ground.everything().await, (vec![entry("old", "1", 9)], 9));
    // One that fails in order is no end to it.
    let again = async || loop {
        // The database notices a moment later that the first is gone.
        match ground.bulk().begin_load(true).await {
            Err(error) if error.to_string().contains("under way") => {}
            other => break other.unwrap(),
        }
    };
    again().await.abandon().await.unwrap();
    assert_refused(open(&url).await, "an import has not ended");
    let mut load = again().await;
    load.put(three()).await.unwrap();
    load.finish(50).await.unwrap();
    assert_eq!(ground.everything().await, (three(), 50));
    let store = open(&url).await.unwrap();
    assert_eq!(put(&*store, "new", "1").await, 51);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_loaded_under_a_running_node_and_the_mark_does_not_stay() {
    let server = Server::start();
    let url = server.database().await;
    let ground = Ground::Postgres(url.clone());
    let store = open_for_real(&url).await;
    put(&*store, "k", "1").await;
    let refused = ground.bulk().begin_load(true).await.map(|_| ());
    assert_refused(refused, "stop the server first");
    let marks: i64 = row(
        &url,
        "SELECT count(*) FROM crowdlink.meta WHERE name = 'importing'",
    )
    .await
    .get(0);
    assert_eq!(marks, 0);
    put(&*store, "k", "2").await;

    // A node that was away when the load began cannot write either.
    run(&url, "INSERT INTO crowdlink.meta VALUES ('importing', 1)").await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE application_name = 'crowdlink' AND datname = current_database()";
    run(&url, end).await;
    let commit = crowdlink_store::Commit::new().put("k", "3", None);
    let answer = store.commit(commit).await;
    assert!(answer.is_err(), "{answer:?}");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_no_snapshot_of_a_database_without_a_store() {
    let server = Server::start();
    let url = server.database().await;
    let bulk = PostgresBulk::at(&url, crowdlink_store::ManualClock::new(0)).unwrap();
    assert_refused(bulk.snapshot().await.map(|_| ()), "no Crowdlink store");
    let nobody = PostgresBulk::at(
        "postgres://u:s3cret@127.0.0.1:1/db",
        crowdlink_store::ManualClock::new(0),
    );
    let answer = nobody.unwrap().snapshot().await.map(|_| ());
    assert!(!format!("{answer:?}").contains("s3cret"));
    assert_unavailable(answer, "");
}
