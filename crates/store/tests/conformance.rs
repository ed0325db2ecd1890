//! The rules of the store, on every engine.

use crowdlink_store::conformance::{START_MS, Subject};
use crowdlink_store::{Faults, ManualClock, MemoryStore};

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
