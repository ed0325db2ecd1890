//! `dev` and `serve`: the server itself.

use std::io::{self, Write};
use std::sync::Arc;

use crowdlink_core::{Node, Random};
use crowdlink_store::{Clock, SystemClock};
use tokio::task::JoinHandle;

use super::print;
use crate::app::{App, Demo, Foundation, Opened, await_store, system_random};
use crate::bus;
use crate::cli::StartArgs;
use crate::listen::ready_line;
use crate::settings::Settings;
use crate::shutdown::{Outcome, Shutdown};
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
    let random = system_random()?;
    let shutdown = Shutdown::new();
    let signals = tokio::spawn(shutdown.clone().on_signals());
    let Some(store) = await_store(&settings, &clock, &*random, &shutdown).await? else {
        tracing::info!("ended before the store was there");
        return Ok(());
    };
    let node = Membership::begin(&store, &clock, &*random).await?;
    let bus = bus::open(&settings.bus, &clock, &random)?;
    let foundation = Foundation {
        store: store.store(),
        clock: Arc::clone(&clock),
        random,
        bus: bus.within(),
        node: node.number(),
        shutdown,
    };
    let data = settings.store.data.clone();
    let app = App::new(settings, foundation, dev).await?;
    bus.show(&app.metrics);
    // Not before: whoever fails to start must leave the door of the running server alone.
    let door = Door::open(&data, &bound);
    let mut hello = String::new();
    if dev {
        Demo::register(&app.core).await?;
        hello = Demo::first_steps(&bound, app.tls.as_deref());
    }
    let line = format!("{}\n", ready_line(&bound, app.tls.as_deref())?);
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
    node.end().await;
    store.close().await;
    Ok(())
}

/// This node's number among those of its cluster; 0 where there is none.
struct Membership(Option<(Arc<Node>, JoinHandle<()>)>);

impl Membership {
    async fn begin(
        store: &Opened,
        clock: &Arc<dyn Clock>,
        random: &dyn Random,
    ) -> anyhow::Result<Self> {
        if !store.is_clustered() {
            return Ok(Self(None));
        }
        let node = Node::join(store.store(), Arc::clone(clock), random).await?;
        tracing::info!(number = node.number(), "this node has its number");
        let node = Arc::new(node);
        let kept = Arc::clone(&node);
        let keeping = tokio::spawn(async move { kept.keep().await });
        Ok(Self(Some((node, keeping))))
    }

    fn number(&self) -> u32 {
        self.0.as_ref().map_or(0, |(node, _)| node.number())
    }

    async fn end(self) {
        if let Some((node, keeping)) = self.0 {
            keeping.abort();
            if let Err(error) = node.leave().await {
                tracing::warn!(%error, "the number of the node was not given back");
            }
        }
    }
}
