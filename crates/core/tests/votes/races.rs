//! Many who vote at once, on two nodes, over a store that fails.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crowdlink_core::polls;
use crowdlink_protocol::{PollConfigChange, PollDefinitionChange, VoteStatistics};
use crowdlink_store::Faults;
use parking_lot::Mutex;
use proptest::prelude::*;
use tokio::task::JoinSet;

use crate::naive::{are_of, rows};
use crate::nodes::{Nodes, POLL, broadcaster};

const VOTERS: usize = 12;
const VOTES_EACH: usize = 10;
const STORM: Faults = Faults {
    refuse_per_mille: 30,
    unknown_per_mille: 60,
    delay_per_mille: 700,
    yields_max: 12,
};
const SLOW: Faults = Faults {
    refuse_per_mille: 0,
    unknown_per_mille: 0,
    delay_per_mille: 700,
    yields_max: 12,
};

/// Whether numbers can be of one moment, of votes for small values alone.
fn agree(numbers: &VoteStatistics) -> bool {
    let votes = (0..).zip(&numbers.specific);
    let each = votes.clone().all(|(_, count)| *count >= 0);
    each && numbers.count == numbers.specific.iter().sum::<i64>()
        && numbers.sum
            == votes
                .map(|(value, count): (i64, _)| value * count)
                .sum::<i64>()
}

/// Every voter changes their mind again and again; what may be their vote at the end.
async fn all_vote(nodes: &Arc<Nodes>, turn: usize) -> BTreeMap<usize, BTreeSet<i64>> {
    let mut voting = JoinSet::new();
    for voter in 0..VOTERS {
        let nodes = Arc::clone(nodes);
        voting.spawn(async move {
            let mut may_be = BTreeSet::new();
            for number in 0..VOTES_EACH {
                let value = (number * 5 + voter + turn) % 8;
                let value = i64::try_from(value).unwrap();
                let node = (number + voter + turn / 2) % 2;
                match nodes.vote(node, voter, (value, 1)).await {
                    Ok(voted) => {
                        may_be = BTreeSet::from([value]);
                        assert_eq!(voted.vote, Some(value));
                        assert!(agree(&voted.numbers), "{:?}", voted.numbers);
                    }
                    Err(error) => {
                        assert!(error.is_ours(), "{error}");
                        may_be.insert(value);
                    }
                }
            }
            (voter, may_be)
        });
    }
    voting.join_all().await.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_last_vote_of_each_counts_once_however_the_nodes_race(
        seed in any::<u64>(),
        numbers in prop_oneof![Just([0, 1]), Just([0, 0])],
        faults in prop_oneof![Just(STORM), Just(SLOW)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let nodes = Arc::new(Nodes::in_memory(seed, numbers).await);
            nodes.set_faults(faults);
            let may_be = all_vote(&nodes, usize::try_from(seed % 64).unwrap()).await;
            nodes.set_faults(Faults::default());
            let log = rows(&nodes.log(0).await);
            let values: Vec<i64> = log.iter().map(|row| row.1).collect();
            for node in 0..2 {
                assert!(are_of(&nodes.read(node, 0).await.numbers, &values), "{log:?}");
            }
            let voters: BTreeSet<&String> = log.iter().map(|row| &row.0).collect();
            assert_eq!(voters.len(), log.len(), "a voter twice: {log:?}");
            for (voter, may_be) in may_be {
                let there = nodes.read(1, voter).await.vote;
                let logged = log.iter().find(|row| row.0 == voter.to_string());
                assert_eq!(there, logged.map(|row| row.1));
                let fits = there.is_some_and(|there| may_be.contains(&there));
                assert!(fits, "{voter} voted for {there:?}, not one of {may_be:?}");
            }
        });
    }

    #[test]
    fn votes_that_add_up_count_each_as_often_as_answered(
        seed in any::<u64>(),
        numbers in prop_oneof![Just([0, 1]), Just([0, 0])],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let nodes = Arc::new(Nodes::in_memory(seed, numbers).await);
            let many = PollConfigChange {
                total_votes_per_user: Some(1_024),
                votes_per_option: Some(1_024),
                ..PollConfigChange::default()
            };
            let owner = broadcaster(&nodes.cores[0]).await;
            let changes = (PollDefinitionChange::default(), many);
            let core = &nodes.cores[0];
            polls::configure(core, &owner, (None, POLL), changes).await.unwrap();
            nodes.set_faults(STORM);
            let mut voting = JoinSet::new();
            for voter in 0..VOTERS {
                let nodes = Arc::clone(&nodes);
                let value = i64::try_from(voter).unwrap();
                voting.spawn(async move {
                    let (mut sure, mut unknown) = (0, 0);
                    for number in 0..VOTES_EACH {
                        match nodes.vote((number + voter) % 2, voter, (value, 3)).await {
                            Ok(_) => sure += 3,
                            Err(_) => unknown += 3,
                        }
                    }
                    (voter, sure..=sure + unknown)
                });
            }
            let expected = voting.join_all().await;
            nodes.set_faults(Faults::default());
            let told = nodes.read(0, 0).await.numbers;
            assert!(agree(&told), "{told:?}");
            for (voter, range) in expected {
                assert!(range.contains(&told.specific[voter]), "{voter}: {range:?} {told:?}");
                assert_eq!(told.specific[voter] % 3, 0, "part of a vote");
            }
        });
    }
}

