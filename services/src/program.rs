//! A running server process. It ends with this process, however that ends.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::polling;

/// How much of the end of a log an error shows.
const LOG_LINES_SHOWN_MAX: usize = 20;

type Order = (Command, Sender<io::Result<Child>>);

/// The way to the thread that starts all servers.
static STARTER: Mutex<Option<Sender<Order>>> = Mutex::new(None);

/// Starts a command from a thread that lives as long as the process: the system ends a child when
/// the thread that started it ends, and a test may run on a thread that ends sooner.
fn start(command: Command) -> Result<Child> {
    let mut starter = STARTER.lock().unwrap_or_else(PoisonError::into_inner);
    let orders = if let Some(orders) = starter.as_ref() {
        orders
    } else {
        let (orders, ordered) = mpsc::channel::<Order>();
        thread::Builder::new()
            .name("services".to_owned())
            .spawn(move || {
                for (mut command, answer) in ordered {
                    // Who ordered waits for it.
                    let _ = answer.send(command.spawn());
                }
            })?;
        starter.insert(orders)
    };
    let (answer, answered) = mpsc::channel();
    orders
        .send((command, answer))
        .ok()
        .context("the starter is gone")?;
    drop(starter);
    Ok(answered.recv().context("the starter is gone")??)
}

/// A server process and the log it writes.
pub(crate) struct Program {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts it in a process group of its own, so that an interrupt of ours does not reach it.
    /// What it prints is appended to `log`.
    pub(crate) fn start(name: &'static str, mut command: Command, log: &Path) -> Result<Self> {
        let output = File::options().create(true).append(true).open(log);
        let output = output.with_context(|| format!("cannot write {}", log.display()))?;
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0);
        let child = start(command).with_context(|| format!("cannot start {name}"))?;
        Ok(Self {
            name,
            child,
            log: log.to_owned(),
        })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Waits until `accepts` says so; an error if it ends before that.
    pub(crate) fn wait_ready(&mut self, mut accepts: impl FnMut(Pid) -> bool) -> Result<()> {
        let pid = self.pid();
        polling::until(&format!("{} accepts", self.name), || {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended, {status}:\n{}", self.name, self.end_of_log());
            }
            Ok(accepts(pid))
        })
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(self.pid(), signal).with_context(|| format!("cannot signal {}", self.name))
    }

    /// Asks it to end by a signal and waits for that.
    pub(crate) fn end(&mut self, signal: Signal) -> Result<ExitStatus> {
        self.signal(signal)?;
        let mut ended = None;
        polling::until(&format!("{} ends", self.name), || {
            ended = self.child.try_wait()?;
            Ok(ended.is_some())
        })?;
        ended.context("a process that ended has a status")
    }

    fn end_of_log(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let first = lines.len().saturating_sub(LOG_LINES_SHOWN_MAX);
        lines.get(first..).unwrap_or_default().join("\n")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Those who care have ended it in order before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
