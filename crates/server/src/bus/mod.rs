//! The bus of a cluster, over NATS (DESIGN 3): at most once, ordered for each publisher.
//!
//! Within the node a [`LocalBus`] carries everything at once; NATS carries it to the others, and
//! what they publish comes out of the local bus too. Each message has its publisher's id and a
//! number, and a heartbeat tells the newest number every half second. So whoever misses a message
//! sees a gap, at the latest by the next heartbeat, and tells its node that word was lost.

mod connection;
mod figures;
mod link;
mod outbound;
mod peers;
mod servers;
mod subject;
mod wire;

use std::fmt;
use std::sync::Arc;

use anyhow::Context as _;
use crowdlink_core::{Bus, LocalBus, Message, Random, Subscription};
use crowdlink_store::Clock;
use tokio::task::JoinHandle;

pub use figures::{Figure, FigureKind};
pub use servers::Servers;

use crate::ops::Metrics;
use crate::settings;
use link::Link;

/// The bus over NATS.
pub struct NatsBus {
    link: Arc<Link>,
    running: JoinHandle<()>,
}

impl NatsBus {
    /// A bus that connects now and whenever it is cut off, until it is dropped. Never waits: where
    /// nobody answers, the node goes on alone and tells so.
    ///
    /// `subject` begins the name of every NATS subject: clusters that share a NATS server differ
    /// in it.
    pub fn start(
        servers: Servers,
        subject: &str,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Arc<Self> {
        let link = Arc::new(Link::new(subject, clock, random));
        let running = tokio::spawn(connection::run(Arc::clone(&link), servers));
        Arc::new(Self { link, running })
    }

    /// Other nodes that were heard within the last two seconds.
    pub fn peers(&self) -> usize {
        self.link.peers()
    }

    /// What is counted, for operators.
    pub fn figures(&self) -> Vec<Figure> {
        self.link.figures()
    }
}

impl fmt::Debug for NatsBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsBus")
            .field("up", &self.is_up())
            .finish_non_exhaustive()
    }
}

impl Drop for NatsBus {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Bus for NatsBus {
    fn publish(&self, message: Message) {
        self.link.publish(message);
    }

    fn subscribe(&self) -> Subscription {
        self.link.local().subscribe()
    }

    fn is_up(&self) -> bool {
        self.link.is_up()
    }
}

/// The bus that settings ask for.
#[derive(Debug)]
pub enum Opened {
    /// Within the process: there are no other nodes.
    Local(Arc<LocalBus>),
    /// To the other nodes.
    Nats(Arc<NatsBus>),
}

impl Opened {
    /// The bus as this node has it.
    pub fn within(&self) -> Arc<dyn Bus> {
        match self {
            Self::Local(bus) => Arc::clone(bus) as Arc<dyn Bus>,
            Self::Nats(bus) => Arc::clone(bus) as Arc<dyn Bus>,
        }
    }

    /// Shows operators what is counted.
    pub fn show(&self, metrics: &Metrics) {
        match self {
            Self::Local(_) => {}
            Self::Nats(bus) => metrics.collect(figures::collector(Arc::clone(bus))),
        }
    }
}

/// The bus that the settings ask for: within the process where they name no address. A server that
/// is not there yet is no error: the bus goes on trying.
///
/// # Errors
/// An address that is none of a NATS server, or a subject that is none.
pub fn open(
    settings: &settings::Bus,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
) -> anyhow::Result<Opened> {
    if settings.url.is_empty() {
        return Ok(Opened::Local(Arc::new(LocalBus::new())));
    }
    let servers = Servers::parse(settings.url.expose())
        .with_context(|| format!("--bus cannot be {}", settings.url))?;
    let subject = &settings.subject;
    anyhow::ensure!(
        subject::is_prefix(subject),
        "bus.subject must be words of letters, digits, `_` and `-` with dots between them"
    );
    let bus = NatsBus::start(servers, subject, Arc::clone(clock), Arc::clone(random));
    Ok(Opened::Nats(bus))
}
