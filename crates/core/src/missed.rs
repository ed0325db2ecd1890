//! Word of other nodes that never came, and how far back to look for what it told of.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::core::Core;
use crate::error::Error;
use crate::shared::Place;

/// How long ago the oldest word may have been sent of which a loss is told now: a connection that
/// is dead without being closed is found out sooner, and a node that is cut off looks more often.
const LOOK_BACK_MS: u64 = 15_000;
/// How much time one mark stands for.
const MARK_MS: u64 = 1_000;
/// Marks kept: as far as one looks back, and the ones at both ends of that.
const MARKS_MAX: usize = (LOOK_BACK_MS / MARK_MS) as usize + 2;

/// The newest commit that was heard of in a second.
#[derive(Debug)]
struct Mark {
    /// When the second began (monotonic ms).
    from_ms: u64,
    version: u64,
}

/// Which commits this node has heard of, and when.
#[derive(Debug, Default)]
pub(crate) struct HeardCommits {
    marks: Mutex<VecDeque<Mark>>,
    newest: AtomicU64,
    losses: AtomicU64,
}

impl HeardCommits {
    /// Takes note of a commit. 0 is none.
    pub(crate) fn hear(&self, version: u64, now_ms: u64) {
        if version <= self.newest.load(Ordering::Relaxed) {
            return;
        }
        let mut marks = self.marks.lock();
        let newest = self.newest.fetch_max(version, Ordering::Relaxed);
        let version = version.max(newest);
        match marks.back_mut() {
            Some(mark) if now_ms < mark.from_ms + MARK_MS => mark.version = version,
            _ => marks.push_back(Mark {
                from_ms: now_ms,
                version,
            }),
        }
        if marks.len() > MARKS_MAX {
            marks.pop_front();
        }
    }

    /// Counts a loss.
    pub(crate) fn lost(&self) {
        self.losses.fetch_add(1, Ordering::Relaxed);
    }

    /// Losses told so far.
    pub(crate) fn losses(&self) -> u64 {
        self.losses.load(Ordering::Relaxed)
    }

    /// A commit so old that word of it cannot have been lost without being told: all that is
    /// newer may have been.
    pub(crate) fn sure_until(&self, now_ms: u64) -> u64 {
        let is_old = |mark: &&Mark| mark.from_ms + MARK_MS + LOOK_BACK_MS <= now_ms;
        let marks = self.marks.lock();
        let newest_old = marks.iter().rev().find(is_old);
        newest_old.map_or(0, |mark| mark.version)
    }
}

impl Core {
    /// Of some documents, those that a commit after `since` wrote, for those who were found fit to
    /// be told of them; past every cache.
    pub async fn changed_since(&self, places: Vec<Place>, since: u64) -> Result<Vec<Place>, Error> {
        let found = self.shared.read_many(&places).await?;
        let changed = places.into_iter().zip(found);
        let changed = changed.filter(|(_, snapshot)| snapshot.version > since);
        Ok(changed.map(|(place, _)| place).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_looks_back_to_what_was_heard_so_long_ago() {
        let heard = HeardCommits::default();
        assert_eq!(heard.sure_until(0), 0);
        heard.hear(10, 1_000);
        heard.hear(20, 2_000);
        heard.hear(30, 20_000);
        assert_eq!(heard.sure_until(1_999 + LOOK_BACK_MS), 0);
        assert_eq!(heard.sure_until(2_000 + LOOK_BACK_MS), 10);
        assert_eq!(heard.sure_until(20_000), 20);
        assert_eq!(heard.sure_until(21_000 + LOOK_BACK_MS), 30);
        // What comes late is no news.
        heard.hear(25, 50_000);
        assert_eq!(heard.sure_until(1_000_000), 30);
    }

    #[test]
    fn so_many_marks_are_kept_and_none_is_too_new() {
        let heard = HeardCommits::default();
        for version in 1..=100_000 {
            let now_ms = version;
            heard.hear(version, now_ms);
            let sure = heard.sure_until(now_ms);
            assert!(sure <= now_ms.saturating_sub(LOOK_BACK_MS), "{now_ms}");
            assert!(sure + LOOK_BACK_MS + MARK_MS >= now_ms, "{now_ms}");
        }
        assert!(heard.marks.lock().len() <= MARKS_MAX);
    }
}
