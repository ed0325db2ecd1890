//! The database goes away and comes back.

use std::time::Duration;

use anyhow::Result;
use services::Postgres;

use super::Cluster;
use super::keeper::Keeper;
use super::load::Load;

async fn goes_through(fault: fn(&Postgres) -> Result<()>) {
    let cluster = Cluster::start(2).await;
    let load = Load::start(&cluster).await;
    let keeper = Keeper::start(&cluster, 0, false).await;
    tokio::task::block_in_place(|| fault(&cluster.postgres).unwrap());
    for node in [0, 1] {
        load.fails(node).await;
    }
    keeper.is_put_off().await;
    tokio::task::block_in_place(|| cluster.postgres.start_again().unwrap());
    for node in [0, 1] {
        load.goes_on(node).await;
    }
    keeper.finish().await;
    let done = load.finish().await;
    for failure in done.failures.iter().flatten() {
        assert!(failure.is_clean(), "{failure:?}");
    }
    cluster.agree_within(&done, Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_stops_costs_clean_errors_and_no_pairing() {
    goes_through(Postgres::stop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_crashes_costs_clean_errors_and_no_pairing() {
    goes_through(Postgres::kill).await;
}
