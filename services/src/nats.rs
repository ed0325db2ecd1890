//! A private NATS server.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use parking_lot::Mutex;
use rustix::process::Signal;

use crate::account::Account;
use crate::folder::Folder;
use crate::port::Port;
use crate::program::Program;

/// Where packages put it; the last one is not on everybody's search path.
const FOLDERS: [&str; 3] = ["/usr/local/bin", "/usr/bin", "/usr/sbin"];
/// How long a greeting may take, for each try.
const GREETING_MS_MAX: u64 = 1_000;

/// A NATS server of its own, on loopback, without persistence.
pub struct Nats {
    // Ended first, then its folder is removed.
    running: Mutex<Option<Program>>,
    program: PathBuf,
    port: Port,
    folder: Folder,
}

impl Nats {
    /// Whether its program is on this machine.
    pub fn is_installed() -> bool {
        find().is_ok()
    }

    /// Starts one and waits until it greets clients.
    ///
    /// # Errors
    /// When `nats-server` is not installed or does not start.
    pub fn start() -> Result<Self> {
        let nats = Self {
            running: Mutex::new(None),
            program: find()?,
            port: Port::reserve()?,
            folder: Folder::create("nats")?,
        };
        nats.start_again()?;
        Ok(nats)
    }

    /// What clients connect to: `nats://127.0.0.1:PORT`, the same for its whole life.
    pub fn url(&self) -> String {
        format!("nats://{}", self.address())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Ends it in order; clients are told. Nothing happens where it does not run.
    ///
    /// # Errors
    /// When it does not end within a minute.
    pub fn stop(&self) -> Result<()> {
        self.end(Signal::TERM)
    }

    /// Ends it by SIGKILL. Nothing happens where it does not run.
    ///
    /// # Errors
    /// When it does not end within a minute.
    pub fn kill(&self) -> Result<()> {
        self.end(Signal::KILL)
    }

    /// Starts it on the same port after [`Self::stop`] or [`Self::kill`].
    ///
    /// # Errors
    /// When it runs already, or does not start.
    pub fn start_again(&self) -> Result<()> {
        let mut running = self.running.lock();
        if running.is_some() {
            bail!("nats-server runs already");
        }
        let folder = self.folder.path();
        let mut command = Account::Ours.command(&self.program, folder, "KILL");
        command.args(["--addr", "127.0.0.1", "--port"]);
        command.arg(self.port.number().to_string());
        let mut program = Program::start("nats-server", command, &folder.join("log"))?;
        program.wait_ready(|_| greets(self.address()))?;
        *running = Some(program);
        Ok(())
    }

    fn end(&self, signal: Signal) -> Result<()> {
        if let Some(mut program) = self.running.lock().take() {
            program.end(signal)?;
        }
        Ok(())
    }
}

/// Whether a connection is taken and greeted, as the protocol has it: `INFO {…}`.
fn greets(address: SocketAddr) -> bool {
    let greeting = || -> std::io::Result<[u8; 5]> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_millis(GREETING_MS_MAX)))?;
        let mut greeting = [0; 5];
        stream.read_exact(&mut greeting)?;
        Ok(greeting)
    };
    greeting().is_ok_and(|greeting| &greeting == b"INFO ")
}

fn find() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(FOLDERS.map(PathBuf::from));
    let mut programs = folders.map(|folder| folder.join("nats-server"));
    let found = programs.find(|program| Path::is_file(program));
    found.context("nats-server is not installed: `cargo xtask setup`")
}
