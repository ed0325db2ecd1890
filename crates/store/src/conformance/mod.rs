//! One story, told on every engine. A rule of the store that is not here does not exist.
//!
//! [`crate::conformance_tests!`] makes one named test of each rule for an engine:
//!
//! ```ignore
//! crowdlink_store::conformance_tests!(memory, async || Subject::of(store, clock, ()));
//! ```
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "these are tests: they fail by panicking"
)]

pub mod bounds;
pub mod concurrency;
pub mod conditions;
pub mod expiry;
pub mod reads;
pub mod scans;
pub mod writes;

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use crate::{Commit, ManualClock, Record, Store, StoreError};

/// Wall time in ms at which every rule starts.
pub const START_MS: i64 = 1_700_000_000_000;

/// An empty store under test, the clock it follows, and what must live as long as both.
pub struct Subject {
    /// The engine.
    pub store: Arc<dyn Store>,
    /// Its clock, showing [`START_MS`].
    pub clock: Arc<ManualClock>,
    _guard: Box<dyn Any + Send + Sync>,
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

impl Subject {
    /// A subject that keeps `guard` (a temporary directory, say) until it is dropped.
    pub fn of(
        store: Arc<dyn Store>,
        clock: Arc<ManualClock>,
        guard: impl Any + Send + Sync,
    ) -> Self {
        Self {
            store,
            clock,
            _guard: Box::new(guard),
        }
    }

    async fn put(&self, key: &str, value: &str) -> u64 {
        self.commit(Commit::new().put(key, text(value), None)).await
    }

    async fn commit(&self, commit: Commit) -> u64 {
        self.store.commit(commit).await.unwrap()
    }

    async fn get(&self, key: &str) -> Option<Record> {
        self.store.get(key).await.unwrap()
    }

    async fn value(&self, key: &str) -> Option<String> {
        self.get(key)
            .await
            .map(|record| String::from_utf8(record.value.to_vec()).unwrap())
    }

    async fn keys(&self, prefix: &str) -> Vec<String> {
        self.page(prefix, None, crate::SCAN_PAGE_RECORDS_MAX).await
    }

    async fn page(&self, prefix: &str, after: Option<&str>, limit: usize) -> Vec<String> {
        let page = self.store.scan(prefix, after, limit).await.unwrap();
        page.into_iter().map(|entry| entry.key).collect()
    }
}

fn text(value: &str) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(value.as_bytes())
}

fn conflict(key: &str) -> Result<u64, StoreError> {
    Err(StoreError::Conflict { key: key.into() })
}

#[track_caller]
fn assert_refused<T: fmt::Debug>(answer: Result<T, StoreError>) {
    match answer {
        Err(StoreError::Refused(_)) => {}
        other => panic!("not refused: {other:?}"),
    }
}

/// Makes a module of tests, one for each rule: `conformance_tests!(name, make)`, where `make()` is
/// an async function that gives a fresh [`Subject`].
#[macro_export]
macro_rules! conformance_tests {
    ($engine:ident, $make:expr) => {
        $crate::conformance_tests!(@every modules [$engine, $make]);
    };
    (@every $form:ident [$($with:tt)*]) => {
        $crate::conformance_tests! { @$form [$($with)*]
            conditions {
                every_condition_against_every_state_of_a_key
                one_failed_condition_writes_nothing
                the_first_failed_condition_is_named
                several_conditions_on_one_key_must_all_hold
                conditions_see_the_state_before_the_writes_of_their_commit
            }
            writes {
                a_commit_is_read_back_at_once
                the_revision_grows_with_every_commit_and_is_the_version_of_what_it_put
                a_version_is_never_used_again_after_deletion
                a_conflict_leaves_version_and_value_alone
                the_last_write_of_a_key_in_one_commit_wins
                deleting_what_is_not_there_is_fine
                an_empty_commit_succeeds_and_has_its_own_revision
                a_rewrite_replaces_value_and_expiry
                the_engine_answers_a_ping
            }
            reads {
                get_many_answers_in_the_order_asked_with_duplicates_and_gaps
                values_come_back_byte_for_byte
                a_value_of_one_mebibyte_comes_back
                keys_are_compared_byte_for_byte
            }
            scans {
                a_scan_is_in_byte_order
                a_scan_holds_exactly_the_prefix
                pattern_characters_in_a_prefix_mean_themselves
                pages_follow_each_other_without_loss_or_repetition
                the_starting_point_may_be_anywhere
                the_limit_of_a_page_is_obeyed
                a_page_is_cut_to_the_maximum
            }
            expiry {
                a_record_ends_at_its_very_millisecond
                a_record_born_expired_is_never_seen
                an_expired_record_gives_its_key_free
                expired_records_do_not_count_for_a_page
                a_rewrite_takes_the_expiry_away
                a_sweep_changes_nothing_a_reader_sees
                a_sweep_is_bounded_and_ends
                a_sweep_spares_a_rewritten_key
            }
            bounds {
                a_key_has_one_byte_to_its_maximum
                a_nul_character_is_refused_everywhere
                a_value_has_at_most_its_maximum
                a_value_must_be_utf8
                a_batch_has_at_most_its_maximum
                a_commit_has_at_most_its_maximum_of_bytes
                an_answer_has_at_most_its_maximum_of_bytes
            }
            concurrency {
                sixty_four_writers_lose_no_increment
                one_of_many_creators_wins
                write_skew_is_impossible
                a_snapshot_never_shows_half_a_commit
                a_scan_never_shows_half_a_commit
                paging_beside_a_writer_loses_and_repeats_nothing
                a_sweep_beside_a_writer_removes_no_live_record
            }
        }
    };
    (@list [] $($module:ident { $($rule:ident)* })*) => {
        vec![$($(Rule {
            name: concat!(stringify!($module), "::", stringify!($rule)),
            tell: |subject| Box::pin($module::$rule(subject)),
        },)*)*]
    };
    (@modules [$engine:ident, $make:expr] $($module:ident { $($rule:ident)* })*) => {
        mod $engine {
            $(mod $module {
                #[allow(unused_imports)]
                use super::super::*;
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $rule() {
                    $crate::conformance::$module::$rule(($make)().await).await;
                })*
            })*
        }
    };
}

/// One rule, for engines that are too dear to start anew for each.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its name, as a test has it.
    pub name: &'static str,
    /// Tells it to a fresh subject; panics where it is broken.
    pub tell: fn(Subject) -> Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// Every rule there is, those of [`crate::conformance_tests!`].
pub fn rules() -> Vec<Rule> {
    crate::conformance_tests!(@every list [])
}
