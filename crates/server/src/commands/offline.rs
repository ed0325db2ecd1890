//! Core on the store, for a command beside a running server or without one.

use std::future::Future;
use std::sync::Arc;

use crowdlink_core::{Core, LocalBus, World};
use crowdlink_store::{Clock, SystemClock};

use crate::app::{core_options, open_store, system_random};
use crate::settings::Settings;

/// Opens core on the settings' store for the time of `work`.
pub(super) fn with_core<F, Fut>(settings: &Settings, work: F) -> anyhow::Result<()>
where
    F: FnOnce(Arc<Core>) -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let random = system_random()?;
        let store = open_store(settings, &clock, &*random).await?;
        let world = World {
            store: store.store(),
            clock,
            random,
            bus: Arc::new(LocalBus::new()),
        };
        let outcome = match Core::open(world, core_options(settings, false)).await {
            Ok(core) => work(core).await,
            Err(error) => Err(error.into()),
        };
        store.close().await;
        outcome
    })
}
