//! `kill -9` of two nodes that write to one database, at any moment.
//!
//! The test runs itself twice as a child that writes as fast as it can and reports each commit after
//! it was answered; the parent kills both after a random number of reports.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use crowdlink_store::{Commit, PostgresStore, Store};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::server::{Server, open_for_real};

const NAME: &str = "postgres::kill::acknowledged_commits_of_killed_nodes_survive";
const URL: &str = "CROWDLINK_TEST_POSTGRES_KILL_URL";
const NODE: &str = "CROWDLINK_TEST_POSTGRES_KILL_NODE";
const SEED: u64 = 0x6b69_6c6c;
const KILLS: u32 = 20;
const TASKS: usize = 8;
/// Reports of each node to wait for before the kill, at most.
const REPORTS_MAX: usize = 200;
const REPORT: &str = "acknowledged ";
/// Far apart in the key space.
const SIDES: [&str; 3] = ["a", "m", "z"];

#[test]
fn acknowledged_commits_of_killed_nodes_survive() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Ok(url) = std::env::var(URL) {
        runtime.block_on(write_for_ever(&url, &std::env::var(NODE).unwrap()));
    }
    let server = Server::start();
    let url = runtime.block_on(server.database());
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut total = 0;
    for round in 0..KILLS {
        let nodes = ["left", "right"].map(|side| Node::start(&url, &format!("{round}-{side}")));
        // Every fifth round they are killed while they start.
        let wanted = match round % 5 {
            0 => 0,
            _ => rng.random_range(0..REPORTS_MAX),
        };
        let reports: Vec<_> = nodes
            .into_iter()
            .flat_map(|node| node.killed_after(wanted))
            .collect();
        total += reports.len();
        runtime.block_on(verify(&url, round, &reports));
    }
    assert!(total > 1_000, "only {total} commits were acknowledged");
}

/// The child. Never comes back.
async fn write_for_ever(url: &str, node: &str) -> ! {
    let store = open_for_real(url).await;
    let tasks = (0..TASKS).map(|task| {
        let (store, node) = (Arc::clone(&store), node.to_owned());
        tokio::spawn(async move { write_and_report(&store, &node, task).await })
    });
    futures::future::join_all(tasks).await;
    panic!("the writers stopped");
}

async fn write_and_report(store: &PostgresStore, node: &str, task: usize) {
    for n in 0.. {
        let name = format!("{node}/{task}/{n}");
        let value = format!("\"{name} {}\"", "x".repeat(n % 7 * 150));
        let commit = SIDES.iter().fold(Commit::new(), |commit, side| {
            commit.put(format!("{side}/{name}"), value.clone(), None)
        });
        let revision = store.commit(commit).await.unwrap();
        // One write for each line, so that no line is torn.
        std::io::stdout()
            .lock()
            .write_all(format!("\n{REPORT}{name} {revision}\n").as_bytes())
            .unwrap();
    }
}

struct Node {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Node {
    fn start(url: &str, node: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env(URL, url)
            .env(NODE, node)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// Kills it once it reported `wanted` commits; all it reported, with their revisions.
    fn killed_after(mut self, wanted: usize) -> Vec<(String, u64)> {
        let mut text = String::new();
        let mut seen = 0;
        while seen < wanted {
            let start = text.len();
            let read = self.output.read_line(&mut text).unwrap();
            assert!(read > 0, "the child died early");
            seen += usize::from(text[start..].starts_with(REPORT));
        }
        // SIGKILL, on Unix.
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.output.read_to_string(&mut text).unwrap();
        // A line cut short by the kill is no report.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let reports = whole.lines().filter_map(|line| line.strip_prefix(REPORT));
        reports
            .map(|report| {
                let (name, revision) = report.split_once(' ').unwrap();
                (name.to_owned(), revision.parse().unwrap())
            })
            .collect()
    }
}

async fn verify(url: &str, round: u32, reports: &[(String, u64)]) {
    let store = open_for_real(url).await;
    // A commit of the dead may still be on its way: the next one comes after it.
    store.commit(Commit::new()).await.unwrap();
    let mut sides = Vec::new();
    for side in SIDES {
        sides.push(written(&store, &format!("{side}/"), round).await);
    }
    assert_eq!(sides[0], sides[1], "half a commit in round {round}");
    assert_eq!(sides[0], sides[2], "half a commit in round {round}");
    for (name, revision) in reports {
        assert_eq!(sides[0].get(name), Some(revision), "{name} was lost");
    }
    let revisions: BTreeSet<_> = sides[0].values().collect();
    assert_eq!(
        revisions.len(),
        sides[0].len(),
        "two commits share a revision"
    );
}

/// Name and version of every record of a round on one side.
async fn written(store: &PostgresStore, side: &str, round: u32) -> BTreeMap<String, u64> {
    let prefix = format!("{side}{round}-");
    let mut found = BTreeMap::new();
    let mut after = None;
    loop {
        let page = store.scan(&prefix, after.as_deref(), 1_000).await.unwrap();
        let Some(last) = page.last() else {
            return found;
        };
        after = Some(last.key.clone());
        found.extend(page.into_iter().map(|entry| {
            let name = entry.key.strip_prefix(side).unwrap().to_owned();
            (name, entry.record.version)
        }));
    }
}
