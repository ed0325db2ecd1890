//! `cargo xtask cluster`: PostgreSQL, NATS and some nodes on this machine, until Ctrl-C.

mod plan;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use rustix::process::Pid;
use services::{Folder, Nats, Postgres};

use crate::InstallArguments;
use crate::cluster::plan::{FIRST_PORT_MAX, NODES_MAX, Node, Shared};
use crate::job::{self, BUILD_LIMIT, Job};
use crate::paths::Paths;
use crate::setup;

/// Nobody watches a cluster of this kind for longer.
const CLUSTER_LIMIT: Duration = Duration::from_hours(30 * 24);
/// How long all nodes may take to be ready.
const READY_LIMIT: Duration = Duration::from_mins(1);
/// How much of the end of a log an error shows.
const LOG_LINES_SHOWN_MAX: usize = 20;

#[derive(Args)]
pub(crate) struct ClusterArguments {
    #[command(flatten)]
    install: InstallArguments,
    /// How many nodes.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=i64::from(NODES_MAX)))]
    nodes: u16,
    /// Where the first node's ports begin; the next node's are a hundred further.
    #[arg(long, default_value_t = 5050, value_parser = clap::value_parser!(u16).range(1_024..=i64::from(FIRST_PORT_MAX)))]
    first_port: u16,
    /// Run the development build, which compiles sooner and runs slower.
    #[arg(long)]
    debug: bool,
}

/// What a node does, by its place in the list.
enum News {
    Ready(usize),
    Ended(usize, Result<ExitStatus>),
}

/// Runs a cluster until it is interrupted; an error where a node ends before that.
pub(crate) fn run(paths: &Paths, arguments: &ClusterArguments) -> Result<bool> {
    crate::install(&arguments.install, setup::for_cluster)?;
    let program = build(paths, arguments.debug)?;
    let postgres = Postgres::start()?;
    let nats = Nats::start()?;
    let folder = Folder::create("cluster")?;
    let shared = Shared {
        store: postgres.url(),
        bus: nats.url(),
    };
    let mut register = Command::new(&program);
    register
        .args(plan::registration(&shared))
        .current_dir(folder.path())
        .stdout(Stdio::null());
    job::must(&mut register, READY_LIMIT).context("cannot register the extension to try")?;

    let nodes = plan::nodes(arguments.nodes, arguments.first_port);
    let running = Running::start(&nodes, &program, &shared, folder.path())?;
    let outcome = running.until_ready().and_then(|()| {
        print!("{}", plan::hello(&nodes, &shared));
        running.until_one_ends()
    });
    drop(running);
    // To be ended is what it is for.
    if job::interrupted() {
        return Ok(true);
    }
    outcome.map(|()| true)
}

/// Builds the server.
fn build(paths: &Paths, debug: bool) -> Result<PathBuf> {
    let mut build = paths.cargo(&["build", "--package", "crowdlink-server"]);
    if debug {
        job::must(&mut build, BUILD_LIMIT)?;
        return Ok(paths.built("crowdlink"));
    }
    job::must(build.arg("--release"), BUILD_LIMIT)?;
    Ok(paths.released("crowdlink"))
}

/// Nodes that run; all end when this is dropped.
struct Running<'a> {
    nodes: &'a [Node],
    folder: &'a Path,
    jobs: Vec<Pid>,
    news: Receiver<News>,
}

