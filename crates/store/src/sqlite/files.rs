//! Files and directories: who may read them, and that they are there after a power loss.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::contract::StoreError;

/// Name of the database within a data directory.
const DATABASE_NAME: &str = "crowdlink.db";

pub(super) fn failed(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Unavailable(format!("{}: {error}", path.display()))
}

/// The database a path stands for: itself if it is a file or ends in `.db`, else the one within
/// that directory.
pub(super) fn database_path(path: &Path) -> PathBuf {
    let is_file = path.is_file();
    let named_as_file = !path.is_dir() && path.extension().is_some_and(|end| end == "db");
    if is_file || named_as_file {
        path.to_owned()
    } else {
        path.join(DATABASE_NAME)
    }
}

/// The path with something appended to its file name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn directory(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Makes the directory of `path`, open to its owner alone. One that exists keeps its mode.
pub(super) fn create_directory_of(path: &Path) -> Result<(), StoreError> {
    let directory = directory(path);
    if directory.is_dir() {
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(directory)
        .map_err(|error| failed(directory, &error))?;
    sync_directory_of(directory)
}

/// Makes an empty file, open to its owner alone (SQLite gives the files beside it the same mode).
/// Tells whether it was made; `false` means that something is there already.
pub(super) fn create_file(path: &Path) -> Result<bool, StoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => {
            sync_directory_of(path)?;
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(failed(path, &error)),
    }
}

/// Puts the content of a file on the disk. Never for a database that is open: closing the file
/// would release the locks that this process holds on it.
pub(super) fn sync_file(path: &Path) -> Result<(), StoreError> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|error| failed(path, &error))
}

/// Puts the name of a file on the disk.
pub(super) fn sync_directory_of(path: &Path) -> Result<(), StoreError> {
    // Elsewhere a directory cannot be opened as a file, and names need no sync of their own.
    if cfg!(unix) {
        sync_file(directory(path))?;
    }
    Ok(())
}

/// Removes a file; one that is not there is removed already.
pub(super) fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path, &error)),
        _ => Ok(()),
    }
}

/// Gives a finished file its name, which must be free.
pub(super) fn publish(from: &Path, to: &Path) -> Result<(), StoreError> {
    // Taking the name first refuses atomically, also where the file system has no hard links.
    if !create_file(to)? {
        return Err(exists(to));
    }
    publish_over(from, to).inspect_err(|_| {
        let _ = remove(to);
    })
}

/// Gives a finished file its name, whatever has it now.
pub(super) fn publish_over(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).map_err(|error| failed(to, &error))?;
    sync_directory_of(to)
}

pub(super) fn exists(path: &Path) -> StoreError {
    StoreError::Refused(format!("{} exists already", path.display()))
}
