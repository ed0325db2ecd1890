//! Who else is on a NATS server.

use crowdlink_core::{Bus, Delivery};
use services::Nats;

use crate::cluster::{eventually, message, next, node, node_of, nodes};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clusters_that_share_a_server_hear_nothing_of_each_other() {
    let nats = Nats::start().unwrap();
    let ours = nodes(&nats.url(), 2).await;
    let theirs = node_of(&nats.url(), "other.crowdlink");
    eventually("the other cluster is connected", || theirs.is_up()).await;
    let mut subscription = ours[0].subscribe();
    theirs.publish(message("theirs"));
    ours[1].publish(message("ours"));
    assert_eq!(
        next(&mut subscription).await,
        Delivery::Message(message("ours"))
    );
    assert_eq!((ours[0].peers(), theirs.peers()), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_takes_the_server_that_is_there() {
    let (gone, nats) = (Nats::start().unwrap(), Nats::start().unwrap());
    gone.stop().unwrap();
    let node = node(&format!("{},{}", gone.url(), nats.url()));
    eventually("the node is connected", || node.is_up()).await;
}
