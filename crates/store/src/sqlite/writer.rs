//! The one thread that writes. It takes every commit that waits into one transaction, so callers
//! share the cost of a sync; it never waits for more to come.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use parking_lot::RwLock;
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::apply;
use super::checkpoint::Restart;
use super::options::SqliteOptions;
use super::schema::{self, Durability, unavailable};
use super::thread;
use crate::clock::Clock;
use crate::contract::{Commit, StoreError};

/// Waiting bytes are counted in units of this size.
const ROOM_UNIT_BYTES: usize = 1_024;

type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

struct Waiting {
    commit: Commit,
    bytes: usize,
    answer: Answer<u64>,
    _room: OwnedSemaphorePermit,
}

enum Job {
    Commit(Waiting),
    Sweep(usize, Answer<usize>),
    Durability(Answer<Durability>),
    #[cfg(test)]
    Run(Box<dyn FnOnce() + Send>),
}

/// The way to the writer thread.
pub(super) struct Writer {
    jobs: RwLock<Option<SyncSender<Job>>>,
    room: Arc<Semaphore>,
    room_units_max: usize,
    transactions: Arc<AtomicU64>,
}

impl Writer {
    /// Starts the thread. `wake` is told when a checkpoint is due; `restart` is looked at after each
    /// group.
    pub(super) fn start(
        mut connection: Connection,
        clock: Arc<dyn Clock>,
        options: &SqliteOptions,
        (wake, restart): (SyncSender<()>, Restart),
    ) -> Result<(Self, JoinHandle<()>), StoreError> {
        watch_log(&mut connection, options.checkpoint_pages, wake)?;
        let (sender, jobs) = sync_channel(options.waiting_commits_max);
        let room_units_max = options
            .waiting_commit_bytes_max
            .div_ceil(ROOM_UNIT_BYTES)
            .min(Semaphore::MAX_PERMITS);
        let transactions = Arc::new(AtomicU64::new(0));
        let worker = Worker {
            connection,
            clock,
            jobs,
            restart,
            group_commits_max: options.group_commits_max,
            group_bytes_max: options.group_bytes_max,
            transactions: Arc::clone(&transactions),
        };
        let thread = thread("store-writer", move || worker.run())?;
        let writer = Self {
            jobs: RwLock::new(Some(sender)),
            room: Arc::new(Semaphore::new(room_units_max)),
            room_units_max,
            transactions,
        };
        Ok((writer, thread))
    }

    /// Transactions written so far; with group commit far fewer than commits.
    pub(super) fn transactions(&self) -> u64 {
        self.transactions.load(Ordering::Relaxed)
    }

    pub(super) async fn commit(&self, commit: Commit, bytes: usize) -> Result<u64, StoreError> {
        let units = (bytes / ROOM_UNIT_BYTES + 1).min(self.room_units_max);
        let room = Arc::clone(&self.room)
            .try_acquire_many_owned(u32::try_from(units).unwrap_or(u32::MAX))
            .map_err(|_| StoreError::Unavailable("overloaded: too many bytes wait".into()))?;
        self.ask(|answer| {
            Job::Commit(Waiting {
                commit,
                bytes,
                answer,
                _room: room,
            })
        })
        .await
    }

    pub(super) async fn sweep(&self, limit: usize) -> Result<usize, StoreError> {
        self.ask(|answer| Job::Sweep(limit, answer)).await
    }

    pub(super) async fn durability(&self) -> Result<Durability, StoreError> {
        self.ask(Job::Durability).await
    }

    /// Takes no more jobs; the thread ends once it has done those that wait.
    pub(super) fn close(&self) {
        *self.jobs.write() = None;
    }

    /// Runs something on the writer thread: to hold it up, or to kill it.
    #[cfg(test)]
    pub(super) fn run(&self, run: impl FnOnce() + Send + 'static) {
        self.send(Job::Run(Box::new(run))).unwrap();
    }

    async fn ask<T>(&self, job: impl FnOnce(Answer<T>) -> Job) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.send(job(answer))?;
        // An answer that was dropped means that the thread died.
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }

    fn send(&self, job: Job) -> Result<(), StoreError> {
        match self.jobs.read().as_ref().map(|jobs| jobs.try_send(job)) {
            Some(Ok(())) => Ok(()),
            Some(Err(TrySendError::Full(_))) => Err(StoreError::Unavailable(
                "overloaded: too many commits wait".into(),
            )),
            Some(Err(TrySendError::Disconnected(_))) | None => Err(stopped()),
        }
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the writer has stopped".into())
}

/// Has SQLite report the length of the log after each commit, and asks for a checkpoint each time
/// it has grown by `every_pages`.
fn watch_log(
    connection: &mut Connection,
    every_pages: u32,
    wake: SyncSender<()>,
) -> Result<(), StoreError> {
    let asked_at = AtomicI64::new(0);
    connection
        .wal_hook(Some(
            move |_: &'_ mut rusqlite::hooks::Wal, pages: std::ffi::c_int| {
                let pages = i64::from(pages);
                let last = asked_at.load(Ordering::Relaxed);
                if pages < last {
                    // The log started anew.
                    asked_at.store(0, Ordering::Relaxed);
                } else if pages - last >= i64::from(every_pages) {
                    asked_at.store(pages, Ordering::Relaxed);
                    // Full means that it was asked already.
                    let _ = wake.try_send(());
                }
                Ok(())
            },
        ))
        .map_err(unavailable)
}

struct Worker {
    connection: Connection,
    clock: Arc<dyn Clock>,
    jobs: Receiver<Job>,
    restart: Restart,
    group_commits_max: usize,
    group_bytes_max: usize,
    transactions: Arc<AtomicU64>,
}

impl Worker {
    fn run(mut self) {
        let mut next = None;
        while let Some(job) = next.take().or_else(|| self.jobs.recv().ok()) {
            match job {
                Job::Commit(first) => {
                    let (group, other) = self.drain(first);
                    next = other;
                    self.commit(group);
                    self.restart.answer(&self.connection);
                }
                Job::Sweep(limit, answer) => {
                    let swept = apply::sweep(&mut self.connection, self.clock.as_ref(), limit);
                    let _ = answer.send(swept);
                }
                Job::Durability(answer) => {
                    let _ = answer.send(schema::durability(&self.connection));
                }
                #[cfg(test)]
                Job::Run(run) => run(),
            }
        }
    }

    /// Every commit that waits now, up to the bounds of a group, and the job that ended it.
    fn drain(&self, first: Waiting) -> (Vec<Waiting>, Option<Job>) {
        let mut bytes = first.bytes;
        let mut group = vec![first];
        while group.len() < self.group_commits_max && bytes < self.group_bytes_max {
            match self.jobs.try_recv() {
                Ok(Job::Commit(waiting)) => {
                    bytes = bytes.saturating_add(waiting.bytes);
                    group.push(waiting);
                }
                Ok(other) => return (group, Some(other)),
                Err(_) => break,
            }
        }
        (group, None)
    }

    /// Answers only after the transaction has ended, one way or the other.
    fn commit(&mut self, group: Vec<Waiting>) {
        let commits = group.iter().map(|waiting| &waiting.commit);
        let outcomes = apply::group(&mut self.connection, self.clock.as_ref(), commits);
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
}
