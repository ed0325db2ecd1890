//! Paging of accumulate (`spec 3.5`): a reader that continues from `latest` loses and repeats
//! nothing, also while writers write, on more than one node.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crowdlink_core::accumulate::{self, AccumulateOf};
use crowdlink_core::{Caller, Core, tokens};
use crowdlink_protocol::{Accumulated, Stage};
use crowdlink_store::Faults;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::harness::{EXTENSION, Http, Server, core_beside, user_token};

const CHANNELS: [&str; 3] = ["42", "43", "44"];
const WRITERS: u64 = 12;
const VALUES: u64 = 60;

fn server_without_rates(entries_max: usize) -> impl Future<Output = Server> {
    Server::start_with(move |settings| {
        settings.rates.rest_requests_burst_max = 100_000;
        settings.limits.accumulate_page_entries_max = entries_max;
    })
}

/// Reads page after page until one is empty; `observed` and values.
async fn drain(page: &Http, limit: usize, mut start: i64) -> (Vec<(i64, Value)>, i64) {
    let mut all = Vec::new();
    loop {
        let path = format!("/v1/e/accumulate?id=a&start={start}&limit={limit}");
        let read = page.get(&path).await.ok();
        let entries = read["data"].as_array().unwrap();
        assert!(entries.len() <= limit);
        let Some(last) = entries.last() else {
            assert_eq!(read["latest"], 0);
            return (all, start);
        };
        assert_eq!(read["latest"], last["observed"]);
        all.extend(
            entries
                .iter()
                .map(|entry| (entry["observed"].as_i64().unwrap(), entry["data"].clone())),
        );
        start = read["latest"].as_i64().unwrap();
    }
}

fn assert_rising(entries: &[(i64, Value)]) {
    assert!(entries.is_sorted_by(|a, b| a.0 < b.0), "{entries:?}");
}

#[tokio::test]
async fn values_of_one_millisecond_are_not_torn_apart_by_a_page() {
    let server = server_without_rates(10_000).await;
    for n in 0..50_usize {
        let sender = server.user("viewer", CHANNELS[n % 3], "7");
        sender.post("/v1/e/accumulate?id=a", &json!(n)).await.ok();
    }
    let admin = server.trusted("admin");
    for limit in [1, 7, 16, 17, 49, 50, 51] {
        let (all, _) = drain(&admin, limit, 0).await;
        assert_rising(&all);
        let values: Vec<_> = all.into_iter().map(|(_, value)| value).collect();
        assert_eq!(values, (0..50).map(|n| json!(n)).collect::<Vec<_>>());
        let own = server.user("broadcaster", "43", "43");
        let (own, _) = drain(&own, limit, 0).await;
        assert_rising(&own);
        assert_eq!(own.len(), 17);
    }
}

#[tokio::test]
async fn a_limit_above_the_bound_means_the_bound() {
    let server = server_without_rates(5).await;
    let sender = server.user("viewer", "42", "7");
    for n in 0..7 {
        sender.post("/v1/e/accumulate?id=a", &json!(n)).await.ok();
    }
    let page = server.user("broadcaster", "42", "42");
    for limit in ["", "&limit=5", "&limit=6", "&limit=10001"] {
        let path = format!("/v1/e/accumulate?id=a&start=0{limit}");
        let read = page.get(&path).await.ok();
        assert_eq!(read["data"].as_array().unwrap().len(), 5);
    }
}

async fn caller(core: &Core, role: &str, channel: &str) -> Arc<Caller> {
    let header = format!("{EXTENSION} {}", user_token(role, channel, channel));
    let caller = tokens::authorize(core, Stage::Sandbox, Some(&header)).await;
    caller.unwrap()
}

async fn write(core: &Core, writer: u64) {
    let channel = CHANNELS[usize::try_from(writer).unwrap() % 3];
    let caller = caller(core, "viewer", channel).await;
    for n in 0..VALUES {
        let value = json!(writer * VALUES + n);
        let added = accumulate::add(core, &caller, None, "a", &value).await;
        added.unwrap();
    }
}

