//! Whatever the bus does: what was acknowledged is read everywhere, in time.

use proptest::prelude::*;

use crate::cluster::Cluster;
use crate::documents::{ALL, What};
use crate::wire::Way;

#[derive(Clone, Copy, Debug)]
enum Step {
    Write(usize, What),
    Read(usize, What),
    Way(Way),
    Deliver,
    TellLoss,
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let what = || (0..ALL.len()).prop_map(|n| ALL[n]);
    let way = prop_oneof![Just(Way::Carried), Just(Way::Delayed), Just(Way::Lost)];
    let step = prop_oneof![
        6 => (0..3_usize, what()).prop_map(|(node, what)| Step::Write(node, what)),
        6 => (0..3_usize, what()).prop_map(|(node, what)| Step::Read(node, what)),
        2 => way.prop_map(Step::Way),
        1 => Just(Step::Deliver),
        1 => Just(Step::TellLoss),
        2 => (1..700_u64).prop_map(Step::Pass),
    ];
    proptest::collection::vec(step, 1..60)
}

/// When each document got each of its values (ms), by what counts up in it.
#[derive(Default)]
struct Written(Vec<u64>);

async fn play(steps: Vec<Step>) {
    let cluster = Cluster::start(3).await;
    let mut now_ms = 0;
    let mut written: [Written; 3] = std::array::from_fn(|_| Written::default());
    for step in steps {
        match step {
            Step::Write(node, what) => {
                let all = &mut written[what as usize].0;
                let json = format!("{{\"n\":{}}}", all.len());
                what.write(&cluster.cores[node], &json).await.unwrap();
                all.push(now_ms);
                // Whoever writes reads it at once.
                assert_eq!(what.read(&cluster.cores[node]).await.unwrap(), json);
            }
            Step::Read(node, what) => {
                let json = what.read(&cluster.cores[node]).await.unwrap();
                let value: serde_json::Value = serde_json::from_str(&json).unwrap();
                let all = &written[what as usize].0;
                let read = value["n"].as_u64().map_or(0, |n| n + 1);
                // All that was there more than a second ago, and perhaps more.
                let at_least = all.iter().filter(|at_ms| **at_ms + 1_000 < now_ms).count();
                assert!(read >= at_least as u64, "{what:?}: {read} of {at_least}");
            }
            Step::Way(way) => cluster.wire.set(way),
            Step::Deliver => cluster.wire.deliver(),
            Step::TellLoss => cluster.wire.tell_loss(),
            Step::Pass(ms) => {
                now_ms += ms;
                cluster.clock.advance_ms(ms);
            }
        }
    }
    cluster.clock.advance_ms(1_001);
    for (what, written) in ALL.iter().zip(&written) {
        for core in &cluster.cores {
            let json = what.read(core).await.unwrap();
            match written.0.len() {
                0 => assert_eq!(json, "{}"),
                count => assert_eq!(json, format!("{{\"n\":{}}}", count - 1)),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_was_written_a_second_ago_is_read_everywhere(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(play(steps));
    }
}
