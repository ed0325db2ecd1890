//! A cluster of the real program under load while something of it fails (DESIGN 2, 3): what was
//! acknowledged is there and counted once, who is not concerned notices nothing, and all is well
//! again by itself.

mod clocks;
mod cut_off;
mod database;
mod keeper;
mod load;
mod nats;
mod nodes;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use services::{Nats, Postgres};
use tempfile::TempDir;

use crate::harness::program::Process;
use crate::harness::{Game, Http, eventually};

use load::{DOCUMENT, Done};

const CLIENT_ID: &str = "faulty";
const STATE: &str = "/v1/e/channel_state";
const VOTES: &str = "/v1/e/vote?id=p";
/// What clients of a test ask is not refused for its rate.
const FAST: [&str; 4] = [
    "--rates-rest-requests-per-s-max=100000",
    "--rates-rest-requests-burst-max=100000",
    "--rates-votes-per-s-max=100000",
    "--rates-votes-burst-max=100000",
];

/// Where a node listens; another start of it listens elsewhere.
#[derive(Clone, Copy)]
struct Addresses {
    rest: SocketAddr,
    gamelink: SocketAddr,
}

/// How a node reaches the others: directly, or through a proxy of the test.
struct Ways {
    store: String,
    bus: String,
}

struct Cluster {
    // Ended before what they stand on.
    nodes: Vec<Option<Process>>,
    ways: Vec<Ways>,
    addresses: Arc<Mutex<Vec<Addresses>>>,
    postgres: Postgres,
    nats: Nats,
    folders: Vec<TempDir>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for node in 0..self.nodes.len() {
                let log = std::fs::read_to_string(self.data(node).join("log"));
                eprintln!("the log of node {node}:\n{}", log.unwrap_or_default());
            }
        }
    }
}

impl Cluster {
    async fn start(nodes: usize) -> Self {
        let (postgres, nats) = (Postgres::start().unwrap(), Nats::start().unwrap());
        let way = |_| Ways {
            store: postgres.url(),
            bus: nats.url(),
        };
        let ways = (0..nodes).map(way).collect();
        Self::start_by(postgres, nats, ways).await
    }

    /// With a way of its own for each node. A poll `p` takes a thousand votes of each voter.
    async fn start_by(postgres: Postgres, nats: Nats, ways: Vec<Ways>) -> Self {
        let mut cluster = Self {
            nodes: Vec::new(),
            addresses: Arc::default(),
            folders: ways.iter().map(|_| tempfile::tempdir().unwrap()).collect(),
            ways,
            postgres,
            nats,
        };
        for node in 0..cluster.ways.len() {
            cluster.nodes.push(None);
            let started = cluster.launch(node);
            cluster.addresses.lock().push(started);
        }
        let config = json!({ "config": {
            "options": ["a"], "totalVotesPerUser": 1_024, "votesPerOption": 1_024,
        } });
        let page = cluster.page(0, "broadcaster", "42").await;
        page.post("/v1/e/vote_config?id=p", &config).await.ok();
        page.post(STATE, &json!({ "first": true })).await.ok();
        cluster
    }

    fn launch(&mut self, node: usize) -> Addresses {
        let (store, bus) = (&self.ways[node].store, &self.ways[node].bus);
        let words = ["dev", "--store", store, "--bus", bus];
        let process = Process::start(self.data(node), &[&words[..], &FAST].concat());
        let addresses = Addresses {
            rest: process.address("sandbox-rest"),
            gamelink: process.address("sandbox-gamelink"),
        };
        self.nodes[node] = Some(process);
        addresses
    }

    fn data(&self, node: usize) -> &Path {
        self.folders[node].path()
    }

    /// Ends a node by SIGKILL.
    fn kill(&mut self, node: usize) {
        drop(self.nodes[node].take().unwrap());
    }

    fn start_again(&mut self, node: usize) {
        let started = self.launch(node);
        self.addresses.lock()[node] = started;
    }

    fn rest(&self, node: usize) -> Http {
        Http::new(self.addresses.lock()[node].rest)
    }

    async fn token(&self, node: usize, role: &str, user: &str) -> String {
        let body = json!({
            "app_id": CLIENT_ID, "channel_id": "42", "user_id": user, "role": role,
        });
        let answer = self.rest(node).post("/v1/e/authtoken", &body).await.ok();
        answer["token"].as_str().unwrap().to_owned()
    }

    async fn page(&self, node: usize, role: &str, user: &str) -> Http {
        let token = self.token(node, role, user).await;
        self.rest(node).with(CLIENT_ID, &token)
    }

    /// A game paired with channel 42, and its refresh token.
    async fn paired_game(&self, node: usize) -> (Game, Value) {
        let pin = self.page(node, "broadcaster", "42").await.pin().await;
        let gamelink = self.addresses.lock()[node].gamelink;
        let mut game = Game::connect(gamelink, &format!("/0.0.1/{CLIENT_ID}")).await;
        let answer = game.authenticate(json!({ "pin": pin })).await;
        (game, answer["data"]["refresh"].clone())
    }

    /// Waits until every node shows what was acknowledged and all show the same count.
    async fn agree_within(&self, done: &Done, within: Duration) {
        let shown = async {
            let mut counts = Vec::new();
            for node in 0..self.nodes.len() {
                let page = self.page(node, "admin", "9").await;
                for writer in 0..self.nodes.len() {
                    eventually("every acknowledged patch is there", async || {
                        done.is_in(writer, &page.get(DOCUMENT).await.ok())
                    })
                    .await;
                }
                eventually(
                    "every acknowledged vote counts, and none twice",
                    async || done.counts(&page.get(VOTES).await.ok()["count"]),
                )
                .await;
            }
            for node in 0..self.nodes.len() {
                let page = self.page(node, "viewer", "7").await;
                counts.push(page.get(VOTES).await.ok()["count"].clone());
            }
            assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
        };
        tokio::time::timeout(within, shown)
            .await
            .expect("the nodes do not agree in time");
    }
}

/// Waits until a game is told a state that holds this key.
async fn told(game: &mut Game, key: &str, within: Duration) {
    let coming = async { while game.event("channel").await["state"].get(key).is_none() {} };
    tokio::time::timeout(within, coming)
        .await
        .expect("the game is not told in time");
}
