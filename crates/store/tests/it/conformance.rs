//! The rules of the store, on every engine.

use crowdlink_store::conformance::{START_MS, Subject};
use crowdlink_store::{Faults, ManualClock, MemoryStore, SqliteOptions, SqliteStore};

fn memory() -> Subject {
    let clock = ManualClock::new(START_MS);
    Subject::of(MemoryStore::new(clock.clone()), clock, ())
}

crowdlink_store::conformance_tests!(memory_engine, async || memory());

/// Callers change places at every call; nothing fails.
fn delayed() -> Subject {
    let clock = ManualClock::new(START_MS);
    let faults = Faults {
        delay_per_mille: 500,
        yields_max: 5,
        ..Faults::default()
    };
    let store = MemoryStore::with_faults(clock.clone(), 7, faults);
    Subject::of(store, clock, ())
}

crowdlink_store::conformance_tests!(memory_engine_with_delays, async || delayed());

fn sqlite() -> Subject {
    let clock = ManualClock::new(START_MS);
    let directory = tempfile::tempdir().unwrap();
    let store =
        SqliteStore::open(directory.path(), clock.clone(), SqliteOptions::default()).unwrap();
    Subject::of(store, clock, directory)
}

crowdlink_store::conformance_tests!(sqlite_engine, async || sqlite());

/// Everything at its smallest: groups of few, one reader, a checkpoint at every commit.
fn cramped() -> Subject {
    let clock = ManualClock::new(START_MS);
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteOptions {
        group_commits_max: 2,
        group_bytes_max: 1,
        readers: 1,
        checkpoint_pages: 1,
        restart_pages: 1,
        truncate_pages: 1,
        ..SqliteOptions::default()
    };
    let store = SqliteStore::open(directory.path(), clock.clone(), options).unwrap();
    Subject::of(store, clock, directory)
}

crowdlink_store::conformance_tests!(sqlite_engine_cramped, async || cramped());
