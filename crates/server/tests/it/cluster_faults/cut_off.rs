//! One node loses its way to the bus but not to the store, or the reverse.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use services::{Nats, Postgres, Proxy};

use super::keeper::Keeper;
use super::load::Load;
use super::{Cluster, STATE, Ways, told};

/// Two nodes; what node 0 reaches the bus or the store by.
async fn cluster(of_the_bus: bool) -> (Cluster, Proxy) {
    let (postgres, nats) = (Postgres::start().unwrap(), Nats::start().unwrap());
    let behind = if of_the_bus {
        nats.address()
    } else {
        postgres.address()
    };
    let proxy = Proxy::start(behind).unwrap();
    let by_proxy = |url: String| url.replace(&behind.to_string(), &proxy.address().to_string());
    let ways = vec![
        Ways {
            store: by_proxy(postgres.url()),
            bus: by_proxy(nats.url()),
        },
        Ways {
            store: postgres.url(),
            bus: nats.url(),
        },
    ];
    (Cluster::start_by(postgres, nats, ways).await, proxy)
}

async fn no_bus(fault: fn(&Proxy) -> Result<()>) {
    let (cluster, proxy) = cluster(true).await;
    let (mut game, _) = cluster.paired_game(0).await;
    game.done("subscribe", "state", json!({ "topic_id": "channel" }))
        .await;
    let load = Load::start(&cluster).await;
    let keeper = Keeper::start(&cluster, 0, false).await;
    fault(&proxy).unwrap();
    for node in [0, 1] {
        load.goes_on(node).await;
    }
    keeper.goes_on().await;
    let page = cluster.page(1, "broadcaster", "42").await;
    page.patch(STATE, &json!({ "while-away": true })).await.ok();
    let beside = cluster.page(0, "viewer", "7").await;
    crate::harness::eventually("the node cut off reads what others wrote", async || {
        beside.get(STATE).await.ok().get("while-away").is_some()
    })
    .await;
    proxy.heal().unwrap();
    told(&mut game, "while-away", Duration::from_secs(5)).await;
    keeper.finish().await;
    let done = load.finish().await;
    for (node, failures) in done.failures.iter().enumerate() {
        assert_eq!(*failures, [], "of node {node}");
    }
    cluster.agree_within(&done, Duration::from_secs(5)).await;
}

async fn no_store(fault: fn(&Proxy) -> Result<()>) {
    let (cluster, proxy) = cluster(false).await;
    let load = Load::start(&cluster).await;
    let keeper = Keeper::start(&cluster, 0, false).await;
    fault(&proxy).unwrap();
    load.fails(0).await;
    load.goes_on(1).await;
    keeper.is_put_off().await;
    proxy.heal().unwrap();
    for node in [0, 1] {
        load.goes_on(node).await;
    }
    keeper.finish().await;
    let done = load.finish().await;
    assert_eq!(done.failures[1], [], "of the node that was not cut off");
    for failure in &done.failures[0] {
        assert!(failure.is_clean(), "{failure:?}");
    }
    cluster.agree_within(&done, Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_cut_off_from_the_bus_fails_no_request() {
    no_bus(Proxy::cut).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_bus_falls_silent_fails_no_request() {
    no_bus(Proxy::stall).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_cut_off_from_the_store_fails_alone() {
    no_store(Proxy::cut).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_store_falls_silent_fails_alone() {
    no_store(Proxy::stall).await;
}
