//! The store of the settings: embedded, or of a cluster.

use std::sync::Arc;

use anyhow::Context as _;
use crowdlink_core::Random;
use crowdlink_store::{
    Bulk, Clock, PostgresBulk, PostgresOptions, PostgresStore, ReadOnlySqlite, SqliteBulk,
    SqliteOptions, SqliteStore, Store,
};

use crate::settings::{self, Settings};

/// The file of the embedded store in the data directory.
pub const STORE_FILE: &str = "crowdlink.db";

/// A store that is open, to be closed in order.
#[derive(Clone, Debug)]
pub enum Opened {
    /// The file in the data directory.
    Embedded(Arc<SqliteStore>),
    /// The database of a cluster.
    Clustered(Arc<PostgresStore>),
}

impl Opened {
    /// As everything else sees it.
    pub fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Embedded(store) => Arc::clone(store) as Arc<dyn Store>,
            Self::Clustered(store) => Arc::clone(store) as Arc<dyn Store>,
        }
    }

    /// Whether other processes may serve on it too.
    pub fn is_clustered(&self) -> bool {
        matches!(self, Self::Clustered(_))
    }

    /// Does what waits and ends.
    pub async fn close(&self) {
        match self {
            Self::Embedded(store) => store.close().await,
            Self::Clustered(store) => store.close().await,
        }
    }
}

/// Opens the store that the settings name, and makes it where there is none.
///
/// # Errors
/// It cannot be reached or is not ours; or both stores are meant, and one would be passed over.
pub async fn open_store(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
    random: &dyn Random,
) -> anyhow::Result<Opened> {
    if settings.store.url.is_empty() {
        return Ok(Opened::Embedded(open_embedded(settings, clock)?));
    }
    only_one(settings)?;
    let mut seed = [0; 8];
    random.fill(&mut seed);
    let options = PostgresOptions {
        seed: u64::from_le_bytes(seed),
        ..PostgresOptions::default()
    };
    let store = open_postgres(settings, clock, options).await?;
    Ok(Opened::Clustered(store))
}

/// Opens the store that the settings name without changing anything; `Err` within tells people why
/// there is none.
///
/// # Errors
/// Both stores are meant.
pub async fn open_to_read(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Result<Arc<dyn Store>, String>> {
    if !settings.store.url.is_empty() {
        only_one(settings)?;
        let options = PostgresOptions {
            read_only: true,
            ..PostgresOptions::default()
        };
        return Ok(match open_postgres(settings, clock, options).await {
            Ok(store) => Ok(store),
            Err(error) => Err(format!("{error:#}")),
        });
    }
    let path = settings.store.data.join(STORE_FILE);
    if !path.exists() {
        return Ok(Err(format!("there is no store at {}", path.display())));
    }
    Ok(match ReadOnlySqlite::open(&path, Arc::clone(clock)) {
        Ok(store) => Ok(store),
        Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
    })
}

/// The embedded store of the settings' data directory.
///
/// # Errors
/// It cannot be opened.
pub fn open_embedded(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Arc<SqliteStore>> {
    let path = settings.store.data.join(STORE_FILE);
    SqliteStore::open(&path, Arc::clone(clock), SqliteOptions::default())
        .with_context(|| format!("cannot open the store {}", path.display()))
}

/// The settings' store as what everything is moved from or to. Opens nothing yet.
///
/// # Errors
/// Both stores are meant, or the URL cannot be read.
pub fn bulk(settings: &Settings, clock: &Arc<dyn Clock>) -> anyhow::Result<Box<dyn Bulk>> {
    let url = &settings.store.url;
    if url.is_empty() {
        let path = settings.store.data.join(STORE_FILE);
        return Ok(Box::new(SqliteBulk::at(path)));
    }
    only_one(settings)?;
    let store = PostgresBulk::at(url.expose(), Arc::clone(clock))
        .with_context(|| format!("cannot open the store {url}"))?;
    Ok(Box::new(store))
}

async fn open_postgres(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
    options: PostgresOptions,
) -> anyhow::Result<Arc<PostgresStore>> {
    let url = &settings.store.url;
    PostgresStore::open(url.expose(), Arc::clone(clock), options)
        .await
        // Shown without its password.
        .with_context(|| format!("cannot open the store {url}"))
}

/// A data directory that was asked for and holds a store is not passed over in silence. Without a
/// store in it, it is where `--takeover` finds the server.
fn only_one(settings: &Settings) -> anyhow::Result<()> {
    let data = &settings.store.data;
    let asked = *data != settings::Store::default().data;
    anyhow::ensure!(
        !asked || !data.join(STORE_FILE).exists(),
        "two stores are given: {} holds one, and --store names another; leave one of them away",
        data.display()
    );
    Ok(())
}
