//! A few threads that read, each with a connection of its own, away from the async runtime.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use parking_lot::{Mutex, RwLock};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::options::SqliteOptions;
use super::{schema, thread};
use crate::contract::StoreError;

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// The way to the reading threads.
pub(super) struct Readers {
    jobs: RwLock<Option<SyncSender<Job>>>,
}

impl Readers {
    /// Opens the connections and starts the threads.
    pub(super) fn start(
        path: &Path,
        options: &SqliteOptions,
    ) -> Result<(Self, Vec<JoinHandle<()>>), StoreError> {
        let (sender, receiver) = sync_channel(options.waiting_reads_max);
        let receiver = Arc::new(Mutex::new(receiver));
        let threads = (0..options.readers.max(1))
            .map(|_| {
                let connection = schema::open_reader(path, options)?;
                let jobs = Arc::clone(&receiver);
                thread("store-reader", move || run(&connection, &jobs))
            })
            .collect::<Result<_, _>>()?;
        let jobs = RwLock::new(Some(sender));
        Ok((Self { jobs }, threads))
    }

    /// Runs `read` on one of the threads.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.send(Box::new(move |connection| {
            // The caller may be gone by now.
            if !answer.is_closed() {
                let _ = answer.send(read(connection));
            }
        }))?;
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Takes no more reads; the threads end once they have done those that wait.
    pub(super) fn close(&self) {
        *self.jobs.write() = None;
    }

    fn send(&self, job: Job) -> Result<(), StoreError> {
        match self.jobs.read().as_ref().map(|jobs| jobs.try_send(job)) {
            Some(Ok(())) => Ok(()),
            Some(Err(TrySendError::Full(_))) => Err(StoreError::Unavailable(
                "overloaded: too many reads wait".into(),
            )),
            Some(Err(TrySendError::Disconnected(_))) | None => Err(stopped()),
        }
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the readers have stopped".into())
}

fn run(connection: &Connection, jobs: &Mutex<Receiver<Job>>) {
    loop {
        // One thread waits on the queue, the others for the lock; the lock is free while one reads.
        let job = jobs.lock().recv();
        match job {
            Ok(job) => job(connection),
            Err(_) => return,
        }
    }
}
