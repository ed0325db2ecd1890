//! The engine in memory: seeded, fault-injecting, for simulation and tests. Nothing is durable.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::bounds;
use crate::clock::Clock;
use crate::contract::{Commit, Entry, Record, SCAN_PAGE_RECORDS_MAX, Store, StoreError, Write};

mod bulk;
mod faults;

pub use faults::Faults;
use faults::Trouble;

/// A store that lives as long as its process.
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    trouble: Mutex<Trouble>,
    reads: AtomicU64,
    commits: AtomicU64,
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

impl MemoryStore {
    /// An empty store without faults; `clock` decides what has expired.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Self::with_faults(clock, 0, Faults::default())
    }

    /// An empty store that fails as `faults` say, in the same way for the same `seed` and the same
    /// order of calls.
    pub fn with_faults(clock: Arc<dyn Clock>, seed: u64, faults: Faults) -> Arc<Self> {
        Arc::new(Self {
            clock,
            state: Mutex::default(),
            trouble: Mutex::new(Trouble::new(seed, faults)),
            reads: AtomicU64::new(0),
            commits: AtomicU64::new(0),
        })
    }

    /// Changes the faults from the next call on.
    pub fn set_faults(&self, faults: Faults) {
        self.trouble.lock().faults = faults;
    }

    /// While the store is down, every call is answered `Unavailable` and changes nothing.
    pub fn set_down(&self, down: bool) {
        self.trouble.lock().down = down;
    }

    /// How many `get`, `get_many` and `scan` calls were made, failed ones included.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::SeqCst)
    }

    /// How many `commit` calls were made, failed ones included.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::SeqCst)
    }

    /// How many records are held, expired ones that were not swept yet included.
    pub fn held(&self) -> usize {
        self.state.lock().records.len()
    }

    fn up(&self) -> Result<(), StoreError> {
        if self.trouble.lock().down {
            return Err(StoreError::Unavailable("the store is down".into()));
        }
        Ok(())
    }

    async fn read<T>(&self, read: impl Fn(&State, i64) -> T + Send) -> Result<T, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let fate = self.trouble.lock().draw();
        fate.before().await?;
        self.up()?;
        let answer = read(&self.state.lock(), self.clock.now_ms());
        fate.after().await;
        Ok(answer)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, key: &str) -> Result<Option<Record>, StoreError> {
        bounds::key(key)?;
        self.read(|state, now_ms| state.live(key, now_ms).cloned())
            .await
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Record>>, StoreError> {
        bounds::keys(keys)?;
        self.read(|state, now_ms| {
            let mut answer = bounds::Answer::default();
            keys.iter()
                .map(|key| {
                    let record = state.live(key, now_ms).cloned();
                    answer.add(record.as_ref().map_or(0, |record| record.value.len()))?;
                    Ok(record)
                })
                .collect()
        })
        .await?
    }

    async fn scan(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        bounds::scan(prefix, after)?;
        let limit = limit.min(SCAN_PAGE_RECORDS_MAX);
        self.read(|state, now_ms| state.scan(prefix, after, limit, now_ms))
            .await?
    }

    async fn commit(&self, commit: Commit) -> Result<u64, StoreError> {
        bounds::commit(&commit)?;
        self.commits.fetch_add(1, Ordering::SeqCst);
        let fate = self.trouble.lock().draw();
        fate.before().await?;
        self.up()?;
        let answer = self.state.lock().commit(commit, self.clock.now_ms());
        fate.after().await;
        if answer.is_ok() {
            fate.outcome()?;
        }
        answer
    }

    async fn sweep(&self, limit: usize) -> Result<usize, StoreError> {
        self.up()?;
        Ok(self.state.lock().sweep(limit, self.clock.now_ms()))
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.up()
    }
}

#[derive(Default)]
struct State {
    revision: u64,
    records: BTreeMap<String, Record>,
    /// Every record that expires, soonest first, so that a sweep looks at nothing else.
    by_expiry: BTreeSet<(i64, String)>,
}

impl State {
    fn live(&self, key: &str, now_ms: i64) -> Option<&Record> {
        self.records.get(key).filter(|record| live(record, now_ms))
    }

    fn scan(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        now_ms: i64,
    ) -> Result<Vec<Entry>, StoreError> {
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let mut answer = bounds::Answer::default();
        self.records
            .range::<str, _>((from, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .filter(|(_, record)| live(record, now_ms))
            .take(limit)
            .map(|(key, record)| {
                answer.add(record.value.len())?;
                Ok(Entry {
                    key: key.clone(),
                    record: record.clone(),
                })
            })
            .collect()
    }

    fn commit(&mut self, commit: Commit, now_ms: i64) -> Result<u64, StoreError> {
        for check in commit.checks {
            let version = self.live(&check.key, now_ms).map(|record| record.version);
            if !check.expect.holds(version) {
                return Err(StoreError::Conflict { key: check.key });
            }
        }
        self.revision = self.revision.saturating_add(1);
        for write in commit.writes {
            match write {
                Write::Put {
                    key,
                    value,
                    expires_at_ms,
                } => {
                    self.remove(&key);
                    if let Some(at_ms) = expires_at_ms {
                        self.by_expiry.insert((at_ms, key.clone()));
                    }
                    let record = Record {
                        value,
                        version: self.revision,
                        expires_at_ms,
                    };
                    self.records.insert(key, record);
                }
                Write::Delete { key } => self.remove(&key),
            }
        }
        Ok(self.revision)
    }

    fn remove(&mut self, key: &str) {
        if let Some((key, record)) = self.records.remove_entry(key)
            && let Some(at_ms) = record.expires_at_ms
        {
            self.by_expiry.remove(&(at_ms, key));
        }
    }

    fn sweep(&mut self, limit: usize, now_ms: i64) -> usize {
        let mut swept = 0;
        while swept < limit
            && self.by_expiry.first().is_some_and(|(at, _)| *at <= now_ms)
            && let Some((_, key)) = self.by_expiry.pop_first()
        {
            self.records.remove(&key);
            swept += 1;
        }
        swept
    }
}

fn live(record: &Record, now_ms: i64) -> bool {
    record.expires_at_ms.is_none_or(|at_ms| now_ms < at_ms)
}
