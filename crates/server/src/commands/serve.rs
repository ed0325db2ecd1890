//! `dev` and `serve`: the server itself.

use std::io::{self, Write};
use std::sync::Arc;

use crowdlink_store::{Clock, SystemClock};

use tokio::task::JoinHandle;

use super::print;
use crate::app::{App, Demo, Foundation, open_embedded, system_random};
use crate::bus;
use crate::cli::StartArgs;
use crate::listen::ready_line;
use crate::settings::Settings;
use crate::shutdown::Outcome;
use crate::takeover::{self, Door};

/// Runs the server until it is told to end.
pub fn serve(settings: Settings, start: &StartArgs, dev: bool) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(settings, start, dev))
}

async fn run(settings: Settings, start: &StartArgs, dev: bool) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let (bound, handover) = takeover::bind_or_take(&settings, start.takeover, &*clock).await?;
    let store = open_embedded(&settings, &clock)?;
    let random = system_random()?;
    let bus = bus::open(&settings.bus, &clock, &random)?;
    let foundation = Foundation {
        store: store.clone(),
        clock: Arc::clone(&clock),
        random,
        bus: bus.within(),
    };
    let door = Door::open(&settings.store.data, &bound);
    let app = App::new(settings, foundation, dev).await?;
    bus.show(&app.metrics);
    let mut hello = String::new();
    if dev {
        Demo::register(&app.core).await?;
        hello = Demo::first_steps(&bound);
    }
    let line = format!("{}\n", ready_line(&bound)?);
    let signals = tokio::spawn(app.shutdown.clone().on_signals());
    let handing = match door {
        Ok(door) => Some(tokio::spawn(
            door.serve(app.shutdown.clone(), Arc::clone(&clock)),
        )),
        Err(error) => {
            tracing::warn!(%error, "a later --takeover will not find this server");
            None
        }
    };
    let ready = || {
        // Where nobody reads, there is nobody to tell.
        let _ = print(&line);
        let _ = io::stderr().write_all(hello.as_bytes());
        if let Some(handover) = handover {
            let clock = Arc::clone(&clock);
            tokio::spawn(async move {
                if let Err(error) = handover.finish(&*clock).await {
                    tracing::warn!(%error, "the old server did not confirm that it drains");
                }
            });
        }
    };
    let outcome = app.run(bound, ready).await?;
    match outcome {
        Outcome::Drained => tracing::info!("drained"),
        Outcome::TimedOut => tracing::warn!("the drain took too long; ended all the same"),
        Outcome::CutShort => tracing::warn!("the drain was cut short"),
    }
    signals.abort();
    handing.inspect(JoinHandle::abort);
    store.close().await;
    Ok(())
}