/// Who hears of a vote before the delete is answered voted before it.
#[tokio::test]
async fn a_vote_that_is_answered_before_the_delete_is_gone() {
    for seed in 0..40 {
        let nodes = Arc::new(Nodes::in_memory(seed, [0, 1]).await);
        nodes.set_faults(SLOW);
        let answers = Arc::new(Mutex::new(Vec::new()));
        let mut racing = JoinSet::new();
        for voter in 0..60 {
            if voter == 30 {
                let (nodes, answers) = (Arc::clone(&nodes), Arc::clone(&answers));
                racing.spawn(async move {
                    let core = &nodes.cores[0];
                    let owner = broadcaster(core).await;
                    polls::delete(core, &owner, None, POLL).await.unwrap();
                    answers.lock().push(None);
                });
            }
            let (nodes, answers) = (Arc::clone(&nodes), Arc::clone(&answers));
            racing.spawn(async move {
                nodes.vote(0, voter, (1, 1)).await.unwrap();
                answers.lock().push(Some(voter));
            });
        }
        racing.join_all().await;
        nodes.set_faults(Faults::default());
        let answers = answers.lock().clone();
        let (before, after) = answers.split_at(answers.iter().position(Option::is_none).unwrap());
        assert!(!before.is_empty() && after.len() > 1, "no race");
        let there: BTreeSet<String> = nodes
            .log(0)
            .await
            .into_iter()
            .map(|row| row.identifier)
            .collect();
        for voter in before.iter().flatten() {
            assert!(
                !there.contains(&voter.to_string()),
                "{voter} of {seed} is still there"
            );
        }
        assert_eq!(
            nodes.read(1, 0).await.numbers.count,
            i64::try_from(there.len()).unwrap()
        );
    }
}

/// The clock stands still, so that the vote is the same to the ms.
#[tokio::test]
async fn the_same_vote_after_a_delete_on_another_node_counts() {
    for numbers in [[0, 1], [0, 0]] {
        let nodes = Nodes::in_memory(1, numbers).await;
        let owner = broadcaster(&nodes.cores[1]).await;
        nodes.vote(0, 1, (5, 1)).await.unwrap();
        nodes.vote(0, 2, (5, 1)).await.unwrap();
        polls::delete(&nodes.cores[1], &owner, None, POLL)
            .await
            .unwrap();
        let told = nodes.vote(0, 1, (5, 1)).await.unwrap();
        assert_eq!((told.numbers.count, told.vote), (1, Some(5)));
        assert_eq!(nodes.read(1, 1).await, told);
    }
}

/// Who votes on both nodes at once is told numbers of one moment by both.
#[tokio::test]
async fn answers_are_of_one_moment_where_a_voter_is_on_two_nodes() {
    for seed in 0..60 {
        let nodes = Arc::new(Nodes::in_memory(seed, [0, 1]).await);
        nodes.set_faults(SLOW);
        let mut voting = JoinSet::new();
        for task in 0..6 {
            let nodes = Arc::clone(&nodes);
            voting.spawn(async move {
                for turn in 0..10 {
                    let value = i64::try_from((turn * 3 + task) % 8).unwrap();
                    let voted = nodes.vote(task % 2, task / 2, (value, 1)).await;
                    // Both may be in each other's way too often.
                    let Ok(voted) = voted else { continue };
                    let numbers = &voted.numbers;
                    assert!(
                        agree(numbers) && (1..=3).contains(&numbers.count),
                        "{numbers:?}"
                    );
                }
            });
        }
        voting.join_all().await;
    }
}
