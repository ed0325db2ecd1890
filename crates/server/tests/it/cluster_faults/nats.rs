//! The bus goes away and comes back.

use std::time::Duration;

use serde_json::json;

use super::keeper::Keeper;
use super::load::Load;
use super::{Cluster, STATE, told};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_nats_no_request_fails_and_games_hear_the_newest_when_it_is_back() {
    let cluster = Cluster::start(3).await;
    let (mut game, _) = cluster.paired_game(0).await;
    game.done("subscribe", "state", json!({ "topic_id": "channel" }))
        .await;
    let load = Load::start(&cluster).await;
    let keeper = Keeper::start(&cluster, 2, false).await;
    tokio::task::block_in_place(|| cluster.nats.stop().unwrap());
    for node in [0, 1, 2] {
        load.goes_on(node).await;
    }
    keeper.goes_on().await;
    let page = cluster.page(1, "broadcaster", "42").await;
    page.patch(STATE, &json!({ "while-away": true })).await.ok();
    tokio::task::block_in_place(|| cluster.nats.start_again().unwrap());
    told(&mut game, "while-away", Duration::from_secs(5)).await;
    for node in [0, 1, 2] {
        load.goes_on(node).await;
    }
    keeper.finish().await;
    let done = load.finish().await;
    page.patch(STATE, &json!({ "last": true })).await.ok();
    told(&mut game, "last", Duration::from_secs(5)).await;
    for (node, failures) in done.failures.iter().enumerate() {
        assert_eq!(*failures, [], "of node {node}");
    }
    cluster.agree_within(&done, Duration::from_secs(5)).await;
}
