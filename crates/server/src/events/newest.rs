//! What was told last, where the content comes with the word of it: two nodes tell in an order of
//! their own, and what is looked up after a loss may be older than what came meanwhile.

use std::collections::HashMap;

use parking_lot::Mutex;

/// Things remembered. When there are more, all are forgotten: the worst is that one is told twice,
/// or an older after a newer one within a moment.
const THINGS_MAX: usize = 20_000;

/// The newest version told of each thing.
#[derive(Debug, Default)]
pub(super) struct Newest(Mutex<HashMap<String, u64>>);

impl Newest {
    /// Whether a version is news; it counts as told.
    pub(super) fn is_news(&self, thing: String, version: u64) -> bool {
        let mut told = self.0.lock();
        if told.get(&thing).is_some_and(|newest| version <= *newest) {
            return false;
        }
        if told.len() >= THINGS_MAX {
            told.clear();
        }
        told.insert(thing, version);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_newer_than_the_last_is_news() {
        let newest = Newest::default();
        let is_news = |thing: &str, version| newest.is_news(thing.to_owned(), version);
        assert!(is_news("a", 5));
        assert!(!is_news("a", 5));
        assert!(!is_news("a", 4));
        assert!(is_news("b", 4));
        assert!(is_news("a", 6));
    }

    #[test]
    fn so_many_things_are_remembered() {
        let newest = Newest::default();
        for n in 0..=THINGS_MAX {
            assert!(newest.is_news(n.to_string(), 1));
        }
        assert_eq!(newest.0.lock().len(), 1);
    }
}
