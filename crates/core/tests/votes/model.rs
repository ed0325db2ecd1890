//! Random sequences of everything that can be done to a poll, compared with the naive one after
//! each step.

use crowdlink_core::polls::{self, CreatePoll};
use crowdlink_core::{Error, Refusal};
use crowdlink_protocol::{PollConfigChange, PollDefinitionChange};
use crowdlink_store::{Clock as _, Faults};
use futures::future::join_all;
use proptest::prelude::*;

use crate::naive::{DAYS_7_MS, Op, Poll, Told, alive, apply, are_of, rows};
use crate::nodes::{Nodes, POLL, broadcaster, viewer};

const VOTERS: usize = 4;
/// What goes wrong while a step is made, where anything does.
const FAULTS: Faults = Faults {
    refuse_per_mille: 50,
    unknown_per_mille: 150,
    delay_per_mille: 300,
    yields_max: 4,
};

#[derive(Clone, Debug)]
enum Step {
    /// What is done at once on one node, in this order.
    Ops {
        node: usize,
        ops: Vec<Op>,
        faults: bool,
    },
    Restart,
    AdvanceMs(u64),
}

fn config() -> impl Strategy<Value = PollConfigChange> {
    let number = || proptest::option::of(prop_oneof![Just(1_u16), Just(2), Just(3), Just(7)]);
    let disabled = prop_oneof![6 => Just(None), 1 => Just(Some(true)), 3 => Just(Some(false))];
    (number(), number(), number(), disabled).prop_map(|(total, option, distinct, disabled)| {
        PollConfigChange {
            total_votes_per_user: total,
            votes_per_option: option,
            distinct_options_per_user: distinct,
            disabled,
            ..PollConfigChange::default()
        }
    })
}

