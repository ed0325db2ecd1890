//! Moves the write-ahead log into the database, off the commit path.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::wal::CheckpointMode;

use super::options::SqliteOptions;

/// A cut of the log stops writers while it waits for readers; this is how long it may, in ms.
const TRUNCATE_WAIT_MS: u64 = 50;

/// Works until the writer has dropped its end of `wake`, then once more and cuts the log.
pub(super) fn run(connection: &Connection, wake: &Receiver<()>, options: &SqliteOptions) {
    let _ = connection.busy_timeout(Duration::from_millis(TRUNCATE_WAIT_MS));
    // Real time: a checkpoint is invisible to everyone but the disk.
    let interval = Duration::from_millis(options.checkpoint_interval_ms);
    while let Ok(()) | Err(RecvTimeoutError::Timeout) = wake.recv_timeout(interval) {
        pass(connection, options.truncate_pages);
    }
    pass(connection, 0);
}

/// Copies what no reader needs any more, which stops nobody. When all was copied and the log is
/// long, cuts it; there is next to nothing left to copy then, so writers wait for moments only.
fn pass(connection: &Connection, truncate_pages: u32) {
    let copied = connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::PASSIVE);
    let outcome = match copied {
        Ok((pages, done)) if pages == done && i64::from(pages) >= i64::from(truncate_pages) => {
            connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::TRUNCATE)
        }
        other => other,
    };
    if let Err(error) = outcome {
        // Busy is common and harmless: the next pass tries again.
        tracing::debug!(%error, "checkpoint put off");
    }
}