impl<'a> Running<'a> {
    fn start(nodes: &'a [Node], program: &Path, shared: &Shared, folder: &'a Path) -> Result<Self> {
        let mut jobs = Vec::with_capacity(nodes.len());
        for node in nodes {
            let home = folder.join(&node.name);
            fs::create_dir(&home).with_context(|| format!("no folder for {}", node.name))?;
            // Ends with us also where we are killed.
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "TERM", "--"]).arg(program);
            command.args(node.arguments(shared)).current_dir(&home);
            command
                .stdout(Stdio::piped())
                .stderr(File::create(home.join("log"))?);
            jobs.push(Job::start(&mut command, CLUSTER_LIMIT)?);
        }
        let ids = jobs.iter().map(Job::id).collect();
        let (tell, news) = mpsc::channel();
        for (index, job) in jobs.into_iter().enumerate() {
            let tell = tell.clone();
            thread::spawn(move || watch(index, job, &tell));
        }
        Ok(Self {
            nodes,
            folder,
            jobs: ids,
            news,
        })
    }

    fn until_ready(&self) -> Result<()> {
        let mut starting: BTreeSet<usize> = (0..self.nodes.len()).collect();
        while !starting.is_empty() {
            match self.news.recv_timeout(READY_LIMIT) {
                Ok(News::Ready(index)) => starting.remove(&index),
                Ok(News::Ended(index, outcome)) => return Err(self.why(index, outcome)),
                Err(_) => {
                    let names: Vec<_> = starting.iter().map(|index| self.name(*index)).collect();
                    bail!("{} not ready after {READY_LIMIT:?}", names.join(", "));
                }
            };
        }
        Ok(())
    }

    fn until_one_ends(&self) -> Result<()> {
        loop {
            match self.news.recv().context("nobody watches the nodes")? {
                News::Ready(_) => {}
                News::Ended(index, outcome) => return Err(self.why(index, outcome)),
            }
        }
    }

    /// The news end when the last node has ended.
    fn until_all_end(&self) {
        while self.news.recv().is_ok() {}
    }

    fn name(&self, index: usize) -> &str {
        self.nodes.get(index).map_or("a node", |node| &node.name)
    }

    fn why(&self, index: usize, outcome: Result<ExitStatus>) -> anyhow::Error {
        let name = self.name(index);
        let how = outcome.map_or_else(|error| error.to_string(), |status| status.to_string());
        let log = fs::read_to_string(self.folder.join(name).join("log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let first = lines.len().saturating_sub(LOG_LINES_SHOWN_MAX);
        let shown = lines.get(first..).unwrap_or_default().join("\n");
        anyhow!("{name} ended, {how}:\n{shown}")
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // The store and the bus are there until the last of them has ended.
        for job in &self.jobs {
            job::ask_to_end(*job);
        }
        self.until_all_end();
    }
}

/// Tells when a node is ready and when it has ended.
fn watch(index: usize, mut job: Job, tell: &Sender<News>) {
    if let Ok(lines) = job.stdout() {
        let ready = |line: &String| line.starts_with("ready ");
        for _ in lines.lines().map_while(Result::ok).filter(ready) {
            // Nobody listens any more where the cluster is about to end.
            let _ = tell.send(News::Ready(index));
        }
    }
    let _ = tell.send(News::Ended(index, job.wait()));
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A folder with a program in it that is ready at once; `then` is what it does next.
    fn program(then: &str) -> Folder {
        let folder = Folder::create("cluster-test").unwrap();
        let path = folder.path().join("node");
        fs::write(&path, format!("#!/bin/sh\n{then}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        folder
    }

    fn shared() -> Shared {
        Shared {
            store: "postgres://".to_owned(),
            bus: "nats://".to_owned(),
        }
    }

    #[test]
    fn a_node_that_dies_is_named_with_its_last_words_and_the_others_end() {
        let folder = program(
            "echo 'ready ops=off'; case $PWD in *node-2) read x < ../go; echo boom >&2; exit 3;; esac
             exec sleep 600",
        );
        let go = folder.path().join("go");
        let made = Command::new("mkfifo").arg(&go).status().unwrap();
        assert!(made.success());
        let nodes = plan::nodes(3, 5050);
        let path = folder.path().join("node");
        let running = Running::start(&nodes, &path, &shared(), folder.path()).unwrap();
        running.until_ready().unwrap();
        fs::write(&go, "go\n").unwrap();
        let error = running.until_one_ends().unwrap_err().to_string();
        assert_eq!(error, "node-2 ended, exit status: 3:\nboom");
        // Waits for all of them: the test would run into its limit.
        drop(running);
    }

    #[test]
    fn a_node_that_dies_before_it_is_ready_is_named() {
        let folder = program("case $PWD in *node-1) exit 1;; esac; exec sleep 600");
        let nodes = plan::nodes(2, 5050);
        let path = folder.path().join("node");
        let running = Running::start(&nodes, &path, &shared(), folder.path()).unwrap();
        let error = running.until_ready().unwrap_err().to_string();
        assert!(error.starts_with("node-1 ended, exit status: 1"), "{error}");
    }
}
