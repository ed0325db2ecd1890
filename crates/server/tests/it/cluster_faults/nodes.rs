//! A node dies.

use std::time::Duration;

use super::Cluster;
use super::keeper::Keeper;
use super::load::Load;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_node_takes_nothing_with_it_and_the_others_notice_nothing() {
    let mut cluster = Cluster::start(3).await;
    let load = Load::start(&cluster).await;
    let keeper = Keeper::start(&cluster, 2, true).await;
    cluster.kill(2);
    for node in [0, 1] {
        load.goes_on(node).await;
    }
    keeper.goes_on().await;
    tokio::task::block_in_place(|| cluster.start_again(2));
    for node in [0, 1, 2] {
        load.goes_on(node).await;
    }
    keeper.finish().await;
    let done = load.finish().await;
    assert_eq!(done.failures[0], [], "of node 0");
    assert_eq!(done.failures[1], [], "of node 1");
    assert!(!done.failures[2].is_empty(), "nobody saw it die");
    cluster.agree_within(&done, Duration::from_secs(5)).await;
}