fn op() -> impl Strategy<Value = Op> {
    let value = prop_oneof![
        Just(-1_000_i64),
        Just(-1),
        Just(0),
        Just(63),
        Just(64),
        Just(1_000)
    ];
    let count = prop_oneof![6 => Just(1_i64), 1 => Just(2), 1 => Just(5)];
    prop_oneof![
        12 => (0..VOTERS, value, count)
            .prop_map(|(voter, value, count)| Op::Vote { voter, value, count }),
        3 => (0..VOTERS, -2_i64..4).prop_map(|(voter, add)| Op::Modify { voter, add }),
        2 => config().prop_map(Op::Configure),
        1 => (config(), any::<bool>()).prop_map(|(config, fresh)| Op::Create { config, fresh }),
        1 => Just(Op::Delete),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let week_ms = DAYS_7_MS.unsigned_abs();
    let ops = (
        0_usize..2,
        proptest::collection::vec(op(), 1..5),
        any::<bool>(),
    );
    let ms = prop_oneof![
        4 => 0_u64..3,
        2 => Just(61_000),
        1 => Just(week_ms - 1),
        1 => Just(week_ms),
        1 => Just(week_ms / 2),
    ];
    prop_oneof![
        8 => ops.prop_map(|(node, ops, faults)| Step::Ops { node, ops, faults }),
        1 => Just(Step::Restart),
        2 => ms.prop_map(Step::AdvanceMs),
    ]
}

/// Does it; `None` where nobody knows whether it was done.
async fn told(nodes: &Nodes, node: usize, op: &Op) -> Option<Told> {
    let core = &nodes.cores[node];
    let owner = broadcaster(core).await;
    let at = (None, POLL);
    let done = |done: Result<(), Error>| done.map(|()| Told::Done);
    let told = match op {
        Op::Vote {
            voter,
            value,
            count,
        } => {
            let caller = viewer(core, *voter).await;
            let voted = polls::vote(core, &caller, None, POLL, (*value, *count)).await;
            voted.map(|voted| Told::Voted(voted.vote))
        }
        Op::Modify { voter, add } => {
            let user = voter.to_string();
            done(polls::modify(core, &owner, at, (&user, *add)).await)
        }
        Op::Configure(config) => {
            let changes = (PollDefinitionChange::default(), *config);
            done(polls::configure(core, &owner, at, changes).await)
        }
        Op::Create { config, fresh } => {
            let (config, fresh) = (*config, *fresh);
            let poll = CreatePoll {
                config,
                fresh,
                ..CreatePoll::default()
            };
            let created = polls::create(core, &owner, at, poll).await;
            created.map(Told::Created)
        }
        Op::Delete => done(polls::delete(core, &owner, None, POLL).await),
    };
    match told {
        Ok(told) => Some(told),
        Err(error) if error.is_ours() => None,
        Err(error) => Some(Told::Refused(refusal(&error))),
    }
}

fn refusal(error: &Error) -> Refusal {
    let Error::Refused(refusal) = error else {
        panic!("{error}")
    };
    *refusal
}

/// All that the poll may be, for outcomes that nobody knows leave two of them.
type Possible = Vec<Option<Poll>>;

fn learn(possible: Possible, op: &Op, told: Option<&Told>, now_ms: i64) -> Possible {
    let mut after = Possible::new();
    for poll in possible {
        let (applied, expected) = apply(poll.clone(), op, now_ms);
        let both = match told {
            None => vec![poll, applied],
            Some(told) if *told == expected => vec![applied],
            Some(_) => Vec::new(),
        };
        for poll in both {
            if !after.contains(&poll) {
                after.push(poll);
            }
        }
    }
    after
}

/// Keeps what agrees with everything that both nodes tell.
async fn compare(nodes: &Nodes, possible: Possible) -> Possible {
    let now_ms = nodes.clock.now_ms();
    let mut kept: Possible = possible
        .into_iter()
        .map(|poll| alive(poll, now_ms))
        .collect();
    for node in 0..2 {
        let log = rows(&nodes.log(node).await);
        kept.retain(|poll| {
            poll.as_ref()
                .map_or(log.is_empty(), |poll| poll.log() == log)
        });
        for voter in 0..VOTERS {
            let told = nodes.read(node, voter).await;
            kept.retain(|poll| {
                let values = poll.as_ref().map(Poll::values).unwrap_or_default();
                let vote = poll.as_ref().and_then(|poll| poll.vote_of(voter));
                are_of(&told.numbers, &values) && told.vote == vote
            });
        }
    }
    kept
}

async fn play(mut nodes: Nodes, steps: Vec<Step>) {
    let mut possible: Possible = vec![None];
    for (index, step) in steps.iter().enumerate() {
        match step {
            Step::Ops { node, ops, faults } => {
                nodes.set_faults(if *faults { FAULTS } else { Faults::default() });
                let all = join_all(ops.iter().map(|op| told(&nodes, *node, op))).await;
                nodes.set_faults(Faults::default());
                let now_ms = nodes.clock.now_ms();
                for (op, told) in ops.iter().zip(&all) {
                    possible = learn(possible, op, told.as_ref(), now_ms);
                    assert!(
                        !possible.is_empty(),
                        "step {index}, {op:?} answered {told:?}"
                    );
                }
            }
            Step::Restart => nodes.restart().await,
            Step::AdvanceMs(ms) => {
                nodes.clock.advance_ms(*ms);
                // What is swept meanwhile must not be seen.
                tokio::task::yield_now().await;
            }
        }
        let before = format!("{possible:?}");
        possible = compare(&nodes, possible).await;
        assert!(
            !possible.is_empty(),
            "after step {index}, {step:?}: none of {before}"
        );
    }
}

fn block_on<F: Future<Output = ()>>(play: F) {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(play);
}

fn numbers() -> impl Strategy<Value = [u32; 2]> {
    prop_oneof![Just([0, 1]), Just([0, 0])]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_poll_is_what_its_votes_make_it_over_a_store_that_fails(
        seed in any::<u64>(),
        numbers in numbers(),
        steps in proptest::collection::vec(step(), 1..40),
    ) {
        block_on(async { play(Nodes::in_memory(seed, numbers).await, steps).await });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn a_poll_is_what_its_votes_make_it_on_disk_through_restarts(
        numbers in numbers(),
        steps in proptest::collection::vec(step(), 20..40),
    ) {
        block_on(async { play(Nodes::on_disk(numbers).await, steps).await });
    }
}
