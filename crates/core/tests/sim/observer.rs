//! A subscriber on a node: hears what the node hears, reads what changed, as connections do.

use std::collections::BTreeMap;
use std::sync::Arc;

use crowdlink_core::polls::{self, PollPlace};
use crowdlink_core::{Core, Error, Notice, Place};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::trace::Trace;
use crate::{ballots, documents};

/// When what could not be read is tried again.
const RETRY_MS: u64 = 250;

/// What is subscribed to.
#[derive(Clone, Debug)]
pub enum Watched {
    Document(Place),
    Poll(PollPlace),
}

impl Watched {
    fn name(&self) -> String {
        match self {
            Self::Document(place) => format!("{:?} {:?}", place.kind, place.scope),
            Self::Poll(place) => format!("poll {}", place.id),
        }
    }

    /// The newest version there is, as a node sees it; 0 for none.
    pub async fn version(&self, core: &Core) -> Result<u64, Error> {
        match self {
            Self::Document(place) => Ok(core.read_document(place).await?.version),
            Self::Poll(place) => {
                let poll = polls::snapshot(core, place).await?;
                Ok(poll.map_or(0, |poll| poll.version))
            }
        }
    }
}

/// Everything that observers subscribe to.
pub fn watched() -> BTreeMap<String, Watched> {
    let documents = documents::places().into_iter().map(Watched::Document);
    let polls = ballots::places().into_iter().map(Watched::Poll);
    let all = documents.chain(polls);
    all.map(|watched| (watched.name(), watched)).collect()
}

#[derive(Default)]
struct Inner {
    due: BTreeMap<String, Watched>,
    /// The version that was read last.
    seen: BTreeMap<String, u64>,
}

pub struct Observer {
    node: usize,
    trace: Arc<Trace>,
    watched: BTreeMap<String, Watched>,
    inner: Mutex<Inner>,
    woken: Notify,
}

impl Observer {
    pub fn new(node: usize, trace: &Arc<Trace>) -> Arc<Self> {
        Arc::new(Self {
            node,
            trace: Arc::clone(trace),
            watched: watched(),
            inner: Mutex::new(Inner {
                due: watched(),
                seen: BTreeMap::new(),
            }),
            woken: Notify::new(),
        })
    }

    pub fn hear(&self, notice: Notice) {
        let due = match notice {
            Notice::Changed(changed) => vec![Watched::Document(changed.place)],
            Notice::Poll(news) => vec![Watched::Poll(news.place)],
            Notice::MayHaveChanged(_) => self.watched.values().cloned().collect(),
            _ => return,
        };
        let mut inner = self.inner.lock();
        let named = due.into_iter().map(|watched| (watched.name(), watched));
        let named = named.filter(|(name, _)| self.watched.contains_key(name));
        inner.due.extend(named);
        self.woken.notify_one();
    }

    /// Reads what is due, until it is dropped.
    pub async fn run(&self, core: &Core) {
        loop {
            let next = self.inner.lock().due.pop_first();
            let Some((name, watched)) = next else {
                self.woken.notified().await;
                continue;
            };
            if let Ok(version) = watched.version(core).await {
                self.see(&name, version);
            } else {
                self.inner.lock().due.insert(name, watched);
                core.world().clock.sleep_ms(RETRY_MS).await;
            }
        }
    }

    /// Versions go forward; what is gone has none.
    fn see(&self, name: &str, version: u64) {
        let node = self.node;
        let mut inner = self.inner.lock();
        let before = inner.seen.insert(name.to_owned(), version).unwrap_or(0);
        drop(inner);
        if version != before {
            self.trace.say(&format!("n{node} sees {name} at {version}"));
        }
        if version != 0 && version < before {
            let wrong = format!("n{node} saw {name} at {before}, then at {version}");
            self.trace.wrong(wrong);
        }
    }

    /// The version of each that was read last.
    pub fn seen(&self) -> BTreeMap<String, u64> {
        self.inner.lock().seen.clone()
    }
}