/// Reads page after page until the writers are done and nothing is left.
async fn follow(
    core: &Core,
    caller: &Caller,
    limit: usize,
    over: &AtomicBool,
) -> Vec<(i64, Value)> {
    let (mut all, mut start) = (Vec::new(), 0);
    loop {
        // Looked at before the read: the last round reads what was written before it.
        let last = over.load(Ordering::SeqCst);
        let text = start.to_string();
        let of = AccumulateOf {
            id: "a",
            channel: None,
            start: Some(&text),
            limit: Some(limit),
        };
        let page = accumulate::read(core, caller, of).await.unwrap();
        if page.data.is_empty() && last {
            return all;
        }
        let value = |entry: &Accumulated| serde_json::from_str(entry.data.get()).unwrap();
        let entries = page.data.iter().map(|entry| (entry.observed, value(entry)));
        all.extend(entries);
        start = start.max(page.latest);
    }
}

#[tokio::test]
async fn paging_loses_and_repeats_nothing_while_writers_of_two_nodes_write() {
    let server = server_without_rates(10_000).await;
    let (one, other) = (&server.app.core, &*core_beside(&server).await);
    server.store.set_faults(Faults {
        delay_per_mille: 700,
        yields_max: 12,
        ..Faults::default()
    });
    let over = AtomicBool::new(false);
    let writing = async {
        let here = join_all((0..WRITERS / 2).map(|writer| write(one, writer)));
        let there = join_all((WRITERS / 2..WRITERS).map(|writer| write(other, writer)));
        tokio::join!(here, there);
        over.store(true, Ordering::SeqCst);
    };
    let (admin, page) = tokio::join!(
        caller(one, "admin", "1"),
        caller(other, "broadcaster", "43")
    );
    let ((), all, beside, own) = tokio::join!(
        writing,
        follow(one, &admin, 9, &over),
        follow(other, &admin, 1_000, &over),
        follow(other, &page, 4, &over),
    );
    assert_rising(&all);
    assert_rising(&own);
    let numbers: BTreeSet<u64> = all
        .iter()
        .map(|(_, value)| value.as_u64().unwrap())
        .collect();
    assert_eq!(numbers, (0..WRITERS * VALUES).collect());
    assert_eq!(all.len(), numbers.len());
    assert_eq!(beside, all);
    assert_eq!(own.len(), all.len() / 3);
}

#[tokio::test]
async fn values_that_arrive_together_cost_a_few_commits() {
    let server = server_without_rates(10_000).await;
    server.store.set_faults(Faults {
        delay_per_mille: 1_000,
        yields_max: 50,
        ..Faults::default()
    });
    let before = server.store.commits();
    join_all((0..200).map(|n| {
        let sender = server.user("viewer", "42", "7");
        async move { sender.post("/v1/e/accumulate?id=a", &json!(n)).await.ok() }
    }))
    .await;
    let commits = server.store.commits() - before;
    assert!(commits <= 50, "{commits} commits");
    let (all, _) = drain(&server.trusted("admin"), 10_000, 0).await;
    assert_eq!(all.len(), 200);
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_hide_what_comes_then() {
    let server = server_without_rates(10_000).await;
    let sender = server.user("viewer", "42", "7");
    let page = server.user("broadcaster", "42", "42");
    sender.post("/v1/e/accumulate?id=a", &json!(1)).await.ok();
    let (_, latest) = drain(&page, 10, 0).await;
    server.clock.set_wall_ms(server.clock_ms() - 60_000);
    sender.post("/v1/e/accumulate?id=a", &json!(2)).await.ok();
    let (more, _) = drain(&page, 10, latest).await;
    assert_eq!(more, [(latest + 1, json!(2))]);
}
