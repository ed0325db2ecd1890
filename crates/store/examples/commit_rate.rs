//! How many commits a second an engine acknowledges, next to what the disk can sync.
//!
//! `cargo run --release -p crowdlink-store --example commit_rate [DIRECTORY]` measures the embedded
//! engine; with `postgres` or a `postgres://…` in place of the directory it is PostgreSQL, a private
//! one or that of the URL (which must be for tests: records stay there), and another word is the number of
//! nodes that write.

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use crowdlink_store::{
    Clock, Commit, PostgresOptions, PostgresStore, SqliteOptions, SqliteStore, Store, SystemClock,
};
use services::Postgres;

const MEASURE_MS: u64 = 3_000;
const CALLERS: [usize; 3] = [1, 64, 512];
const VALUE_BYTES: usize = 256;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut words = std::env::args().skip(1);
    let what = words.next();
    let clock = Arc::new(SystemClock::new());
    match what.as_deref() {
        Some("postgres") => {
            let server = Postgres::start()?;
            postgres(&server.url(), words.next(), &clock).await
        }
        Some(url) if url.starts_with("postgres") => postgres(url, words.next(), &clock).await,
        Some(directory) => sqlite(Path::new(directory), &clock).await,
        None => sqlite(&std::env::temp_dir(), &clock).await,
    }
}

async fn sqlite(parent: &Path, clock: &Arc<SystemClock>) -> Outcome<()> {
    let directory = tempfile::tempdir_in(parent)?;
    let mut out = std::io::stdout();
    let syncs = syncs_per_second(directory.path(), clock.as_ref())?;
    writeln!(out, "fdatasync of 4 KiB appended: {syncs:>9.0} /s")?;
    heading()?;
    for callers in CALLERS {
        let path = directory.path().join(callers.to_string());
        let store = SqliteStore::open(path, clock.clone(), SqliteOptions::default())?;
        let stores: [Arc<dyn Store>; 1] = [store.clone()];
        let (commits, ms) = commits(&stores, clock, callers).await?;
        report(callers, commits, store.transactions(), ms)?;
        store.close().await;
    }
    Ok(())
}

async fn postgres(url: &str, nodes: Option<String>, clock: &Arc<SystemClock>) -> Outcome<()> {
    let count: usize = nodes.map_or(Ok(1), |nodes| nodes.parse())?;
    let mut nodes = Vec::new();
    for _ in 0..count {
        nodes.push(PostgresStore::open(url, clock.clone(), PostgresOptions::default()).await?);
    }
    let stores: Vec<_> = nodes
        .iter()
        .map(|node| Arc::clone(node) as Arc<dyn Store>)
        .collect();
    writeln!(std::io::stdout(), "{count} nodes on PostgreSQL")?;
    heading()?;
    let mut before = 0;
    for callers in CALLERS {
        let (commits, ms) = commits(&stores, clock, callers).await?;
        let transactions: u64 = nodes.iter().map(|node| node.transactions()).sum();
        report(callers, commits, transactions - before, ms)?;
        before = transactions;
    }
    for node in nodes {
        node.close().await;
    }
    Ok(())
}

fn heading() -> Outcome<()> {
    writeln!(
        std::io::stdout(),
        "callers  commits/s  transactions/s  commits per transaction"
    )?;
    Ok(())
}

fn report(callers: usize, commits: u64, transactions: u64, ms: u64) -> Outcome<()> {
    let ratio = per_second(commits, transactions) / 1_000.0;
    let (commits, transactions) = (per_second(commits, ms), per_second(transactions, ms));
    writeln!(
        std::io::stdout(),
        "{callers:>7}  {commits:>9.0}  {transactions:>14.0}  {ratio:>23.1}"
    )?;
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn per_second(count: u64, ms: u64) -> f64 {
    count as f64 * 1_000.0 / ms.max(1) as f64
}

/// What a commit costs the disk at least: append to a file, and wait until it is there.
fn syncs_per_second(directory: &Path, clock: &dyn Clock) -> Outcome<f64> {
    let mut file = File::create(directory.join("syncs"))?;
    let start = clock.monotonic_ms();
    let mut count = 0;
    while clock.monotonic_ms() - start < MEASURE_MS {
        file.write_all(&[b'x'; 4_096])?;
        file.sync_data()?;
        count += 1;
    }
    Ok(per_second(count, clock.monotonic_ms() - start))
}

/// Commits of so many callers, who take turns on the nodes, and how long that took in ms.
async fn commits(
    stores: &[Arc<dyn Store>],
    clock: &Arc<SystemClock>,
    callers: usize,
) -> Outcome<(u64, u64)> {
    let start = clock.monotonic_ms();
    let tasks = (0..callers)
        .zip(stores.iter().cycle())
        .map(|(caller, store)| {
            let (store, clock) = (Arc::clone(store), Arc::clone(clock));
            tokio::spawn(async move {
                let mut count = 0_u64;
                while clock.monotonic_ms() - start < MEASURE_MS {
                    // A vote: a record of the voter's own.
                    let key = format!("bench/poll/vote/{callers}/{caller}/{count}");
                    store
                        .commit(Commit::new().put(key, vec![b'1'; VALUE_BYTES], None))
                        .await?;
                    count += 1;
                }
                Outcome::Ok(count)
            })
        });
    let mut commits = 0;
    for task in futures::future::join_all(tasks).await {
        commits += task??;
    }
    Ok((commits, clock.monotonic_ms() - start))
}
