//! Clients that vote and patch on every node, whatever they are answered, and remember it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{Addresses, CLIENT_ID, Cluster, VOTES};
use crate::harness::eventually;
use crate::kill_storm::ask;

/// Voters on a node, and as many who patch.
const PAIRS: usize = 2;
/// Votes of one voter, below what the poll takes.
const VOTES_EACH: usize = 1_000;
/// Voters that one client is, one after the other.
const IDENTITIES: usize = 4;
/// What every request must be answered in.
const ANSWER: Duration = Duration::from_secs(15);
/// Before a client asks again who was not served.
const PAUSE: Duration = Duration::from_millis(5);

/// The state that the clients of all nodes patch.
pub(super) const DOCUMENT: &str = "/v1/e/channel_state?channel_id=shared";

/// What a request came to, where it was not fulfilled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Answered with this status.
    Status(StatusCode),
    /// The connection broke, or there was none.
    Gone,
    /// No answer for as long as [`ANSWER`].
    Silence,
}

impl Failure {
    /// Whether the fault is told as one of ours.
    pub(super) fn is_clean(self) -> bool {
        matches!(self, Self::Status(status) if status.is_server_error())
    }
}

/// What came of the requests to one node.
#[derive(Default)]
struct Seen {
    acknowledged: AtomicU64,
    failures: Mutex<Vec<Failure>>,
}

struct Record {
    stop: AtomicBool,
    addresses: Arc<Mutex<Vec<Addresses>>>,
    nodes: Vec<Seen>,
    keys: Mutex<BTreeSet<String>>,
    votes: AtomicU64,
    /// Votes that may count or not.
    votes_unknown: AtomicU64,
}

/// The running clients.
pub(super) struct Load {
    record: Arc<Record>,
    tasks: JoinSet<()>,
}

/// What was acknowledged in all, and what failed on each node.
pub(super) struct Done {
    keys: BTreeSet<String>,
    votes: u64,
    votes_unknown: u64,
    pub(super) failures: Vec<Vec<Failure>>,
}

impl Done {
    /// Whether every patch that a node acknowledged is in its document.
    pub(super) fn is_in(&self, node: usize, state: &Value) -> bool {
        let prefix = format!("{node}-");
        let mut own = self.keys.iter().filter(|key| key.starts_with(&prefix));
        own.all(|key| state.get(key).is_some())
    }

    /// Whether a count holds the acknowledged votes, and no more than were cast.
    pub(super) fn counts(&self, count: &Value) -> bool {
        let cast = self.votes + self.votes_unknown;
        (self.votes..=cast).contains(&count.as_u64().unwrap())
    }
}

impl Load {
    pub(super) async fn start(cluster: &Cluster) -> Self {
        let nodes = cluster.nodes.len();
        let record = Arc::new(Record {
            stop: AtomicBool::new(false),
            addresses: Arc::clone(&cluster.addresses),
            nodes: (0..nodes).map(|_| Seen::default()).collect(),
            keys: Mutex::default(),
            votes: AtomicU64::new(0),
            votes_unknown: AtomicU64::new(0),
        });
        let mut tasks = JoinSet::new();
        for node in 0..nodes {
            for pair in 0..PAIRS {
                let mut voters = Vec::new();
                for identity in 0..IDENTITIES {
                    let user = format!("{}", 1_000 + 100 * node + 10 * pair + identity);
                    voters.push(cluster.token(node, "viewer", &user).await);
                }
                let writer = cluster.token(node, "admin", "9").await;
                tasks.spawn(vote(Client::new(node, &record), voters));
                tasks.spawn(patch(Client::new(node, &record), writer, pair));
            }
        }
        let load = Self { record, tasks };
        for node in 0..nodes {
            load.goes_on(node).await;
        }
        load
    }

    /// Waits until a node has acknowledged some more.
    pub(super) async fn goes_on(&self, node: usize) {
        let seen = &self.record.nodes[node].acknowledged;
        let enough = seen.load(Ordering::SeqCst) + 20;
        eventually("the node acknowledges", async || {
            seen.load(Ordering::SeqCst) >= enough
        })
        .await;
    }

    /// Waits until a request to a node fails.
    pub(super) async fn fails(&self, node: usize) {
        let failures = &self.record.nodes[node].failures;
        let before = failures.lock().len();
        eventually("the node fails", async || failures.lock().len() > before).await;
    }

    pub(super) async fn finish(mut self) -> Done {
        self.record.stop.store(true, Ordering::SeqCst);
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        let record = &self.record;
        let failures = record.nodes.iter().map(|seen| seen.failures.lock().clone());
        Done {
            keys: record.keys.lock().clone(),
            votes: record.votes.load(Ordering::SeqCst),
            votes_unknown: record.votes_unknown.load(Ordering::SeqCst),
            failures: failures.collect(),
        }
    }
}

/// One who asks a node one thing after the other.
struct Client {
    node: usize,
    record: Arc<Record>,
    line: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    fn new(node: usize, record: &Arc<Record>) -> Self {
        Self {
            node,
            record: Arc::clone(record),
            line: None,
        }
    }

    fn stops(&self) -> bool {
        self.record.stop.load(Ordering::SeqCst)
    }

    /// Whether the request was fulfilled; where not, what it came to is remembered.
    async fn send(&mut self, method: &str, path: &str, token: &str, body: Value) -> bool {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "test")
            .header("authorization", format!("{CLIENT_ID} {token}"))
            .body(Full::from(body.to_string()))
            .unwrap();
        let seen = &self.record.nodes[self.node];
        let address = self.record.addresses.lock()[self.node].rest;
        let failure =
            match tokio::time::timeout(ANSWER, once(&mut self.line, address, request)).await {
                Ok(Some(StatusCode::OK)) => {
                    seen.acknowledged.fetch_add(1, Ordering::SeqCst);
                    return true;
                }
                Ok(Some(status)) => Failure::Status(status),
                Ok(None) => Failure::Gone,
                Err(_) => Failure::Silence,
            };
        if !matches!(failure, Failure::Status(_)) {
            self.line = None;
        }
        seen.failures.lock().push(failure);
        tokio::time::sleep(PAUSE).await;
        false
    }
}

/// One request, on the connection that is there or a new one.
async fn once(
    line: &mut Option<SendRequest<Full<Bytes>>>,
    address: SocketAddr,
    request: Request<Full<Bytes>>,
) -> Option<StatusCode> {
    if line.is_none() {
        let stream = TcpStream::connect(address).await.ok()?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
        tokio::spawn(connection);
        *line = Some(sender);
    }
    let (status, _) = ask(line.as_mut()?, request).await?;
    Some(status)
}

async fn vote(mut client: Client, voters: Vec<String>) {
    for token in voters {
        for _ in 0..VOTES_EACH {
            if client.stops() {
                return;
            }
            let counted = client
                .send("POST", VOTES, &token, json!({ "value": 0 }))
                .await;
            let record = &client.record;
            let of = if counted {
                &record.votes
            } else {
                &record.votes_unknown
            };
            of.fetch_add(1, Ordering::SeqCst);
        }
    }
}

async fn patch(mut client: Client, token: String, pair: usize) {
    for n in 0_u64.. {
        if client.stops() {
            return;
        }
        let key = format!("{}-{pair}-{n}", client.node);
        let add = json!([{ "op": "add", "path": format!("/{key}"), "value": n }]);
        if client.send("PATCH", DOCUMENT, &token, add).await {
            client.record.keys.lock().insert(key);
        }
    }
}
