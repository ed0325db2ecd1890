//! Where things are, relative to the workspace and its target folder.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

/// Folders of the workspace.
pub(crate) struct Paths {
    /// The root of the workspace.
    pub(crate) root: PathBuf,
    /// The target folder this tool was built into, so that tests share its compiled crates.
    pub(crate) target: PathBuf,
}

impl Paths {
    /// Finds them from what cargo tells the program it runs.
    pub(crate) fn discover() -> Result<Self> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR").context("start it as `cargo xtask`")?;
        let root = PathBuf::from(manifest)
            .parent()
            .context("xtask has no parent")?
            .to_owned();
        let program = env::current_exe().context("where is this program?")?;
        let target = program
            .ancestors()
            .nth(2)
            .context("not in a target folder")?
            .to_owned();
        Ok(Self { root, target })
    }

    /// What this tool installs and writes; `cargo clean` removes it.
    pub(crate) fn own(&self) -> PathBuf {
        self.target.join("xtask")
    }

    /// Root of `cargo install` for the tools used here.
    pub(crate) fn tools(&self) -> PathBuf {
        self.own().join("tools")
    }

    /// The Python environment of the conformance suite.
    pub(crate) fn venv(&self) -> PathBuf {
        self.own().join("venv")
    }

    /// The Python environment of the programs that the server is measured beside.
    pub(crate) fn peers(&self) -> PathBuf {
        self.own().join("peers")
    }

    /// The browser suite.
    pub(crate) fn browser(&self) -> PathBuf {
        self.root.join("tests").join("browser")
    }

    /// The servers in JavaScript that ours is measured beside.
    pub(crate) fn node_peers(&self) -> PathBuf {
        self.root.join("bench").join("peers")
    }

    /// A program built with the development profile.
    pub(crate) fn built(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(name)
    }

    /// A program built with the release profile.
    pub(crate) fn released(&self, name: &str) -> PathBuf {
        self.target.join("release").join(name)
    }

    /// A command in the workspace that also finds the tools installed here.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.root)
            .env("PATH", self.search_path());
        command
    }

    /// `cargo`, as [`Self::command`].
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = self.command("cargo");
        command
            .args(arguments)
            .env("CARGO_TARGET_DIR", &self.target);
        command
    }

    fn search_path(&self) -> OsString {
        let inherited = env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<PathBuf> = env::split_paths(&inherited).collect();
        folders.insert(0, self.tools().join("bin"));
        // Only a folder with a separator in its name cannot be joined; it is left out then.
        env::join_paths(folders).unwrap_or(inherited)
    }
}
