//! A private PostgreSQL server.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};

use crate::account::Account;
use crate::folder::Folder;
use crate::polling;
use crate::port::Port;
use crate::program::Program;
use crate::template::{self, DATABASE, USER};

/// Sessions the server takes at a time.
const CONNECTIONS_MAX: u32 = 200;
/// Lines of `postmaster.pid`, from 0: the shared memory segment and the state.
const SEGMENT_LINE: usize = 6;
const STATE_LINE: usize = 7;

/// A PostgreSQL server of its own, on loopback, with an empty database and the durability of a
/// real one: an acknowledged commit is on the disk.
pub struct Postgres {
    // Ended first, then its folder is removed.
    running: Mutex<Option<Program>>,
    programs: PathBuf,
    account: Account,
    port: Port,
    folder: Folder,
}

impl Postgres {
    /// Whether its programs are on this machine.
    pub fn is_installed() -> bool {
        template::find_programs().is_ok()
    }

    /// Starts one and waits until it accepts.
    ///
    /// # Errors
    /// When PostgreSQL is not installed or does not start.
    pub fn start() -> Result<Self> {
        let postgres = Self {
            running: Mutex::new(None),
            programs: template::find_programs()?,
            account: Account::unprivileged()?,
            port: Port::reserve()?,
            folder: Folder::create("postgres")?,
        };
        let folder = postgres.folder.path();
        postgres.account.own(folder)?;
        template::fill(&postgres.programs, postgres.account, folder)?;
        postgres.start_again()?;
        Ok(postgres)
    }

    /// What clients connect to: `postgres://crowdlink@127.0.0.1:PORT/crowdlink`, the same for its
    /// whole life. No password is asked for.
    pub fn url(&self) -> String {
        format!("postgres://{USER}@{}/{DATABASE}", self.port.address())
    }

    /// The port of 127.0.0.1 that it listens on.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Ends it in order: open transactions are rolled back, sessions are told. Nothing happens
    /// where it does not run.
    ///
    /// # Errors
    /// When it does not end within a minute.
    pub fn stop(&self) -> Result<()> {
        if let Some(mut program) = self.running.lock().take() {
            program.end(Signal::INT)?;
        }
        Ok(())
    }

    /// Ends it as a crash of the machine would, by SIGKILL of every process: nothing is told,
    /// written or cleaned up. Nothing happens where it does not run.
    ///
    /// # Errors
    /// When its processes are not gone within a minute.
    pub fn kill(&self) -> Result<()> {
        let Some(mut program) = self.running.lock().take() else {
            return Ok(());
        };
        // Stopped, it neither starts nor reaps children: their ids stay theirs.
        program.signal(Signal::STOP)?;
        let children = children(program.pid())?;
        for child in &children {
            kill_process(*child, Signal::KILL).context("cannot kill a session")?;
        }
        polling::until("sessions are gone", || {
            Ok(children.iter().copied().all(is_gone))
        })?;
        program.end(Signal::KILL)?;
        self.remove_segment()
    }

    /// Starts it on the same port and data after [`Self::stop`] or [`Self::kill`].
    ///
    /// # Errors
    /// When it runs already, or does not start.
    pub fn start_again(&self) -> Result<()> {
        let mut running = self.running.lock();
        if running.is_some() {
            bail!("PostgreSQL runs already");
        }
        let folder = self.folder.path();
        let program = self.programs.join("postgres");
        // QUIT: all sessions end at once and the shared memory is given back.
        let mut command = self.account.command(&program, folder, "QUIT");
        command.arg("-D").arg(self.data());
        for setting in [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={}", self.port.number()),
            "unix_socket_directories=".to_owned(),
            format!("max_connections={CONNECTIONS_MAX}"),
            // In its folder, which is removed, and not in the system's shared memory.
            "dynamic_shared_memory_type=mmap".to_owned(),
        ] {
            command.args(["-c", &setting]);
        }
        let mut program = Program::start("PostgreSQL", command, &folder.join("log"))?;
        program.wait_ready(|pid| self.accepts(pid))?;
        *running = Some(program);
        Ok(())
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join(template::DATA)
    }

    fn lock_file(&self) -> String {
        // Not there yet, or not any more: nothing is known then.
        fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default()
    }

    /// As pg_ctl finds it out. The file of a killed server names the process that was.
    fn accepts(&self, pid: Pid) -> bool {
        let file = self.lock_file();
        let names_it = file.lines().next() == Some(pid.as_raw_nonzero().to_string().as_str());
        names_it && file.lines().nth(STATE_LINE).map(str::trim) == Some("ready")
    }

    /// A killed server leaves a segment of shared memory in the system; a machine that crashed
    /// would not have it either.
    fn remove_segment(&self) -> Result<()> {
        let file = self.lock_file();
        let line = file.lines().nth(SEGMENT_LINE).unwrap_or_default();
        let segment = line.split_whitespace().nth(1);
        let segment = segment.context("the lock file names no segment")?;
        let status = Command::new("ipcrm").args(["-m", segment]).status();
        if !status.context("cannot start ipcrm")?.success() {
            bail!("cannot remove the shared memory of PostgreSQL");
        }
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut program) = self.running.lock().take() {
            // Where it does not end like this, it is killed next.
            let _ = program.end(Signal::QUIT);
        }
    }
}

fn children(parent: Pid) -> Result<Vec<Pid>> {
    let parent = parent.as_raw_nonzero();
    let listed = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
    let listed = listed.context("cannot list the processes of PostgreSQL")?;
    let pids = listed.split_whitespace().map(str::parse);
    let pids = pids.collect::<Result<Vec<i32>, _>>()?;
    Ok(pids.into_iter().filter_map(Pid::from_raw).collect())
}

/// A process that ended and is not reaped holds nothing any more.
fn is_gone(pid: Pid) -> bool {
    let path = format!("/proc/{}/stat", pid.as_raw_nonzero());
    let stat = fs::read_to_string(path).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_none_or(|(_, state)| state.starts_with(['Z', 'X']))
}
