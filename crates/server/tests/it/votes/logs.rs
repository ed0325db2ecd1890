//! `vote_logs`: who voted for what, and when.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use crowdlink_server::listen::EdgeName;
use crowdlink_store::{Commit, Entry, MemoryStore, Record, Store, StoreError};
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use super::{broadcaster, configure, log, server, shy, viewer, vote, vote_path};
use crate::harness::{EXTENSION, SECRET, START_MS, Server, sign};

#[tokio::test]
async fn a_log_has_a_row_a_voter_and_value_with_the_time_of_the_last_vote() {
    let server = server().await;
    let limits =
        json!({ "totalVotesPerUser": 9, "votesPerOption": 9, "distinctOptionsPerUser": 9 });
    configure(&broadcaster(&server), "p", limits).await.ok();
    for (user, value) in [("1", 5), ("2", 5), ("1", -7), ("1", 5)] {
        server.advance_ms(10);
        vote(&viewer(&server, user), "p", value).await.ok();
    }
    server.advance_ms(10);
    vote(&shy(&server, "A3"), "p", 1_000).await.ok();
    let row = |identifier: &str, opaque: &str, value: i64, after_ms: i64| {
        json!({
            "identifier": identifier, "opaque": opaque, "value": value,
            "timestamp": START_MS + after_ms,
        })
    };
    let expected = [
        row("2", "U2", 5, 20),
        row("1", "U1", -7, 30),
        row("1", "U1", 5, 40),
        row("A3", "A3", 1_000, 50),
    ];
    assert_eq!(log(&server, "p").await, expected);
}

#[tokio::test]
async fn a_vote_that_was_replaced_or_refused_stands_in_no_log() {
    let server = server().await;
    vote(&viewer(&server, "1"), "p", 5).await.ok();
    server.advance_ms(10);
    vote(&viewer(&server, "1"), "p", 6).await.ok();
    let refused = viewer(&server, "2")
        .post(&vote_path("p"), &json!({ "value": 1, "count": 2 }))
        .await;
    refused.refused(400, "unacceptable vote");
    let rows = log(&server, "p").await;
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (&rows[0]["value"], &rows[0]["timestamp"]),
        (&json!(6), &json!(START_MS + 10))
    );
}

#[tokio::test]
async fn who_changes_his_mind_and_back_within_a_millisecond_stands_in_the_log_once() {
    let server = server().await;
    for value in [5, 6, 5] {
        vote(&viewer(&server, "1"), "p", value).await.ok();
    }
    let rows = log(&server, "p").await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["value"], 5);
}

#[tokio::test]
async fn the_opaque_id_is_never_empty() {
    let server = server().await;
    let mut claims = super::token("viewer", "42");
    claims["user_id"] = json!("1");
    claims["opaque_user_id"] = json!("");
    let page = server.signed(crowdlink_protocol::Stage::Sandbox, &claims);
    vote(&page, "p", 5).await.ok();
    assert_eq!(log(&server, "p").await[0]["opaque"], "U1");
}

