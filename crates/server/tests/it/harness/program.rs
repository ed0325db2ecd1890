//! The program itself, as operators run it: a process on a data directory of its own.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::Http;

/// Runs a command to its end.
pub fn crowdlink(data: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_crowdlink"))
        .args(words)
        .arg("--data")
        .arg(data)
        .output()
        .unwrap()
}

/// Runs a command that must succeed; what it printed.
pub fn done(data: &Path, words: &[&str]) -> String {
    let output = crowdlink(data, words);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command that must fail; what it said about it.
pub fn failed(data: &Path, words: &[&str]) -> String {
    let output = crowdlink(data, words);
    assert_eq!(output.status.code(), Some(1), "{words:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A server that runs as a process, and is killed at the end of the test.
pub struct Process {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
    /// The ready line.
    pub ready: String,
    /// What it printed before that.
    pub hello: String,
}

impl Process {
    /// Starts `words` on a data directory, on free ports; waits for the ready line. Logs go to the
    /// file `log` in that directory.
    pub fn start(data: &Path, words: &[&str]) -> Self {
        let names = ["sandbox-rest", "sandbox-gamelink", "production-rest", "ops"];
        let free = names.map(|name| format!("--{name}=127.0.0.1:0"));
        let log = File::options()
            .create(true)
            .append(true)
            .open(data.join("log"))
            .unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_crowdlink"))
            .args(words)
            .args(free)
            .arg("--production-gamelink=off")
            .arg("--data")
            .arg(data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (ready, hello) = (String::new(), String::new());
        let mut process = Self {
            child,
            stdout,
            ready,
            hello,
        };
        process.await_ready(data);
        process
    }

    fn await_ready(&mut self, data: &Path) {
        loop {
            let mut line = String::new();
            if self.stdout.read_line(&mut line).unwrap() == 0 {
                let log = std::fs::read_to_string(data.join("log")).unwrap();
                panic!("ended before it was ready: {log}");
            }
            if line.starts_with("ready ") {
                self.ready = line;
                return;
            }
            self.hello.push_str(&line);
        }
    }

    /// Where an edge listens.
    pub fn address(&self, edge: &str) -> SocketAddr {
        let mut words = self.ready.split_whitespace();
        let named = |word: &str| {
            let url = word.strip_prefix(edge)?.strip_prefix('=')?;
            let (_, address) = url.split_once("://").unwrap_or(("", url));
            address.parse().ok()
        };
        words.find_map(named).unwrap()
    }

    /// A REST client of an edge.
    pub fn http(&self, edge: &str) -> Http {
        Http::new(self.address(edge))
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    /// How it ended; waits for that.
    pub fn ended(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
