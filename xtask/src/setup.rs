//! Installs what is missing, and only that. Nothing here is asked of the user, and a thing that
//! cannot be installed fails the run: a suite is never skipped for want of a service.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::debian::{self, CHROMIUM, NATS, POSTGRESQL, PROTOBUF_COMPILER, PROTOBUF_TYPES, VENV};
use crate::job::{self, BUILD_LIMIT};
use crate::paths::Paths;

/// Oldest node with the test runner's reporters and the browser driver's needs.
const NODE_MAJOR_MIN: u32 = 20;

/// A program from crates.io, built once into the target folder.
struct Tool {
    name: &'static str,
    version: &'static str,
    options: &'static [&'static str],
    /// Built as its authors ship it, because it is measured; others run for seconds, and an
    /// optimised build would cost more than it saves.
    optimised: bool,
}

const NEXTEST: Tool = Tool {
    name: "cargo-nextest",
    version: "0.9.143",
    options: &[],
    optimised: false,
};
const MACHETE: Tool = Tool {
    name: "cargo-machete",
    version: "0.9.2",
    options: &[],
    optimised: false,
};
const DENY: Tool = Tool {
    name: "cargo-deny",
    version: "0.20.2",
    options: &["--no-default-features"],
    optimised: false,
};
const FUZZ: Tool = Tool {
    name: "cargo-fuzz",
    version: "0.13.2",
    options: &[],
    optimised: false,
};
const SOCKUDO: Tool = Tool {
    name: "sockudo",
    version: "5.2.0",
    options: &["--no-default-features", "--features", "local"],
    optimised: true,
};

/// Everything `cargo xtask test` needs.
pub(crate) fn for_tests(paths: &Paths) -> Result<()> {
    debian::packages(&[CHROMIUM, VENV, POSTGRESQL, NATS])?;
    for_rust(paths)?;
    for_autobahn(paths)?;
    for_browser(paths)
}

/// The servers of a cluster.
pub(crate) fn for_cluster() -> Result<()> {
    debian::packages(&[POSTGRESQL, NATS])
}

/// The runner of the Rust tests, and the servers that they start.
pub(crate) fn for_rust(paths: &Paths) -> Result<()> {
    for_cluster()?;
    if job::ask(&mut paths.cargo(&["nextest", "--version"])).is_some() {
        return Ok(());
    }
    tool(paths, &NEXTEST)
}

/// The conformance suite, in a Python environment of its own.
pub(crate) fn for_autobahn(paths: &Paths) -> Result<()> {
    let wanted = paths.root.join("xtask").join("requirements.txt");
    let what = "the WebSocket conformance suite";
    python_packages(paths, &wanted, &paths.venv(), what)
}

/// The programs that the server is measured beside.
pub(crate) fn for_bench(paths: &Paths) -> Result<()> {
    let wanted = paths.root.join("bench").join("requirements.txt");
    let what = "the peers of the measurements";
    python_packages(paths, &wanted, &paths.peers(), what)
}

fn python_packages(paths: &Paths, wanted: &Path, venv: &Path, what: &str) -> Result<()> {
    debian::packages(&[VENV])?;
    let stamp = venv.join("installed");
    if same(wanted, &stamp) {
        return Ok(());
    }
    println!("installing {what}");
    let mut create = paths.command("python3");
    job::must(
        create.args(["-m", "venv", "--clear"]).arg(venv),
        BUILD_LIMIT,
    )?;
    let pip = venv.join("bin").join("pip");
    let mut install = paths.command(&pip.to_string_lossy());
    install.args([
        "install",
        "--quiet",
        "--no-deps",
        "--require-hashes",
        "--requirement",
    ]);
    job::must(install.arg(wanted), BUILD_LIMIT)?;
    stamped(wanted, &stamp)
}

/// The browser, its driver and the page library under test.
pub(crate) fn for_browser(paths: &Paths) -> Result<()> {
    debian::packages(&[CHROMIUM])?;
    node_packages(paths, &paths.browser(), "the browser suite's packages")
}

/// The servers of WebSockets that ours is measured beside.
pub(crate) fn for_fanout(paths: &Paths) -> Result<()> {
    debian::packages(&[PROTOBUF_COMPILER, PROTOBUF_TYPES])?;
    tool(paths, &SOCKUDO)?;
    node_packages(paths, &paths.node_peers(), "the peers in JavaScript")
}

fn node_packages(paths: &Paths, folder: &Path, what: &str) -> Result<()> {
    require_node()?;
    let wanted = folder.join("package-lock.json");
    let stamp = folder.join("node_modules").join(".installed");
    if same(&wanted, &stamp) {
        return Ok(());
    }
    println!("installing {what}");
    let mut install = paths.command("npm");
    install.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    job::must(install.current_dir(folder), BUILD_LIMIT)?;
    stamped(&wanted, &stamp)
}

/// The checkers of dependencies.
pub(crate) fn for_lint(paths: &Paths) -> Result<()> {
    tool(paths, &MACHETE)?;
    tool(paths, &DENY)
}

/// The fuzzer's driver.
pub(crate) fn for_fuzz(paths: &Paths) -> Result<()> {
    tool(paths, &FUZZ)
}

fn tool(paths: &Paths, tool: &Tool) -> Result<()> {
    let installed = paths
        .tools()
        .join(format!("{}-{}", tool.name, tool.version));
    if installed.exists() {
        return Ok(());
    }
    println!("installing {} {}", tool.name, tool.version);
    let mut install = paths.cargo(&["install", "--locked", "--quiet", "--root"]);
    install
        .arg(paths.tools())
        .arg(format!("{}@{}", tool.name, tool.version))
        .args(tool.options);
    // Its own target folder: the tool's dependencies are no use to the workspace.
    install.env("CARGO_TARGET_DIR", paths.own().join("tools-build"));
    if !tool.optimised {
        install
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    }
    job::must(&mut install, BUILD_LIMIT)?;
    fs::write(&installed, "").with_context(|| format!("cannot write {}", installed.display()))
}

fn require_node() -> Result<()> {
    let version = job::ask(Command::new("node").arg("--version").stderr(Stdio::null()))
        .with_context(|| format!("node {NODE_MAJOR_MIN} or later is needed"))?;
    if node_major(&version).is_some_and(|major| major >= NODE_MAJOR_MIN) {
        return Ok(());
    }
    bail!(
        "node {NODE_MAJOR_MIN} or later is needed, here is {}",
        version.trim()
    )
}

fn node_major(version: &str) -> Option<u32> {
    version
        .trim()
        .strip_prefix('v')?
        .split('.')
        .next()?
        .parse()
        .ok()
}

/// Whether the stamp says that just this was installed.
fn same(wanted: &Path, stamp: &Path) -> bool {
    match (fs::read(wanted), fs::read(stamp)) {
        (Ok(wanted), Ok(stamp)) => wanted == stamp,
        _ => false,
    }
}

fn stamped(wanted: &Path, stamp: &Path) -> Result<()> {
    fs::copy(wanted, stamp).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_of_node_is_read() {
        assert_eq!(node_major("v20.20.2\n"), Some(20));
        assert_eq!(node_major("garbage"), None);
    }

    #[test]
    fn an_absent_stamp_asks_for_an_installation() {
        assert!(!same(Path::new("Cargo.toml"), Path::new("no such file")));
        assert!(same(Path::new("Cargo.toml"), Path::new("Cargo.toml")));
    }
}