#[tokio::test]
async fn the_log_of_a_poll_that_does_not_exist_is_empty() {
    let server = server().await;
    assert_eq!(log(&server, "p").await, Vec::<Value>::new());
    configure(&broadcaster(&server), "p", json!({})).await.ok();
    assert_eq!(log(&server, "p").await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_log_of_many_pages_has_every_row_once_and_the_oldest_first() {
    let server = server().await;
    for hundred in 0..11 {
        server.advance_ms(1);
        let votes = (0..100).map(|number| {
            let page = viewer(&server, &(hundred * 100 + number).to_string());
            async move { vote(&page, "p", hundred).await.ok() }
        });
        join_all(votes).await;
    }
    let rows = log(&server, "p").await;
    assert_eq!(rows.len(), 1_100);
    let mut seen = std::collections::HashSet::new();
    for (index, row) in rows.iter().enumerate() {
        let hundred = i64::try_from(index / 100).unwrap();
        assert_eq!(row["timestamp"], START_MS + hundred + 1);
        assert_eq!(row["value"], hundred);
        assert!(seen.insert(row["identifier"].as_str().unwrap()));
    }
}

/// Rows of the long log.
const ROWS: usize = 1_000_000;
/// As many of them are taken.
const TAKEN_ROWS: usize = 250_000;
/// Rows of one record: what a commit counted.
const RECORD_ROWS: usize = 250;
/// Most records that are read at once.
const PAGE_RECORDS_MAX: usize = 64;
/// Most rows that the server may have read ahead of who takes them: some pages, and what fits in
/// the buffers of the two sockets.
const AHEAD_ROWS_MAX: usize = 100_000;

/// A store with a long log in it, which it makes up as it is read, so that this test needs no more
/// memory than the server should.
#[derive(Debug)]
struct LongLog {
    inner: Arc<MemoryStore>,
    rows_read: AtomicUsize,
}

/// The record of the votes of some voters, `v0` and so on.
fn long_record(prefix: &str, number: usize) -> Entry {
    let first = number * RECORD_ROWS;
    let votes: Vec<_> = (first..first + RECORD_ROWS)
        .map(|voter| json!([format!("v{voter}"), voter % 64]))
        .collect();
    Entry {
        key: format!("{prefix}{START_MS:013}/0/{number:07}"),
        record: record(&json!({ "at_ms": START_MS, "votes": votes })),
    }
}

/// The ballot of one of them.
fn long_ballot(key: &str) -> Option<Record> {
    let (_, voter) = key.rsplit_once("/v")?;
    let value = voter.parse::<usize>().unwrap() % 64;
    let cast = json!({ "value": value, "count": 1, "at_ms": START_MS });
    Some(record(&json!({ "opaque": "U", "votes": [cast] })))
}

fn record(value: &Value) -> Record {
    Record {
        value: value.to_string().into(),
        version: 1,
        expires_at_ms: None,
    }
}

#[async_trait]
impl Store for LongLog {
    async fn get(&self, key: &str) -> Result<Option<Record>, StoreError> {
        self.inner.get(key).await
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Record>>, StoreError> {
        if keys
            .iter()
            .any(|key| key.contains("/ballot/") && key.contains("/v"))
        {
            return Ok(keys.iter().map(|key| long_ballot(key)).collect());
        }
        self.inner.get_many(keys).await
    }

    async fn scan(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        if !prefix.contains("/vote-log/") {
            return self.inner.scan(prefix, after, limit).await;
        }
        assert!(limit <= PAGE_RECORDS_MAX, "{limit} records at once");
        let number = |key: &str| key.rsplit('/').next().unwrap().parse::<usize>().unwrap();
        let from = after.map_or(0, |key| number(key) + 1);
        let page: Vec<_> = (from..(ROWS / RECORD_ROWS).min(from + limit))
            .map(|record| long_record(prefix, record))
            .collect();
        let rows = page.len() * RECORD_ROWS;
        self.rows_read.fetch_add(rows, Ordering::SeqCst);
        Ok(page)
    }

    async fn commit(&self, commit: Commit) -> Result<u64, StoreError> {
        self.inner.commit(commit).await
    }

    async fn sweep(&self, limit: usize) -> Result<usize, StoreError> {
        self.inner.sweep(limit).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }
}

#[tokio::test]
async fn a_log_of_a_million_votes_is_read_no_faster_than_it_is_taken() {
    let mut long = None;
    let server = Server::start_over(
        |_| {},
        |inner| {
            let store = Arc::new(LongLog {
                inner,
                rows_read: AtomicUsize::new(0),
            });
            long = Some(Arc::clone(&store));
            store
        },
    )
    .await;
    let long = long.unwrap();
    vote(&viewer(&server, "1"), "p", 1).await.ok();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    let mut stream = socket
        .connect(server.address(EdgeName::SandboxRest))
        .await
        .unwrap();
    let token = sign(&super::token("admin", "42"), SECRET);
    let request = format!(
        "GET /v1/e/vote_logs?id=p HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\
         authorization: {EXTENSION} {token}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut taken = 0;
    let mut buffer = vec![0; 64 * 1024];
    while taken < TAKEN_ROWS {
        let length = stream.read(&mut buffer).await.unwrap();
        assert_ne!(length, 0, "cut short");
        // Every row has one of these.
        taken += buffer[..length].split(|byte| *byte == b'}').count() - 1;
        let read = long.rows_read.load(Ordering::SeqCst);
        let ahead = read.saturating_sub(taken);
        assert!(
            ahead < AHEAD_ROWS_MAX,
            "{read} were read when {taken} were taken"
        );
    }
    drop(stream);
    // The server is free for others, and reads no further.
    vote(&viewer(&server, "2"), "p", 1).await.ok();
    assert!(long.rows_read.load(Ordering::SeqCst) < TAKEN_ROWS + AHEAD_ROWS_MAX);
}
