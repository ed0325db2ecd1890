//! A contest: its questions, read through a cache that holds them by version.

use std::sync::Arc;

use crowdlink_store::Store;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};

use super::board::Board;
use super::place::Place;
use super::question::{Question, by_order};
use crate::error::Error;
use crate::runs::{HEAD_BYTES_MAX, Run};
use crate::table::{Stored, Table};

/// Bytes of contests, and of leaderboards, held.
const CACHE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Contests that the caches are laid out for.
const CACHE_CONTESTS: usize = 1_000;
/// Records of questions that one read of the store answers with: within what it may answer.
pub(super) const READ_TOGETHER: usize = 8;

/// What a question takes in an index at most: an id of 64 characters, a run.
const INDEXED_BYTES_MAX: usize = 640;
/// Most questions that the limits may allow.
const QUESTIONS_MAX: usize = 64;
/// An index is the head of the runs of its questions.
const _: () = assert!(QUESTIONS_MAX * INDEXED_BYTES_MAX <= HEAD_BYTES_MAX);

const INDEXES: Table<Index> = Table::new("");

/// The questions there are, in the order they were made. Every change of the contest but votes
/// writes it, so whoever holds its version holds everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Index {
    pub(super) questions: Vec<Indexed>,
}

/// A question of an index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Indexed {
    pub(super) id: String,
    pub(super) run: Run,
    /// Whether the leaderboard counts it.
    pub(super) scored: bool,
}

impl Index {
    /// The index as it stands, if there is one.
    pub(super) async fn read(
        store: &dyn Store,
        place: &Place,
    ) -> Result<Option<Stored<Self>>, Error> {
        INDEXES.get(store, &place.index()).await
    }
}

/// The questions as of one version.
#[derive(Debug, Default)]
pub(super) struct Contest {
    version: u64,
    /// By `order`.
    pub(super) questions: Vec<Question>,
    bytes: usize,
}

#[derive(Clone, Debug)]
struct BySize;

impl Weighter<String, Arc<Contest>> for BySize {
    fn weight(&self, key: &String, contest: &Arc<Contest>) -> u64 {
        (key.len() + contest.bytes).max(1) as u64
    }
}

impl Weighter<String, Arc<Board>> for BySize {
    fn weight(&self, key: &String, board: &Arc<Board>) -> u64 {
        (key.len() + board.bytes()).max(1) as u64
    }
}

/// Contests and leaderboards by the key of their index. The version of the index is read for every
/// use, so what is told is never old.
#[derive(Debug)]
pub(super) struct Contests {
    contests: Cache<String, Arc<Contest>, BySize>,
    boards: Cache<String, Arc<Board>, BySize>,
}

impl Contests {
    pub(super) fn new() -> Self {
        Self {
            contests: Cache::with_weighter(CACHE_CONTESTS, CACHE_BYTES_MAX, BySize),
            boards: Cache::with_weighter(CACHE_CONTESTS, CACHE_BYTES_MAX, BySize),
        }
    }

    /// The questions now.
    pub(super) async fn read(
        &self,
        store: &dyn Store,
        place: &Place,
    ) -> Result<Arc<Contest>, Error> {
        let key = place.index();
        let Some(record) = store.get(&key).await? else {
            return Ok(Arc::default());
        };
        if let Some(held) = self.contests.get(&key)
            && held.version == record.version
        {
            return Ok(held);
        }
        let index: Index = serde_json::from_slice(&record.value)?;
        let contest = Arc::new(Contest::read(store, place, &index, record.version).await?);
        self.contests.insert(key, Arc::clone(&contest));
        Ok(contest)
    }

    /// The leaderboard now.
    pub(super) async fn board(
        &self,
        store: &dyn Store,
        place: &Place,
    ) -> Result<Arc<Board>, Error> {
        let key = place.index();
        let Some(record) = store.get(&key).await? else {
            return Ok(Arc::default());
        };
        if let Some(held) = self.boards.get(&key)
            && held.version == record.version
        {
            return Ok(held);
        }
        let index: Index = serde_json::from_slice(&record.value)?;
        let board = Arc::new(Board::read(store, place, &index, record.version).await?);
        self.boards.insert(key, Arc::clone(&board));
        Ok(board)
    }
}

impl Contest {
    /// Reads the questions of an index. One that was changed since is newer than the version says:
    /// the next who comes sees another version and reads again.
    async fn read(
        store: &dyn Store,
        place: &Place,
        index: &Index,
        version: u64,
    ) -> Result<Self, Error> {
        let (mut questions, mut bytes) = (Vec::with_capacity(index.questions.len()), 0);
        for some in index.questions.chunks(READ_TOGETHER) {
            let keys: Vec<String> = some.iter().map(|q| place.question(&q.id)).collect();
            for record in store.get_many(&keys).await?.into_iter().flatten() {
                bytes += record.value.len();
                questions.push(serde_json::from_slice::<Question>(&record.value)?);
            }
        }
        questions.sort_by(|a, b| by_order(&a.text, &b.text));
        Ok(Self {
            version,
            questions,
            bytes,
        })
    }
}
