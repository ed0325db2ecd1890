//! Copies of a running store, and stores made from copies.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::options::SqliteOptions;
use super::schema::{self, Identity, unavailable};
use super::{SqliteStore, files};
use crate::bulk::REVISION_GAP;
use crate::contract::StoreError;

/// Pages copied at a time, 4 MiB.
const STEP_PAGES: i32 = 1_024;
/// How often a step is tried again while somebody holds a lock, and the pause between, in ms.
const RETRIES_MAX: u32 = 500;
const RETRY_PAUSE_MS: u64 = 10;
/// How long a restore waits for another process to let go of the store it replaces, in ms.
const REPLACE_WAIT_MS: u64 = 250;
impl SqliteStore {
    /// Writes a copy of the store as it is now to the file `to`, while reads and commits go on. The
    /// copy is checked before it gets its name, has mode 0600 and needs no other file beside it.
    ///
    /// # Errors
    /// `Refused` if `to` exists; `Unavailable` if reading or writing failed, and then there is no
    /// file at `to`.
    pub async fn backup_to(&self, to: impl Into<PathBuf>) -> Result<(), StoreError> {
        let (path, to, options) = (self.path.clone(), to.into(), self.options.clone());
        tokio::task::spawn_blocking(move || back_up(&path, &to, &options))
            .await
            .unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())))
    }

    /// Makes a store at `to` (a directory or file, as for [`SqliteStore::open`]) from the backup
    /// `from`. Blocks. Nothing at `to` changes unless all went well.
    ///
    /// # Errors
    /// `Refused` if `from` is damaged, not a store of ours or a newer one, if `to` has a store and
    /// `replace` is false, or if that store is in use; `Unavailable` if reading or writing failed.
    pub fn restore(
        from: impl AsRef<Path>,
        to: impl AsRef<Path>,
        replace: bool,
    ) -> Result<(), StoreError> {
        let (from, to) = (from.as_ref(), files::database_path(to.as_ref()));
        let options = SqliteOptions::default();
        let source = open_backup(from, &options)?;
        if to.exists() && !replace {
            return Err(files::exists(&to));
        }
        files::create_directory_of(&to)?;
        let part = files::beside(&to, ".restoring");
        finish(&part, || {
            copy(&source, &part, &options, REVISION_GAP.cast_signed())?;
            if to.exists() {
                retire(&to, &options)?;
                files::publish_over(&part, &to)
            } else {
                files::publish(&part, &to)
            }
        })
    }
}

fn back_up(path: &Path, to: &Path, options: &SqliteOptions) -> Result<(), StoreError> {
    if to.exists() {
        return Err(files::exists(to));
    }
    let source = schema::open_reader(path, options)?;
    let part = files::beside(to, ".part");
    finish(&part, || {
        copy(&source, &part, options, 0)?;
        files::publish(&part, to)
    })
}

/// Makes the temporary file, and removes it if the work on it failed.
fn finish(part: &Path, work: impl FnOnce() -> Result<(), StoreError>) -> Result<(), StoreError> {
    if !files::create_file(part)? {
        return Err(StoreError::Refused(format!(
            "{} exists: another copy is under way, or one was broken off; remove it then",
            part.display()
        )));
    }
    work().inspect_err(|_| {
        for suffix in ["", "-journal", "-wal", "-shm"] {
            let _ = files::remove(&files::beside(part, suffix));
        }
    })
}

fn open_backup(from: &Path, options: &SqliteOptions) -> Result<Connection, StoreError> {
    let source = schema::connect(from, OpenFlags::SQLITE_OPEN_READ_ONLY, options)?;
    if schema::identify(&source)? == Identity::Empty {
        return Err(StoreError::Refused("not a Crowdlink store: empty".into()));
    }
    schema::check_integrity(&source)?;
    Ok(source)
}

/// Copies one snapshot of `source` into the empty file `part`, checks it and syncs it.
fn copy(
    source: &Connection,
    part: &Path,
    options: &SqliteOptions,
    revision_gap: i64,
) -> Result<(), StoreError> {
    let mut target = schema::connect(part, OpenFlags::SQLITE_OPEN_READ_WRITE, options)?;
    // Synced once, at the end; a copy that is broken off is thrown away.
    target
        .pragma_update(None, "synchronous", "OFF")
        .map_err(unavailable)?;
    // The snapshot is held through all steps, else each commit in between would begin it anew.
    let snapshot = source.unchecked_transaction().map_err(unavailable)?;
    schema::identify(&snapshot)?;
    step_through(&snapshot, &mut target)?;
    drop(snapshot);
    target
        .execute(
            "UPDATE meta SET value = value + ?1 WHERE name = 'revision'",
            [revision_gap],
        )
        .map_err(unavailable)?;
    // One file without a log beside it.
    target
        .pragma_update_and_check(None, "journal_mode", "delete", |_| Ok(()))
        .map_err(unavailable)?;
    schema::identify(&target)?;
    schema::check_integrity(&target)?;
    target.close().map_err(|(_, error)| unavailable(error))?;
    files::sync_file(part)
}

fn step_through(source: &Connection, target: &mut Connection) -> Result<(), StoreError> {
    let backup = Backup::new(source, target).map_err(unavailable)?;
    let mut retries = 0;
    loop {
        let step = backup.step(STEP_PAGES).map_err(unavailable)?;
        if step == StepResult::Done {
            return Ok(());
        }
        if step == StepResult::More {
            continue;
        }
        if retries == RETRIES_MAX {
            return Err(StoreError::Unavailable(format!("copying: {step:?}")));
        }
        retries += 1;
        std::thread::sleep(Duration::from_millis(RETRY_PAUSE_MS));
    }
}

/// Takes the log away from a store that is about to be replaced: beside another database it would
/// be applied to that one. Only possible when nobody else has the store open.
pub(super) fn retire(path: &Path, options: &SqliteOptions) -> Result<(), StoreError> {
    let_go(path, options)?;
    for suffix in ["-wal", "-shm", "-journal"] {
        files::remove(&files::beside(path, suffix))?;
    }
    Ok(())
}

/// Refuses unless everybody has let go of the store. Its log is moved into the database by that.
pub(super) fn let_go(path: &Path, options: &SqliteOptions) -> Result<(), StoreError> {
    let options = SqliteOptions {
        busy_timeout_ms: REPLACE_WAIT_MS,
        ..options.clone()
    };
    let merged = schema::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, &options).map(|old| {
        old.pragma_update_and_check(None, "journal_mode", "delete", |row| {
            row.get::<_, String>(0)
        })
    });
    match merged {
        Ok(Err(error)) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Err(
            StoreError::Refused("the store is in use: stop the server first".into()),
        ),
        // Damaged beyond opening may be the very reason to replace it.
        Ok(_) | Err(_) => Ok(()),
    }
}
