//! The one connection of a node that writes. It takes every commit that waits into one transaction,
//! so callers share the cost of a sync and of the way there; it never waits for more to come.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::apply::{self, Failure, Outcomes, WriteStatements};
use super::options::{PostgresOptions, extra_ms};
use super::session::{Connector, Session};
use super::trouble::{overloaded, stopped, within};
use super::{loading, schema};
use crate::clock::Clock;
use crate::contract::{Commit, StoreError};

/// Waiting bytes are counted in units of this size.
const ROOM_UNIT_BYTES: usize = 1_024;

struct Waiting {
    commit: Commit,
    bytes: usize,
    answer: oneshot::Sender<Result<u64, StoreError>>,
    _room: OwnedSemaphorePermit,
}

/// The way to the writer.
pub(super) struct Writer {
    jobs: RwLock<Option<mpsc::Sender<Waiting>>>,
    room: Arc<Semaphore>,
    room_units_max: usize,
    answer_ms_max: u64,
    transactions: Arc<AtomicU64>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the task. Must be called within a tokio runtime.
    pub(super) fn start(
        connector: Arc<Connector>,
        clock: Arc<dyn Clock>,
        options: &PostgresOptions,
    ) -> Self {
        let (sender, jobs) = mpsc::channel(options.waiting_commits_max.max(1));
        let room_units_max = options
            .waiting_commit_bytes_max
            .div_ceil(ROOM_UNIT_BYTES)
            .min(Semaphore::MAX_PERMITS);
        let transactions = Arc::new(AtomicU64::new(0));
        let worker = Worker {
            connector,
            session: None,
            clock,
            jobs,
            options: options.clone(),
            transactions: Arc::clone(&transactions),
        };
        Self {
            jobs: RwLock::new(Some(sender)),
            room: Arc::new(Semaphore::new(room_units_max)),
            room_units_max,
            answer_ms_max: options.answer_ms_max,
            transactions,
            task: Mutex::new(Some(tokio::spawn(worker.run()))),
        }
    }

    /// Transactions written so far; with group commit far fewer than commits.
    pub(super) fn transactions(&self) -> u64 {
        self.transactions.load(Ordering::Relaxed)
    }

    pub(super) async fn commit(&self, commit: Commit, bytes: usize) -> Result<u64, StoreError> {
        let units = (bytes / ROOM_UNIT_BYTES + 1).min(self.room_units_max);
        let room = Arc::clone(&self.room)
            .try_acquire_many_owned(u32::try_from(units).unwrap_or(u32::MAX))
            .map_err(|_| overloaded("bytes"))?;
        let (answer, answered) = oneshot::channel();
        self.send(Waiting {
            commit,
            bytes,
            answer,
            _room: room,
        })?;
        within(self.answer_ms_max.saturating_add(extra_ms(bytes)), async {
            // An answer that was dropped means that the task is gone.
            answered.await.unwrap_or_else(|_| Err(stopped()))
        })
        .await
    }

    /// Takes no more commits, and waits until those that wait are done.
    pub(super) async fn close(&self) {
        *self.jobs.write() = None;
        let task = self.task.lock().take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the writer of the store had died");
        }
    }

    fn send(&self, waiting: Waiting) -> Result<(), StoreError> {
        match self.jobs.read().as_ref().map(|jobs| jobs.try_send(waiting)) {
            Some(Ok(())) => Ok(()),
            Some(Err(mpsc::error::TrySendError::Full(_))) => Err(overloaded("commits")),
            Some(Err(mpsc::error::TrySendError::Closed(_))) | None => Err(stopped()),
        }
    }
}

struct Worker {
    connector: Arc<Connector>,
    session: Option<Session<WriteStatements>>,
    clock: Arc<dyn Clock>,
    jobs: mpsc::Receiver<Waiting>,
    options: PostgresOptions,
    transactions: Arc<AtomicU64>,
}

impl Worker {
    async fn run(mut self) {
        while let Some(first) = self.jobs.recv().await {
            let mut group = self.drain(first);
            // Whoever gave up was told that nobody knows; now nothing has happened.
            group.retain(|waiting| !waiting.answer.is_closed());
            if !group.is_empty() {
                self.commit(group).await;
            }
        }
    }

    /// Every commit that waits now, up to the bounds of a group.
    fn drain(&mut self, first: Waiting) -> Vec<Waiting> {
        let mut bytes = first.bytes;
        let mut group = vec![first];
        while group.len() < self.options.group_commits_max && bytes < self.options.group_bytes_max {
            let Ok(waiting) = self.jobs.try_recv() else {
                break;
            };
            bytes = bytes.saturating_add(waiting.bytes);
            group.push(waiting);
        }
        group
    }

    /// Answers only after the transaction has ended, one way or the other.
    async fn commit(&mut self, group: Vec<Waiting>) {
        let commits: Vec<_> = group.iter().map(|waiting| &waiting.commit).collect();
        let bytes = group.iter().map(|waiting| waiting.bytes).sum();
        let outcomes = self.apply(&commits, bytes).await;
        // Room is given back first: whoever has an answer can commit again.
        let answers: Vec<_> = group.into_iter().map(|waiting| waiting.answer).collect();
        match outcomes {
            Ok(outcomes) => {
                self.transactions.fetch_add(1, Ordering::Relaxed);
                for (answer, outcome) in answers.into_iter().zip(outcomes) {
                    let _ = answer.send(outcome);
                }
            }
            Err(error) => {
                tracing::error!(%error, commits = answers.len(), "commits failed");
                for answer in answers {
                    let _ = answer.send(Err(error.clone()));
                }
            }
        }
    }

    /// A session that turns out to have ended is replaced once, if nothing can have happened.
    async fn apply(&mut self, commits: &[&Commit], bytes: usize) -> Result<Outcomes, StoreError> {
        let kept = self
            .session
            .take()
            .filter(|session| !session.client.is_closed());
        if let Some(session) = kept {
            match self.group(session, commits, bytes).await {
                Err(Failure::Stale(error)) => tracing::warn!(%error, "the database was away"),
                Err(Failure::Failed(error)) => return Err(error),
                Ok(outcomes) => return Ok(outcomes),
            }
        }
        let session = self.connect().await?;
        match self.group(session, commits, bytes).await {
            Err(Failure::Stale(error) | Failure::Failed(error)) => Err(error),
            Ok(outcomes) => Ok(outcomes),
        }
    }

    /// Keeps the session only if all went well: no other is in a known state.
    async fn group(
        &mut self,
        session: Session<WriteStatements>,
        commits: &[&Commit],
        bytes: usize,
    ) -> Result<Outcomes, Failure> {
        let options = &self.options;
        let ms = options.lock_ms_max + 2 * (options.answer_ms_max + extra_ms(bytes));
        let begin = apply::begin(bytes, options);
        let clock = self.clock.as_ref();
        let answer = async { Ok(apply::group(&session, clock, commits, &begin).await) };
        let outcomes = within(ms, answer).await.map_err(Failure::Failed)??;
        self.session = Some(session);
        Ok(outcomes)
    }

    async fn connect(&self) -> Result<Session<WriteStatements>, StoreError> {
        let session = self.connector.connect().await?;
        let statements = within(self.options.answer_ms_max, async {
            // A newer node may have changed the tables since.
            schema::check(&session.client).await?;
            loading::refuse_unfinished(&session.client).await?;
            WriteStatements::prepare(&session.client).await
        })
        .await?;
        Ok(session.with(statements))
    }
}
