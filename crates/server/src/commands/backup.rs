//! `backup` and `restore`.

use std::sync::Arc;

use anyhow::Context as _;
use crowdlink_store::{Clock, SqliteStore, SystemClock};

use super::print;
use crate::app::{STORE_FILE, open_embedded};
use crate::cli::{BackupArgs, RestoreArgs};
use crate::settings::Settings;

/// Writes a consistent copy of the embedded store.
pub fn backup(settings: &Settings, args: &BackupArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let file = settings.store.data.join(STORE_FILE);
        embedded(settings)?;
        anyhow::ensure!(file.exists(), "there is no store at {}", file.display());
        let store = open_embedded(settings, &clock)?;
        let outcome = store.backup_to(&args.file).await;
        store.close().await;
        outcome.with_context(|| format!("cannot write {}", args.file.display()))
    })?;
    print(&format!("wrote {}\n", args.file.display()))
}

/// Puts a copy in the place of the embedded store.
pub fn restore(settings: &Settings, args: &RestoreArgs) -> anyhow::Result<()> {
    embedded(settings)?;
    let to = settings.store.data.join(STORE_FILE);
    SqliteStore::restore(&args.file, &to, args.replace)
        .with_context(|| format!("cannot restore {}", args.file.display()))?;
    print(&format!("restored {}\n", to.display()))
}

fn embedded(settings: &Settings) -> anyhow::Result<()> {
    anyhow::ensure!(
        settings.store.url.is_empty(),
        "this is for the embedded store; PostgreSQL is backed up with pg_dump, and restored as \
         docs/postgres.md tells"
    );
    Ok(())
}
