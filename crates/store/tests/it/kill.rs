//! `kill -9` at any moment loses nothing that was acknowledged and leaves no half commit.
//!
//! The test runs itself as a child process that writes as fast as it can and reports each commit
//! after it was answered; the parent kills it after a random number of reports.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use crowdlink_store::{Commit, SqliteOptions, SqliteStore, Store};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::harness::open_with;

const NAME: &str = "kill::acknowledged_commits_survive_kill_nine";
const DIRECTORY: &str = "CROWDLINK_TEST_KILL_DIRECTORY";
const ROUND: &str = "CROWDLINK_TEST_KILL_ROUND";
const SEED: u64 = 0x6b69_6c6c;
const KILLS: u32 = 50;
const TASKS: usize = 16;
/// Reports to wait for before the kill, at most.
const REPORTS_MAX: usize = 400;
const REPORT: &str = "acknowledged ";
/// Far apart in the key space, so that a commit spans pages.
const SIDES: [&str; 3] = ["a", "m", "z"];

/// Checkpoints all the time, so that kills hit those too.
fn options() -> SqliteOptions {
    SqliteOptions {
        checkpoint_pages: 50,
        restart_pages: 100,
        truncate_pages: 150,
        ..SqliteOptions::default()
    }
}

#[test]
fn acknowledged_commits_survive_kill_nine() {
    if let Ok(directory) = std::env::var(DIRECTORY) {
        write_for_ever(Path::new(&directory), &std::env::var(ROUND).unwrap());
    }
    let directory = tempfile::tempdir().unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut total = 0;
    for round in 0..KILLS {
        // Every fifth is killed while it starts.
        let wanted = match round % 5 {
            0 => 0,
            _ => rng.random_range(0..REPORTS_MAX),
        };
        let reports = run_and_kill(directory.path(), round, wanted);
        assert!(reports.len() >= wanted, "the child died early");
        total += reports.len();
        verify(directory.path(), round, &reports);
    }
    assert!(total > 1_000, "only {total} commits were acknowledged");
}

/// The child. Never comes back.
fn write_for_ever(directory: &Path, round: &str) -> ! {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = open_with(directory, options()).unwrap();
        let tasks = (0..TASKS).map(|task| {
            let (store, round) = (Arc::clone(&store), round.to_owned());
            tokio::spawn(async move { write_and_report(&store, &round, task).await })
        });
        futures::future::join_all(tasks).await;
    });
    panic!("the writers stopped");
}

async fn write_and_report(store: &SqliteStore, round: &str, task: usize) {
    for n in 0.. {
        let name = format!("{round}/{task}/{n}");
        let filling = "x".repeat(n % 7 * 150);
        let commit = SIDES.iter().fold(Commit::new(), |commit, side| {
            commit.put(
                format!("{side}/{name}"),
                format!("\"{name} {filling}\""),
                None,
            )
        });
        store.commit(commit).await.unwrap();
        // One write for each line, so that no line is torn.
        std::io::stdout()
            .lock()
            .write_all(format!("\n{REPORT}{name}\n").as_bytes())
            .unwrap();
    }
}

/// Starts the child, kills it once it reported `wanted` commits, answers with all it reported.
fn run_and_kill(directory: &Path, round: u32, wanted: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .env(DIRECTORY, directory)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    let mut seen = 0;
    while seen < wanted {
        let start = text.len();
        if output.read_line(&mut text).unwrap() == 0 {
            break;
        }
        seen += usize::from(text[start..].starts_with(REPORT));
    }
    // SIGKILL, on Unix.
    child.kill().unwrap();
    child.wait().unwrap();
    output.read_to_string(&mut text).unwrap();
    // A line cut short by the kill is no report.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        .filter_map(|line| line.strip_prefix(REPORT).map(str::to_owned))
        .collect()
}

fn verify(directory: &Path, round: u32, reports: &[String]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = open_with(directory, options()).unwrap();
        let mut sides = Vec::new();
        for side in SIDES {
            sides.push(written(&store, &format!("{side}/"), &round.to_string()).await);
        }
        assert_eq!(sides[0], sides[1], "half a commit in round {round}");
        assert_eq!(sides[0], sides[2], "half a commit in round {round}");
        for name in reports {
            assert!(sides[0].contains_key(name), "{name} was lost");
        }
        store.close().await;
    });
    let database = rusqlite::Connection::open(directory.join("crowdlink.db")).unwrap();
    let verdict: String = database
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(verdict, "ok", "after round {round}");
}

/// Name and version of every record of a round on one side.
async fn written(store: &SqliteStore, side: &str, round: &str) -> BTreeMap<String, u64> {
    let prefix = format!("{side}{round}/");
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
