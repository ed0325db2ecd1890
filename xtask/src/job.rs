//! Child processes that never outlive the task that started them.
//!
//! Each runs in a process group of its own, so that what it started goes with it. Groups are
//! ended by id, while their leader is not yet reaped: the id cannot belong to anybody else then.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio, exit};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

/// How long a group may take to end by itself after it was asked to.
const GRACE: Duration = Duration::from_secs(10);

/// Bound for anything that compiles or installs.
pub(crate) const BUILD_LIMIT: Duration = Duration::from_mins(40);

static LIVE: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Whether the user, or the machine that runs us, asked to stop.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// Refuses to begin anything after an interrupt.
pub(crate) fn refuse_when_interrupted() -> Result<()> {
    if interrupted() {
        Err(anyhow!("interrupted"))
    } else {
        Ok(())
    }
}

/// On an interrupt, asks every group to end; those still there after a while are killed.
pub(crate) fn end_all_on_interrupt() -> Result<()> {
    ctrlc::set_handler(|| {
        INTERRUPTED.store(true, Ordering::SeqCst);
        signal_live(Signal::TERM);
        thread::sleep(GRACE);
        signal_live(Signal::KILL);
        exit(130);
    })
    .context("cannot handle interrupts")
}

fn live() -> MutexGuard<'static, BTreeSet<i32>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn signal_live(signal: Signal) {
    // The lock is held meanwhile: no group can be reaped, and its id reused, under our hands.
    for group in live().iter().filter_map(|raw| Pid::from_raw(*raw)) {
        // A group that just ended needs no signal.
        let _ = kill_process_group(group, signal);
    }
}

/// A running child and everything it starts; killed when dropped.
pub(crate) struct Job {
    child: Child,
    group: Pid,
    label: String,
    _watch: Sender<()>,
}

impl Job {
    /// Starts a command with no standard input; its group is ended after `limit`.
    pub(crate) fn start(command: &mut Command, limit: Duration) -> Result<Self> {
        refuse_when_interrupted()?;
        let label = command.get_program().to_string_lossy().into_owned();
        let mut live = live();
        let child = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {label}"))?;
        let group = Pid::from_child(&child);
        live.insert(group.as_raw_nonzero().get());
        drop(live);
        Ok(Self {
            child,
            group,
            _watch: watch(group, limit, label.clone()),
            label,
        })
    }

    /// What [`ask_to_end`] needs to know it by.
    pub(crate) fn id(&self) -> Pid {
        self.group
    }

    /// The child's standard output, where it was piped; once.
    pub(crate) fn stdout(&mut self) -> Result<BufReader<ChildStdout>> {
        let stdout = self.child.stdout.take();
        stdout
            .map(BufReader::new)
            .with_context(|| format!("{} has no output", self.label))
    }

    /// Waits for the end of the child, then ends what it left behind.
    pub(crate) fn wait(mut self) -> Result<ExitStatus> {
        self.wait_unreaped()?;
        let status = self.end()?;
        refuse_when_interrupted()?;
        Ok(status)
    }

    fn wait_unreaped(&self) -> Result<()> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(error) = waitid(WaitId::Pid(self.group), options) {
            if error != rustix::io::Errno::INTR {
                return Err(error).with_context(|| format!("cannot wait for {}", self.label));
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<ExitStatus> {
        let mut live = live();
        if live.contains(&self.group.as_raw_nonzero().get()) {
            let _ = kill_process_group(self.group, Signal::KILL);
        }
        let status = self
            .child
            .wait()
            .with_context(|| format!("cannot reap {}", self.label))?;
        live.remove(&self.group.as_raw_nonzero().get());
        Ok(status)
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        // Nothing can be done about a child that cannot be reaped.
        let _ = self.end();
    }
}

/// Ends the group when the job neither ended nor was dropped in time.
fn watch(group: Pid, limit: Duration, label: String) -> Sender<()> {
    let (alive, ended) = mpsc::channel();
    thread::spawn(move || {
        if ended.recv_timeout(limit) != Err(RecvTimeoutError::Timeout) {
            return;
        }
        eprintln!("{label} did not end within {} s", limit.as_secs());
        signal_one(group, Signal::TERM);
        if ended.recv_timeout(GRACE) == Err(RecvTimeoutError::Timeout) {
            signal_one(group, Signal::KILL);
        }
    });
    alive
}

/// Asks a job and what it started to end; nothing happens where it has ended.
pub(crate) fn ask_to_end(id: Pid) {
    signal_one(id, Signal::TERM);
}

fn signal_one(group: Pid, signal: Signal) {
    let live = live();
    if live.contains(&group.as_raw_nonzero().get()) {
        let _ = kill_process_group(group, signal);
    }
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<ExitStatus> {
    Job::start(command, limit)?.wait()
}

/// Runs a command that has to succeed.
pub(crate) fn must(command: &mut Command, limit: Duration) -> Result<()> {
    let status = run(command, limit)?;
    if !status.success() {
        bail!(
            "{} failed: {status}",
            command.get_program().to_string_lossy()
        );
    }
    Ok(())
}

/// Runs a command to its end and hands each line of its standard output to `line`.
pub(crate) fn lines(
    command: &mut Command,
    limit: Duration,
    mut line: impl FnMut(&str),
) -> Result<ExitStatus> {
    let mut job = Job::start(command.stdout(Stdio::piped()), limit)?;
    for text in job.stdout()?.lines() {
        line(&text.context("output is not text")?);
    }
    job.wait()
}

/// What a short command prints, or nothing if it fails or is not there.
pub(crate) fn ask(command: &mut Command) -> Option<String> {
    let mut answer = String::new();
    let limit = Duration::from_mins(1);
    let status = lines(command.stderr(Stdio::null()), limit, |line| {
        answer.push_str(line);
        answer.push('\n');
    });
    status
        .is_ok_and(|status| status.success())
        .then_some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alive(pid: i32) -> bool {
        // A zombie that nobody reaps has ended, too.
        std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| !stat.contains(") Z "))
    }

    fn wait_until_gone(pid: i32) {
        while alive(pid) {
            thread::yield_now();
        }
    }

    #[test]
    fn what_a_dropped_job_started_ends_with_it() {
        let mut command = Command::new("sh");
        command
            .args(["-c", "sleep 600 & echo $!; wait"])
            .stdout(Stdio::piped());
        let mut job = Job::start(&mut command, BUILD_LIMIT).unwrap();
        let mut line = String::new();
        job.stdout().unwrap().read_line(&mut line).unwrap();
        let grandchild = line.trim().parse().unwrap();
        assert!(alive(grandchild));
        drop(job);
        wait_until_gone(grandchild);
    }

    #[test]
    fn what_an_ended_child_left_behind_is_ended() {
        let mut left = String::new();
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 >&- 2>&- & echo $!"]);
        let status = lines(&mut command, BUILD_LIMIT, |line| left = line.to_owned()).unwrap();
        assert!(status.success());
        wait_until_gone(left.parse().unwrap());
    }

    #[test]
    fn a_job_over_its_limit_is_ended() {
        let mut command = Command::new("sleep");
        let status = run(command.arg("600"), Duration::from_millis(50)).unwrap();
        assert!(!status.success());
    }

    #[test]
    fn a_failure_is_an_error_where_success_is_a_must() {
        assert!(must(&mut Command::new("false"), BUILD_LIMIT).is_err());
    }
}
