//! The rhythm under random sequences of news and time (`spec 2.6`, `spec 4.3`).

use crowdlink_protocol::PollStatus::Expired;
use proptest::prelude::*;

use super::track::Track;
use super::track_tests::{RHYTHM, Sim};

/// What happens to a poll.
#[derive(Clone, Debug)]
enum Step {
    Vote,
    Votes(u64),
    Create(i64, i64, bool),
    Stop,
    Reopen(i64),
    Reconfigure,
    Doubt,
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let moment = || prop_oneof![Just(-1_i64), 0..4_000_i64];
    let step = prop_oneof![
        4 => Just(Step::Vote),
        2 => (1..30_u64).prop_map(Step::Votes),
        2 => (moment(), moment(), any::<bool>()).prop_map(|(s, e, f)| Step::Create(s, e, f)),
        2 => Just(Step::Stop),
        1 => (1..4_000_i64).prop_map(Step::Reopen),
        1 => Just(Step::Reconfigure),
        1 => Just(Step::Doubt),
        6 => (0..2_500_u64).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 1..60)
}

/// The openings that were the poll's until a second after their end.
fn play(sim: &mut Sim, steps: &[Step]) -> Vec<(String, u64)> {
    let mut ended = Vec::new();
    for step in steps {
        match step {
            Step::Vote => sim.vote(),
            Step::Votes(times) => (0..*times).for_each(|_| {
                sim.vote();
                sim.run_ms(40);
            }),
            Step::Create(start, end, fresh) => {
                note_end(sim, &mut ended);
                sim.create(*start, *end, *fresh);
            }
            Step::Stop => sim.stop(),
            Step::Reopen(end) => {
                note_end(sim, &mut ended);
                sim.reopen(*end);
            }
            Step::Reconfigure => sim.reconfigure(),
            Step::Doubt => sim.doubt(),
            Step::Wait(ms) => sim.run_ms(*ms),
        }
    }
    sim.run_ms(20_000);
    note_end(sim, &mut ended);
    ended
}

fn note_end(sim: &Sim, ended: &mut Vec<(String, u64)>) {
    let for_ms = sim.unix_ms() - sim.times.ends_at_ms;
    let known = ended.contains(&sim.times.opening);
    if sim.status() == Expired && for_ms >= 1_000 && !known && sim.times.opening.1 > 0 {
        ended.push(sim.times.opening.clone());
    }
}

proptest! {
    #[test]
    fn games_are_told_in_their_rhythm_whatever_happens(steps in steps()) {
        let mut sim = Sim::new();
        let ended = play(&mut sim, &steps);
        for pair in sim.games.windows(2) {
            let [before, after] = pair else { unreachable!() };
            if before.opening != after.opening {
                continue;
            }
            prop_assert!(after.at_ms - before.at_ms >= RHYTHM.games_ms_min, "{pair:?}");
            prop_assert_ne!(before.status, Expired, "after the end: {:?}", after);
            let turned = after.status != before.status;
            prop_assert!(turned || after.votes_version > before.votes_version, "no news: {pair:?}");
        }
        for opening in ended {
            let ends = sim.games.iter().filter(|e| e.opening == opening && e.status == Expired);
            prop_assert_eq!(ends.count(), 1, "{:?}", opening);
        }
        let last = sim.games.iter().rfind(|event| event.opening == sim.times.opening);
        prop_assert_eq!(last.map_or(0, |event| event.votes_version), sim.votes_version);
    }

    #[test]
    fn viewers_are_told_in_their_rhythm_whatever_happens(steps in steps()) {
        let mut sim = Sim::new();
        play(&mut sim, &steps);
        for pair in sim.vote_updates.windows(2) {
            let [before, after] = pair else { unreachable!() };
            if before.1 == after.1 {
                prop_assert!(after.0 - before.0 >= RHYTHM.viewers_ms_min, "{pair:?}");
                prop_assert!(after.2 > before.2, "no news: {pair:?}");
            }
        }
        let run = &sim.times.opening.0;
        let last = sim.vote_updates.iter().rfind(|told| told.1 == *run);
        prop_assert_eq!(last.map_or(0, |told| told.2), sim.votes_version);
    }

    #[test]
    fn polls_of_matches_are_told_with_new_votes_and_once_at_the_end(steps in steps()) {
        let mut sim = Sim::new();
        sim.track = Track::default().of_match();
        // All begin at once: what is told when a start is moved has no votes to show.
        let steps: Vec<_> = steps
            .into_iter()
            .map(|step| {
                if let Step::Create(_, end, fresh) = step {
                    Step::Create(-1, end, fresh)
                } else {
                    step
                }
            })
            .collect();
        let ended = play(&mut sim, &steps);
        let mut known = ("", 0);
        for event in &sim.games {
            if event.opening.0 != known.0 {
                known = (&event.opening.0, 0);
            }
            prop_assert!(event.status == Expired || event.votes_version > known.1, "{event:?}");
            known.1 = event.votes_version;
        }
        for pair in sim.games.windows(2) {
            let [before, after] = pair else { unreachable!() };
            if before.opening == after.opening {
                prop_assert!(after.at_ms - before.at_ms >= RHYTHM.games_ms_min, "{pair:?}");
                prop_assert_ne!(before.status, Expired, "after the end: {:?}", after);
            }
        }
        for opening in ended {
            let ends = sim.games.iter().filter(|e| e.opening == opening && e.status == Expired);
            prop_assert_eq!(ends.count(), 1, "{:?}", opening);
        }
        prop_assert_eq!(known.1 * u64::from(known.0 == sim.times.opening.0), sim.votes_version);
        prop_assert_eq!((sim.poll_updates, sim.vote_updates.len()), (0, 0));
    }

    #[test]
    fn after_the_tail_nothing_is_told_and_nothing_kept(steps in steps()) {
        let mut sim = Sim::new();
        play(&mut sim, &steps);
        let told = (sim.games.len(), sim.poll_updates, sim.vote_updates.len());
        sim.run_ms(RHYTHM.tail_ms_max);
        prop_assert_eq!(told, (sim.games.len(), sim.poll_updates, sim.vote_updates.len()));
        prop_assert_eq!(sim.track.next_ms(sim.now()), None);
    }
}
