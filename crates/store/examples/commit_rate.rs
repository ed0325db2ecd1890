//! How many commits a second the embedded engine acknowledges, next to what the disk can sync.
//!
//! `cargo run --release -p crowdlink-store --example commit_rate [DIRECTORY]`

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crowdlink_store::{Clock, Commit, SqliteOptions, SqliteStore, Store, SystemClock};

const MEASURE_MS: u64 = 3_000;
const CALLERS: [usize; 3] = [1, 64, 512];
const VALUE_BYTES: usize = 256;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let parent = std::env::args_os()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = tempfile::tempdir_in(parent)?;
    let clock = Arc::new(SystemClock::new());
    let mut out = std::io::stdout();
    let syncs = syncs_per_second(directory.path(), clock.as_ref())?;
    writeln!(out, "fdatasync of 4 KiB appended: {syncs:>9.0} /s")?;
    writeln!(
        out,
        "callers  commits/s  transactions/s  commits per fdatasync"
    )?;
    for callers in CALLERS {
        let (commits, transactions) = commits_per_second(directory.path(), &clock, callers).await?;
        let ratio = commits / syncs;
        writeln!(
            out,
            "{callers:>7}  {commits:>9.0}  {transactions:>14.0}  {ratio:>21.1}"
        )?;
    }
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

async fn commits_per_second(
    directory: &Path,
    clock: &Arc<SystemClock>,
    callers: usize,
) -> Outcome<(f64, f64)> {
    let directory = directory.join(callers.to_string());
    let store = SqliteStore::open(directory, clock.clone(), SqliteOptions::default())?;
    let start = clock.monotonic_ms();
    let tasks = (0..callers).map(|caller| {
        let (store, clock) = (Arc::clone(&store), Arc::clone(clock));
        tokio::spawn(async move {
            let mut count = 0_u64;
            while clock.monotonic_ms() - start < MEASURE_MS {
                // A vote: a record of the voter's own.
                let key = format!("bench/poll/vote/{caller}/{count}");
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
    let ms = clock.monotonic_ms() - start;
    let transactions = store.transactions();
    store.close().await;
    Ok((per_second(commits, ms), per_second(transactions, ms)))
}
