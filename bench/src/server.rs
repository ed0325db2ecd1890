//! A server of our own: a temporary store, free ports, ended when it is dropped.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// The extension that is measured with.
pub(crate) const CLIENT_ID: &str = "bench";
/// Everything a server can listen at.
const EDGES: [&str; 5] = [
    "sandbox-rest",
    "sandbox-gamelink",
    "production-rest",
    "production-gamelink",
    "ops",
];
/// Pause between two looks at something awaited.
const LOOK_MS: u64 = 100;
/// Looks at a server that is to end, before it is killed.
const END_LOOKS_MAX: u32 = 300;

/// What the nodes of a cluster share.
pub(crate) struct Shared {
    /// URL of the store, `postgres://…`.
    pub(crate) store: String,
    /// URL of the bus, `nats://…`.
    pub(crate) bus: String,
}

/// What a measurement wants of a server.
pub(crate) struct Wanted<'a> {
    /// The edges that it talks to, as in the ready line, the first one first; the others are off.
    pub(crate) edges: &'a [&'a str],
    /// Broadcasters' tokens, for channels 1, 2, and so on.
    pub(crate) tokens: u32,
    /// The extension's secret; one of its own if absent.
    pub(crate) secret: Option<&'a str>,
    /// Store and bus of a cluster; a temporary store of its own if absent.
    pub(crate) shared: Option<&'a Shared>,
    /// Settings.
    pub(crate) flags: &'a [&'a str],
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    /// Where the first edge listens.
    pub(crate) address: SocketAddr,
    /// Where each edge listens.
    pub(crate) addresses: Vec<SocketAddr>,
    /// Broadcasters' tokens for the sandbox.
    pub(crate) tokens: Vec<String>,
    _data: TempDir,
}

impl Server {
    /// Registers an extension, mints tokens, and serves on free ports of loopback.
    pub(crate) fn start(program: &Path, wanted: &Wanted<'_>) -> Result<Self> {
        let data = tempfile::tempdir()?;
        let ask = |words: &[&str]| -> Result<String> {
            let mut command = command(program, data.path(), wanted);
            let output = command.args(words).stderr(Stdio::inherit()).output()?;
            anyhow::ensure!(output.status.success(), "{words:?} failed");
            Ok(String::from_utf8(output.stdout)?.trim().to_owned())
        };
        let mut add = vec!["extension", "add", "--client-id", CLIENT_ID, "--owner", "1"];
        add.extend(wanted.secret.iter().flat_map(|secret| ["--secret", secret]));
        ask(&add)?;
        let mint = |channel: u32| {
            let channel = channel.to_string();
            let of = [
                "token",
                "mint",
                "--client-id",
                CLIENT_ID,
                "--stage",
                "sandbox",
            ];
            ask(&[&of[..], &["--role", "broadcaster", "--channel", &channel]].concat())
        };
        let tokens = (1..=wanted.tokens).map(mint).collect::<Result<_>>()?;
        Self::serve(program, wanted, data, tokens)
    }

    /// One more node over the store of one that was started.
    pub(crate) fn join(program: &Path, wanted: &Wanted<'_>) -> Result<Self> {
        Self::serve(program, wanted, tempfile::tempdir()?, Vec::new())
    }

    fn serve(
        program: &Path,
        wanted: &Wanted<'_>,
        data: TempDir,
        tokens: Vec<String>,
    ) -> Result<Self> {
        let mut serve = command(program, data.path(), wanted);
        serve.arg("serve").args(wanted.flags);
        if let Some(shared) = wanted.shared {
            serve.args(["--bus", &shared.bus]);
        }
        for edge in EDGES {
            let address = if wanted.edges.contains(&edge) {
                "127.0.0.1:0"
            } else {
                "off"
            };
            serve.arg(format!("--{edge}={address}"));
        }
        let mut child = serve.stdout(Stdio::piped()).spawn()?;
        let addresses = match ready_at(&mut child, wanted.edges) {
            Ok(addresses) => addresses,
            Err(error) => {
                end(&mut child);
                return Err(error);
            }
        };
        let address = *addresses.first().context("no edges")?;
        Ok(Self {
            child,
            address,
            addresses,
            tokens,
            _data: data,
        })
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn command(program: &Path, data: &Path, wanted: &Wanted<'_>) -> Command {
    let mut command = Command::new(program);
    command.arg("--data").arg(data).stdin(Stdio::null());
    if let Some(shared) = wanted.shared {
        command.args(["--store", &shared.store]);
    }
    command
}

/// Waits for the ready line; a server that ends instead closes its standard output.
pub(crate) fn ready(child: &mut Child, edge: &str) -> Result<SocketAddr> {
    let addresses = ready_at(child, &[edge])?;
    addresses.first().copied().context("no address")
}

fn ready_at(child: &mut Child, edges: &[&str]) -> Result<Vec<SocketAddr>> {
    let stdout = child.stdout.take().context("no standard output")?;
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        if let Some(addresses) = line.strip_prefix("ready ") {
            return edges.iter().map(|edge| address(addresses, edge)).collect();
        }
    }
    bail!("the server ended before it was ready")
}

/// An edge's address among `EDGE=ADDRESS EDGE=ADDRESS …`.
fn address(addresses: &str, edge: &str) -> Result<SocketAddr> {
    let address = addresses
        .split(' ')
        .find_map(|pair| pair.strip_prefix(edge)?.strip_prefix('='));
    let address = address.context("the ready line has no address")?;
    // One that speaks TLS has its scheme before it.
    let address = address.split_once("://").map_or(address, |(_, rest)| rest);
    Ok(address.parse()?)
}

/// Asks it to end, and kills it where that does not help.
pub(crate) fn end(child: &mut Child) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // An error means that it is gone already.
    let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
    for _ in 0..END_LOOKS_MAX {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        sleep(Duration::from_millis(LOOK_MS));
    }
    let _ = child.kill();
    let _ = child.wait();
}
