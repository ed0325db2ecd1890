use std::sync::Arc;

use crowdlink_store::{Clock, ManualClock, MemoryStore};

use super::*;
use crate::bus::LocalBus;
use crate::random::SeededRandom;

const HEAD: &str = "sandbox/e/poll/p";
const HOUR_MS: i64 = LOOK_AGAIN_MS;

struct Place {
    clock: Arc<ManualClock>,
    store: Arc<MemoryStore>,
    world: World,
    client_id: ClientId,
}

impl Place {
    fn new() -> Self {
        let clock = ManualClock::new(1_700_000_000_000);
        let store = MemoryStore::new(clock.clone());
        let world = World {
            store: store.clone(),
            clock: clock.clone(),
            random: Arc::new(SeededRandom::from_seed(1)),
            bus: Arc::new(LocalBus::new()),
        };
        Self {
            clock,
            store,
            world,
            client_id: ClientId::new("e").unwrap(),
        }
    }

    fn watch_of(&self, run: &Run) -> Watch {
        Watch::new(run, HEAD, (Stage::Sandbox, &self.client_id), &["a", "b"])
    }

    fn in_ms(&self, ms: i64) -> i64 {
        self.clock.now_ms() + ms
    }

    /// A head with a new run and so many rows of each kind; the head lives for an hour or for ever.
    async fn begin(&self, rows: usize, expires_at_ms: Option<i64>) -> Run {
        let run = Run::new(&self.world);
        let head = format!(r#"{{"name":"p","run":"{}"}}"#, run.as_str());
        let commit = Commit::new().put(HEAD, head, expires_at_ms);
        let due_at_ms = expires_at_ms.unwrap_or(self.in_ms(HOUR_MS));
        let commit = watch(commit, &self.watch_of(&run), due_at_ms).unwrap();
        self.store.commit(commit).await.unwrap();
        for kind in ["a", "b"] {
            let prefix = run.rows(Stage::Sandbox, &self.client_id, kind);
            for first in (0..rows).step_by(5_000) {
                let commit = (first..rows.min(first + 5_000)).fold(Commit::new(), |commit, n| {
                    commit.put(format!("{prefix}{n:08}"), "1", None)
                });
                self.store.commit(commit).await.unwrap();
            }
        }
        run
    }

    async fn sweep(&self) -> Swept {
        sweep(&self.world).await.unwrap()
    }
}

#[tokio::test]
async fn rows_of_a_run_that_its_head_names_stay() {
    let place = Place::new();
    place.begin(3, None).await;
    let held = place.store.held();
    for _ in 0..5 {
        place.clock.advance_ms(HOUR_MS.unsigned_abs());
        let swept = place.sweep().await;
        assert_eq!((swept.alive, swept.dead, swept.rows), (1, 0, 0));
    }
    assert_eq!(place.sweep().await, Swept::default(), "it was put off");
    assert_eq!(place.store.held(), held);
}

#[tokio::test]
async fn rows_go_when_the_head_has_expired_and_not_before() {
    let place = Place::new();
    place.begin(3, Some(place.in_ms(HOUR_MS))).await;
    place.clock.advance_ms(HOUR_MS.unsigned_abs() - 1);
    assert_eq!(place.sweep().await, Swept::default());
    place.clock.advance_ms(1);
    let swept = place.sweep().await;
    assert_eq!((swept.dead, swept.rows), (1, 6));
    place.store.sweep(10).await.unwrap();
    assert_eq!(place.store.held(), 0, "nothing is left behind");
}

#[tokio::test]
async fn rows_of_a_run_that_was_replaced_go_and_those_of_its_successor_stay() {
    let place = Place::new();
    let first = place.begin(3, None).await;
    let commit = watch(Commit::new(), &place.watch_of(&first), place.in_ms(0)).unwrap();
    place.store.commit(commit).await.unwrap();
    let second = place.begin(2, None).await;
    assert_eq!(place.sweep().await.rows, 6);
    let prefix = second.rows(Stage::Sandbox, &place.client_id, "a");
    assert_eq!(place.store.scan(&prefix, None, 9).await.unwrap().len(), 2);
    // The watch that the first run had from its beginning finds nothing to do.
    place.clock.advance_ms(HOUR_MS.unsigned_abs());
    let swept = place.sweep().await;
    assert_eq!((swept.alive, swept.dead, swept.rows), (1, 1, 0));
    // The second run's head, its rows and its watch.
    assert_eq!(place.store.held(), 1 + 4 + 1);
}

#[tokio::test]
async fn one_sweep_removes_a_bounded_number_of_rows_and_the_next_goes_on() {
    let place = Place::new();
    let rows = SWEEP_ROWS_MAX / 2 + 700;
    place.begin(rows, Some(place.in_ms(1))).await;
    place.clock.advance_ms(1);
    assert_eq!(place.sweep().await.rows, SWEEP_ROWS_MAX);
    assert_eq!(place.sweep().await.rows, 1_400);
    assert_eq!(place.sweep().await, Swept::default());
}

#[tokio::test]
async fn one_sweep_looks_at_a_bounded_number_of_runs() {
    let place = Place::new();
    for _ in 0..=SWEEP_WATCHES_MAX {
        let run = Run::new(&place.world);
        let commit = watch(Commit::new(), &place.watch_of(&run), place.in_ms(0)).unwrap();
        place.store.commit(commit).await.unwrap();
    }
    assert_eq!(place.sweep().await.dead, SWEEP_WATCHES_MAX);
    assert_eq!(place.sweep().await.dead, 1);
    assert_eq!(place.store.held(), 0);
}

#[tokio::test]
async fn what_waits_for_its_head_learns_that_it_waited_too_long() {
    let place = Place::new();
    let run = Run::new(&place.world);
    let watched = place.watch_of(&run);
    let due_at_ms = place.in_ms(HOUR_MS);
    let commit = watch(Commit::new(), &watched, due_at_ms).unwrap();
    place.store.commit(commit).await.unwrap();
    let go_live = || {
        Commit::new()
            .check(watched.due_key(due_at_ms), Expect::Any)
            .put(HEAD, format!(r#"["{}"]"#, run.as_str()), None)
    };
    place.sweep().await;
    assert!(place.world.try_commit(go_live()).await.unwrap().is_some());
    place.clock.advance_ms(HOUR_MS.unsigned_abs());
    assert_eq!(place.sweep().await.alive, 1);
    place
        .store
        .commit(Commit::new().delete(HEAD))
        .await
        .unwrap();
    assert_eq!(place.world.try_commit(go_live()).await.unwrap(), None);
}

#[tokio::test]
async fn a_sweep_that_the_store_cuts_short_is_made_good_by_the_next() {
    let place = Place::new();
    place.begin(2_000, Some(place.in_ms(1))).await;
    place.clock.advance_ms(1);
    place.store.set_faults(crowdlink_store::Faults {
        refuse_per_mille: 150,
        unknown_per_mille: 150,
        ..crowdlink_store::Faults::default()
    });
    let mut failed = 0;
    for _ in 0..200 {
        failed += u32::from(sweep(&place.world).await.is_err());
    }
    assert!(failed > 0);
    place.store.sweep(10).await.unwrap();
    assert_eq!(place.store.held(), 0);
}
