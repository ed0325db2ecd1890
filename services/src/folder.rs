//! A temporary folder that is removed even if its owner is killed.

use std::env;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context, Result};
use tempfile::TempDir;

/// Its standard input closes when its owner ends, however that happens. Servers that still write
/// to the folder are ending, too, so removing it is tried again for ten seconds.
const GUARD: &str = r#"
read -r nothing
tries=0
until rm -rf -- "$1" || [ "$tries" -ge 50 ]; do
    tries=$((tries + 1))
    sleep 0.2
done
"#;

/// A temporary folder.
pub(crate) struct Folder {
    // Removed before the guard is let go, which then finds nothing to do.
    folder: Option<TempDir>,
    guard: Child,
    until_we_end: Option<ChildStdin>,
}

impl Folder {
    pub(crate) fn create(name: &str) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix(&format!("crowdlink-{name}-"))
            .tempdir_in(parent())
            .context("cannot make a temporary folder")?;
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "sh"])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // An interrupt of the whole group must not reach it.
            .process_group(0)
            .spawn()
            .context("cannot start sh")?;
        let until_we_end = guard.stdin.take();
        Ok(Self {
            folder: Some(folder),
            guard,
            until_we_end,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.as_ref().map_or(Path::new(""), TempDir::path)
    }
}

/// On a disk, as a real server's data is: `/tmp` is in memory on many systems.
fn parent() -> PathBuf {
    let disk = Path::new("/var/tmp");
    if env::var_os("TMPDIR").is_none() && disk.is_dir() {
        disk.to_owned()
    } else {
        env::temp_dir()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.folder.take());
        drop(self.until_we_end.take());
        // It ends by itself now; only its entry in the process table is at stake.
        let _ = self.guard.wait();
    }
}
