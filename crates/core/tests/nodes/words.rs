//! What nodes hear of each other, and what they do when they hear nothing.

use crowdlink_core::{Ended, Notice, datastream, json_store};
use crowdlink_protocol::Stage;

use crate::cluster::{CHANNEL, Cluster, client_id, soon, viewer};
use crate::documents::What;
use crate::wire::Way;

fn in_doubt(notice: &Notice) -> bool {
    matches!(notice, Notice::MayHaveChanged(_))
}

#[tokio::test]
async fn every_node_hears_once_what_happens_on_one() {
    let cluster = Cluster::start(3).await;
    What::State.write(&cluster.cores[1], "{}").await.unwrap();
    What::JsonStore
        .write(&cluster.cores[1], "{}")
        .await
        .unwrap();
    let caller = viewer(&cluster.cores[1], "77").await;
    datastream::send(&cluster.cores[1], &caller, None, b"{}")
        .await
        .unwrap();
    for node in 0..3 {
        // Nodes that begin after it put it in doubt; that is no word of anything.
        let is_word = |notice: &Notice| {
            !in_doubt(notice) && !matches!(notice, Notice::Ended(Ended::RevocationsMissed))
        };
        let words = || cluster.count(node, is_word);
        soon("the node hears of all", || async { words() >= 3 }).await;
        cluster.settle().await;
        let each = [
            cluster.count(node, |notice| matches!(notice, Notice::Changed(_))),
            cluster.count(node, |notice| matches!(notice, Notice::JsonStoreWritten(_))),
            cluster.count(node, |notice| matches!(notice, Notice::Streamed(_))),
        ];
        assert_eq!((each, words()), ([1; 3], 3));
    }
}

#[tokio::test]
async fn a_node_that_knows_it_is_deaf_looks_for_itself_every_five_seconds() {
    let cluster = Cluster::start(1).await;
    cluster.pass_ms(20_000).await;
    assert_eq!(cluster.count(0, in_doubt), 0);
    cluster.wire.set_up(false);
    for looks in 1..4 {
        for _ in 0..5 {
            cluster.pass_ms(1_000).await;
        }
        assert_eq!(cluster.count(0, in_doubt), looks);
    }
    cluster.wire.set_up(true);
    cluster.pass_ms(20_000).await;
    assert_eq!(cluster.count(0, in_doubt), 3);
    // Nothing was lost that anybody knows of.
    assert_eq!(cluster.cores[0].stats().bus_losses, 0);
}

#[tokio::test]
async fn losses_are_counted_and_told_with_a_commit_that_is_old_enough() {
    let cluster = Cluster::start(2).await;
    What::JsonStore
        .write(&cluster.cores[0], "{\"n\":1}")
        .await
        .unwrap();
    cluster.pass_ms(60_000).await;
    // Word of the first of these is lost; the second one's is heard.
    cluster.wire.set(Way::Lost);
    What::JsonStore
        .write(&cluster.cores[0], "{\"n\":2}")
        .await
        .unwrap();
    cluster.wire.set(Way::Carried);
    What::State
        .write(&cluster.cores[0], "{\"n\":3}")
        .await
        .unwrap();
    cluster.pass_ms(2_000).await;
    cluster.wire.tell_loss();
    soon("the loss is told", || async {
        cluster.count(1, in_doubt) == 1
    })
    .await;
    assert_eq!(cluster.cores[1].stats().bus_losses, 1);
    let told = cluster.told[1].lock().clone();
    let mut since = None;
    for notice in told {
        if let Notice::MayHaveChanged(sure) = notice {
            since = Some(sure);
        }
    }
    let client_id = client_id();
    let of = (Stage::Sandbox, &client_id);
    let found = json_store::written_since(&cluster.cores[1], of, Some(CHANNEL), since.unwrap());
    let found = found.await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].id.as_str(), found[0].value.get()),
        ("key", "{\"n\":2}")
    );
    let version = found[0].version;
    let none = json_store::written_since(&cluster.cores[1], of, Some(CHANNEL), version);
    assert!(none.await.unwrap().is_empty());
}
