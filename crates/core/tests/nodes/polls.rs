//! Polls on several nodes that hear nothing of each other (DESIGN 3).

use crowdlink_core::polls::{self, CreatePoll, Voted};
use crowdlink_core::{Core, Error, Refusal};
use crowdlink_protocol::{PollConfigChange, PollStatus};

use crate::cluster::{Cluster, broadcaster, viewer};
use crate::wire::Way;

const POLL: &str = "p";

async fn vote(core: &Core, user: &str, value: i64) -> Result<Voted, Error> {
    let caller = viewer(core, user).await;
    polls::vote(core, &caller, None, POLL, (value, 1)).await
}

async fn count(core: &Core) -> i64 {
    let caller = viewer(core, "0").await;
    let voted = polls::votes(core, &caller, None, POLL).await.unwrap();
    voted.numbers.count
}

async fn create(core: &Core, poll: CreatePoll) {
    let caller = broadcaster(core).await;
    polls::create(core, &caller, (None, POLL), poll)
        .await
        .unwrap();
}

async fn cut_off(nodes: usize) -> Cluster {
    let cluster = Cluster::start(nodes).await;
    cluster.wire.set(Way::Lost);
    cluster
}

#[tokio::test]
async fn votes_on_all_nodes_add_up() {
    let cluster = cut_off(3).await;
    create(&cluster.cores[0], CreatePoll::default()).await;
    let votes = (0..90).map(|n: usize| {
        let core = &cluster.cores[n % 3];
        async move { vote(core, &n.to_string(), 1).await }
    });
    for voted in futures::future::join_all(votes).await {
        voted.unwrap();
    }
    for core in &cluster.cores {
        assert_eq!(count(core).await, 90);
    }
}

#[tokio::test]
async fn who_votes_again_on_another_node_moves_the_vote() {
    let cluster = cut_off(3).await;
    create(&cluster.cores[0], CreatePoll::default()).await;
    for n in 0..30 {
        let value = i64::try_from(n % 4).unwrap();
        let voted = vote(&cluster.cores[n % 3], "77", value).await.unwrap();
        assert_eq!((voted.numbers.count, voted.vote), (1, Some(value)));
        assert_eq!(voted.numbers.sum, value);
    }
}

#[tokio::test]
async fn a_poll_that_was_deleted_or_emptied_takes_no_vote_of_its_old_run() {
    let cluster = cut_off(2).await;
    let [one, other] = [&cluster.cores[0], &cluster.cores[1]];
    create(one, CreatePoll::default()).await;
    for user in ["1", "2", "3"] {
        // The other node remembers the run that it counts for.
        vote(other, user, 1).await.unwrap();
    }
    let caller = broadcaster(one).await;
    polls::delete(one, &caller, None, POLL).await.unwrap();
    assert_eq!(count(other).await, 0);
    assert_eq!(vote(other, "4", 1).await.unwrap().numbers.count, 1);
    vote(one, "5", 1).await.unwrap();
    let fresh = CreatePoll {
        fresh: true,
        ..CreatePoll::default()
    };
    create(one, fresh).await;
    assert_eq!(vote(other, "4", 1).await.unwrap().numbers.count, 1);
    assert_eq!(count(one).await, 1);
}

#[tokio::test]
async fn a_poll_that_was_stopped_on_one_node_is_closed_on_the_others() {
    let cluster = cut_off(2).await;
    let [one, other] = [&cluster.cores[0], &cluster.cores[1]];
    create(one, CreatePoll::default()).await;
    vote(other, "1", 1).await.unwrap();
    let stop = PollConfigChange {
        ends_at_s: Some(-1),
        ..PollConfigChange::default()
    };
    let caller = broadcaster(one).await;
    polls::reconfigure(one, &caller, (None, POLL), stop)
        .await
        .unwrap();
    let refused = vote(other, "2", 1).await.unwrap_err();
    assert_eq!(refused, Refusal::PollClosed.into());
    let report = polls::report(other, &viewer(other, "1").await, None, POLL).await;
    assert_eq!(report.unwrap().poll.status, PollStatus::Expired);
    assert_eq!(count(other).await, 1);
}

#[tokio::test]
async fn deletions_and_votes_that_race_leave_no_vote_of_an_old_run() {
    let cluster = cut_off(3).await;
    for round in 0..20 {
        create(&cluster.cores[0], CreatePoll::default()).await;
        let votes = (0..12).map(|n: usize| {
            let core = &cluster.cores[n % 3];
            async move { vote(core, &format!("{round}-{n}"), 1).await }
        });
        let delete = async {
            for _ in 0..round {
                tokio::task::yield_now().await;
            }
            let core = &cluster.cores[0];
            let caller = broadcaster(core).await;
            polls::delete(core, &caller, None, POLL).await
        };
        let (voted, deleted) = tokio::join!(futures::future::join_all(votes), delete);
        deleted.unwrap();
        for voted in voted {
            voted.unwrap();
        }
        // What came after the deletion counts, on every node the same.
        let counts = [
            count(&cluster.cores[0]).await,
            count(&cluster.cores[2]).await,
        ];
        assert_eq!(counts[0], counts[1]);
        let caller = broadcaster(&cluster.cores[1]).await;
        polls::delete(&cluster.cores[1], &caller, None, POLL)
            .await
            .unwrap();
        assert_eq!(count(&cluster.cores[0]).await, 0);
    }
}
