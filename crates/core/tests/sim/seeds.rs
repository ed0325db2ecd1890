//! The seeds that are played.

use crate::sim::play;

/// Seeds of one test; there are eight of them.
const SEEDS_PER_TEST: u64 = 250;

/// Seeds that are played twice, to see that nothing else decides.
const SEEDS_PLAYED_TWICE: u64 = 30;

/// Plays seeds until one fails, and tells how to play that again. `SIM_SEED` plays one alone,
/// `SIM_SEEDS` another number of them.
fn play_from(part: u64) {
    let count = number("SIM_SEEDS").unwrap_or(SEEDS_PER_TEST);
    let seeds = match number("SIM_SEED") {
        Some(seed) if part == 0 => seed..seed + 1,
        Some(_) => return,
        None => part * count..(part + 1) * count,
    };
    for seed in seeds {
        if let Some(failure) = play(seed).failure {
            panic!(
                "seed {seed}\n{failure}\n\nreplay: \
                 SIM_SEED={seed} cargo nextest run -p crowdlink-core --test sim"
            );
        }
    }
}

/// A number that the environment names.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap())
}

macro_rules! seeds {
    ($($name:ident: $part:literal)*) => {$(
        #[test]
        fn $name() {
            play_from($part);
        }
    )*};
}

seeds! {
    no_order_of_events_breaks_a_promise_1: 0
    no_order_of_events_breaks_a_promise_2: 1
    no_order_of_events_breaks_a_promise_3: 2
    no_order_of_events_breaks_a_promise_4: 3
    no_order_of_events_breaks_a_promise_5: 4
    no_order_of_events_breaks_a_promise_6: 5
    no_order_of_events_breaks_a_promise_7: 6
    no_order_of_events_breaks_a_promise_8: 7
}

#[test]
fn the_same_seed_plays_the_same_events() {
    let hashes = |seed| (play(seed).hash, play(seed).hash);
    let count = number("SIM_SEEDS").unwrap_or(SEEDS_PLAYED_TWICE);
    let all: Vec<_> = (0..count).map(hashes).collect();
    for (one, other) in &all {
        assert_eq!(one, other);
    }
    let distinct: std::collections::BTreeSet<_> = all.iter().map(|(one, _)| one).collect();
    assert_eq!(distinct.len(), all.len());
}
