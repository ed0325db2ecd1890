//! Servers that go, networks that break, and nodes that die.

use crowdlink_core::{Bus, Delivery};
use services::{Nats, Proxy};

use crate::cluster::{eventually, figure, lost, message, next, node, nodes};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_starts_without_nats_and_finds_it_later() {
    let nats = Nats::start().unwrap();
    nats.stop().unwrap();
    let alone = node(&nats.url());
    let mut subscription = alone.subscribe();
    alone.publish(message("alone"));
    assert_eq!(
        next(&mut subscription).await,
        Delivery::Message(message("alone"))
    );
    assert!(!alone.is_up());
    assert_eq!(figure(&alone, "crowdlink_bus_dropped"), 1);
    nats.start_again().unwrap();
    // What the others did until now is news.
    assert_eq!(lost(&mut subscription).await, []);
    eventually("the node is connected", || alone.is_up()).await;
    assert_eq!(figure(&alone, "crowdlink_bus_connects"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_find_each_other_again_however_often_nats_dies() {
    let nats = Nats::start().unwrap();
    let nodes = nodes(&nats.url(), 2).await;
    let mut subscriptions: Vec<_> = nodes.iter().map(|node| node.subscribe()).collect();
    for round in 0..3 {
        nats.kill().unwrap();
        for node in &nodes {
            eventually("the node knows that it is cut off", || !node.is_up()).await;
        }
        nodes[0].publish(message("nobody else hears this"));
        nats.start_again().unwrap();
        for (node, subscription) in nodes.iter().zip(&mut subscriptions) {
            lost(subscription).await;
            eventually("the node is connected", || node.is_up()).await;
        }
        eventually("the nodes hear each other", || {
            nodes.iter().all(|node| node.peers() == 1)
        })
        .await;
        // What was published without a connection does not come late.
        let text = format!("round {round}");
        eventually("the gap is known", || {
            figure(&nodes[1], "crowdlink_bus_missed") == round + 1
        })
        .await;
        nodes[0].publish(message(&text));
        let heard = loop {
            match next(&mut subscriptions[1]).await {
                Delivery::Message(message) => break message,
                Delivery::Lost => {}
            }
        };
        assert_eq!(heard, message(&text));
    }
    assert_eq!(figure(&nodes[0], "crowdlink_bus_dropped"), 3);
    assert_eq!(figure(&nodes[0], "crowdlink_bus_connects"), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_swallows_everything_is_found_out() {
    let nats = Nats::start().unwrap();
    let proxy = Proxy::start(nats.address()).unwrap();
    let near = node(&nats.url());
    let far = node(&format!("nats://{}", proxy.address()));
    eventually("the nodes hear each other", || {
        near.peers() == 1 && far.peers() == 1
    })
    .await;
    let (mut on_near, mut on_far) = (near.subscribe(), far.subscribe());
    proxy.stall().unwrap();
    near.publish(message("swallowed"));
    // No connection was closed: each misses the other's heartbeats.
    lost(&mut on_near).await;
    lost(&mut on_far).await;
    eventually("the far node gives its connection up", || !far.is_up()).await;
    proxy.heal().unwrap();
    eventually("the nodes hear each other", || {
        far.is_up() && near.peers() == 1 && far.peers() == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_dies_is_missed() {
    let nats = Nats::start().unwrap();
    let mut nodes = nodes(&nats.url(), 2).await;
    let mut subscription = nodes[0].subscribe();
    // It may have committed what it told nobody.
    drop(nodes.pop());
    assert_eq!(lost(&mut subscription).await, []);
    assert_eq!(nodes[0].peers(), 0);
    assert!(nodes[0].is_up());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_fits_in_the_queue_is_dropped_and_the_others_are_told() {
    let nats = Nats::start().unwrap();
    let proxy = Proxy::start(nats.address()).unwrap();
    let near = node(&nats.url());
    let far = node(&format!("nats://{}", proxy.address()));
    eventually("the nodes hear each other", || {
        near.peers() == 1 && far.peers() == 1
    })
    .await;
    let mut subscription = near.subscribe();
    proxy.stall().unwrap();
    let large = "x".repeat(4 * 1024 * 1024);
    for _ in 0..20 {
        far.publish(message(&large));
    }
    assert!(figure(&far, "crowdlink_bus_dropped") > 0);
    proxy.heal().unwrap();
    lost(&mut subscription).await;
    eventually("every message was heard or is known to be gone", || {
        let heard = figure(&near, "crowdlink_bus_received");
        heard + figure(&near, "crowdlink_bus_missed") == 20
    })
    .await;
}
