//! Moves the write-ahead log into the database, off the commit path.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::wal::CheckpointMode;

use super::options::SqliteOptions;

/// A cut of the log stops writers while it waits for readers; this is how long it may, in ms.
const TRUNCATE_WAIT_MS: u64 = 50;

/// Asks the writer to let the log begin anew. While commits go on only the writer can: between two
/// of its commits nothing is in the log that a checkpoint has not seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Restart(Arc<AtomicBool>);

impl Restart {
    /// Where it was asked, copies what came since the last checkpoint. Unless a reader still needs
    /// the log, the next commit then writes over its beginning: a file that does not grow is synced in half the
    /// time.
    pub(super) fn answer(&self, writer: &Connection) {
        if self.0.swap(false, Ordering::Relaxed) {
            let copied = writer.wal_checkpoint_v2(None::<&str>, CheckpointMode::PASSIVE);
            told(copied);
        }
    }
}

/// Works until nobody is left who could wake it, then once more and cuts the log.
pub(super) fn run(
    connection: &Connection,
    wake: &Receiver<()>,
    restart: &Restart,
    options: &SqliteOptions,
) {
    let _ = connection.busy_timeout(Duration::from_millis(TRUNCATE_WAIT_MS));
    // Real time: a checkpoint is invisible to everyone but the disk.
    let interval = Duration::from_millis(options.checkpoint_interval_ms);
    while let Ok(()) | Err(RecvTimeoutError::Timeout) = wake.recv_timeout(interval) {
        let is_long = |pages| i64::from(pages) >= i64::from(options.restart_pages);
        if pass(connection, options.truncate_pages).is_some_and(is_long) {
            // What came meanwhile is little: mostly this gets to its end before more comes, and
            // then syncs the database, which the writer need not wait for.
            let pages = pass(connection, options.truncate_pages);
            restart
                .0
                .store(pages.is_some_and(is_long), Ordering::Relaxed);
        }
    }
    pass(connection, 0);
}

/// Copies what no reader needs any more, which stops nobody. When all was copied and the log is
/// long, cuts it; there is next to nothing left to copy then, so writers wait for moments only.
/// Answers how many pages the log has, if all were copied.
fn pass(connection: &Connection, truncate_pages: u32) -> Option<i32> {
    let copied = connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::PASSIVE);
    let outcome = match copied {
        Ok((pages, done)) if pages == done && i64::from(pages) >= i64::from(truncate_pages) => {
            connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::TRUNCATE)
        }
        other => other,
    };
    told(outcome).and_then(|(pages, done)| (pages == done).then_some(pages))
}

fn told(outcome: rusqlite::Result<(i32, i32)>) -> Option<(i32, i32)> {
    // Busy is common and harmless: the next pass tries again.
    outcome
        .inspect_err(|error| tracing::debug!(%error, "checkpoint put off"))
        .ok()
}
