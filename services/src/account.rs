//! The account that servers run as: PostgreSQL refuses to run as root.

use std::ffi::OsStr;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The account that Debian's package makes.
const UNPRIVILEGED: &str = "postgres";

/// Who runs the server.
#[derive(Clone, Copy)]
pub(crate) enum Account {
    /// Whoever we are.
    Ours,
    /// Of these ids, since we are root.
    Unprivileged { user: u32, group: u32 },
}

impl Account {
    /// One that is not root.
    pub(crate) fn unprivileged() -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Ours);
        }
        let id = |option| ask_id(option).with_context(|| format!("no account {UNPRIVILEGED}"));
        Ok(Self::Unprivileged {
            user: id("-u")?,
            group: id("-g")?,
        })
    }

    /// Gives it a folder or file.
    pub(crate) fn own(self, path: &Path) -> Result<()> {
        if let Self::Unprivileged { user, group } = self {
            chown(path, Some(user), Some(group))
                .with_context(|| format!("cannot give away {}", path.display()))?;
        }
        Ok(())
    }

    /// A command that runs `program` as this account, in `folder`, and that gets `at_our_end`, a
    /// signal, when the thread that started it ends. Nothing of our environment reaches it:
    /// variables such as PGDATA change what servers do.
    pub(crate) fn command(self, program: &Path, folder: &Path, at_our_end: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", at_our_end]);
        if let Self::Unprivileged { user, group } = self {
            command.arg(format!("--reuid={user}"));
            command.arg(format!("--regid={group}"));
            command.arg("--clear-groups");
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.arg("--").arg(program).current_dir(folder);
        command.env_clear().env("PATH", path).env("LC_ALL", "C");
        command
    }
}

fn ask_id(option: &str) -> Result<u32> {
    let output = Command::new("id")
        .args([OsStr::new(option), OsStr::new(UNPRIVILEGED)])
        .output()?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
}
