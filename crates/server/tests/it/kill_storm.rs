//! A storm of writes, and `kill -9` in the middle of it (DESIGN 2): what was acknowledged is there
//! afterwards, and of nothing there is half.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use crowdlink_core::{Random, SeededRandom};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::task::JoinSet;

use crate::harness::Http;
use crate::kill::Program;

const ROUNDS: usize = 20;
/// Rounds that write to the same shared documents: each lives through as many kills.
const ROUNDS_PER_DOCUMENT: usize = 4;
const CLIENTS: usize = 32;
/// Of them, those who write documents of their own: every fourth client, each to another kind.
const OWN: [Own; 4] = [
    Own::ViewerState,
    Own::Config,
    Own::JsonStore,
    Own::ChannelState,
];
const CLIENT_ID: &str = "stormy";
/// Acknowledgements after which a server is killed.
const ACKNOWLEDGED: std::ops::Range<u64> = 40..400;
/// How long a round may take.
const PATIENCE: Duration = Duration::from_mins(1);
const FAST: [&str; 2] = [
    "--rates-rest-requests-per-s-max=100000",
    "--rates-rest-requests-burst-max=100000",
];

/// A document of one client, with the number of its last write at `left` and `right`.
#[derive(Clone, Copy, Debug)]
enum Own {
    ViewerState,
    Config,
    JsonStore,
    ChannelState,
}

/// What a client writes.
#[derive(Clone, Debug)]
enum Work {
    /// Two keys of its own a write, in a document that it shares, which stands in this channel.
    Shared(String),
    Own(Own),
}

/// One client: who it is, and what it remembers of its writes.
#[derive(Clone, Debug)]
struct Client {
    index: usize,
    token: String,
    work: Work,
    /// The number of its newest write.
    newest: u64,
    /// Those known to be there, of the document it writes now.
    there: BTreeSet<u64>,
    /// The one that was under way when the server died.
    unknown: Option<u64>,
}

impl Client {
    fn path(&self) -> String {
        let index = self.index;
        match &self.work {
            Work::Shared(channel) => format!("/v1/e/channel_state?channel_id={channel}"),
            Work::Own(Own::ViewerState) => "/v1/e/viewer_state?channel_id=stage".to_owned(),
            Work::Own(Own::Config) => format!("/v1/e/config/channel?channel_id=own-{index}"),
            Work::Own(Own::JsonStore) => {
                format!("/v1/e/json_store?channel_id=stage&id=own-{index}")
            }
            Work::Own(Own::ChannelState) => {
                format!("/v1/e/channel_state?channel_id=own-{index}")
            }
        }
    }

    fn keys(&self, number: u64) -> [String; 2] {
        match self.work {
            Work::Shared(_) => {
                ["left", "right"].map(|side| format!("{side}-{}-{number}", self.index))
            }
            Work::Own(_) => ["left", "right"].map(str::to_owned),
        }
    }

    /// Method and body of write number `number`: a patch, a merge patch or a whole document.
    fn write(&self, number: u64) -> (&'static str, Value) {
        let [left, right] = self.keys(number);
        match self.work {
            Work::Own(Own::JsonStore | Own::Config) => {
                ("POST", json!({ (left): number, (right): number }))
            }
            Work::Shared(_) | Work::Own(_) if number.is_multiple_of(2) => {
                ("PATCH", json!({ (left): number, (right): number }))
            }
            Work::Shared(_) | Work::Own(_) => {
                let add = |key| json!({ "op": "add", "path": format!("/{key}"), "value": number });
                ("PATCH", json!([add(left), add(right)]))
            }
        }
    }

    /// Writes one thing after the other until the server is gone.
    async fn storm(mut self, server: SocketAddr, acknowledged: UnboundedSender<()>) -> Self {
        let stream = TcpStream::connect(server).await.unwrap();
        let (mut line, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        loop {
            self.newest += 1;
            let (method, body) = self.write(self.newest);
            let request = Request::builder()
                .method(method)
                .uri(self.path())
                .header("host", "test")
                .header("authorization", format!("{CLIENT_ID} {}", self.token))
                .body(Full::from(body.to_string()))
                .unwrap();
            let Some((status, answer)) = ask(&mut line, request).await else {
                self.unknown = Some(self.newest);
                return self;
            };
            assert_eq!(status, 200, "client {}: {answer:?}", self.index);
            self.there.insert(self.newest);
            // Nobody counts any more once the server was killed.
            let _ = acknowledged.send(());
        }
    }

    /// Compares a document with what this client knows of its writes, and learns what became of
    /// the one that was under way.
    fn check(&mut self, document: &Value) {
        let unknown = self.unknown.take();
        match self.work {
            Work::Shared(_) => {
                let there = |number: &u64| {
                    let [left, right] = self.keys(*number).map(|key| document.get(key).cloned());
                    assert_eq!(left, right, "half a write: {} of {}", number, self.index);
                    left.inspect(|left| assert_eq!(*left, *number)).is_some()
                };
                let lost: Vec<_> = self.there.iter().filter(|number| !there(number)).collect();
                assert!(lost.is_empty(), "client {} lost {lost:?}", self.index);
                self.there.extend(unknown.filter(there));
            }
            Work::Own(_) => {
                let number = |key: &str| document[key].as_u64().unwrap_or(0);
                let (left, right) = (number("left"), number("right"));
                assert_eq!(left, right, "half a write: {document}");
                let last = self.there.last().copied().unwrap_or(0);
                assert!(
                    left == last || Some(left) == unknown,
                    "client {}: {left} is there, {last} was acknowledged, {unknown:?} was not",
                    self.index
                );
                self.there = BTreeSet::from([left]);
            }
        }
    }
}

/// One request on a connection; none where it broke before the whole answer was there.
pub(crate) async fn ask(
    line: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Option<(StatusCode, Bytes)> {
    line.ready().await.ok()?;
    let answer = line.send_request(request).await.ok()?;
    let status = answer.status();
    let body = answer.into_body().collect().await.ok()?;
    Some((status, body.to_bytes()))
}

/// The clients, each with a token of its own that may write in any channel.
async fn clients(server: SocketAddr) -> Vec<Client> {
    let mut clients = Vec::new();
    for index in 0..CLIENTS {
        let body = json!({
            "app_id": CLIENT_ID, "channel_id": "", "user_id": format!("user-{index}"),
            "role": "admin",
        });
        let answer = Http::new(server).post("/v1/e/authtoken", &body).await.ok();
        let work = if index.is_multiple_of(4) {
            Work::Own(OWN[index / 4 % OWN.len()])
        } else {
            Work::Shared(String::new())
        };
        clients.push(Client {
            index,
            token: answer["token"].as_str().unwrap().to_owned(),
            work,
            newest: 0,
            there: BTreeSet::new(),
            unknown: None,
        });
    }
    clients
}

/// Sends the sharers to the next document.
fn move_on(clients: &mut [Client], round: usize) {
    for client in clients {
        if let Work::Shared(channel) = &mut client.work {
            *channel = format!("shared-{round}");
            client.there.clear();
        }
    }
}

/// All write until the server is killed, after that many acknowledgements.
async fn storm(program: Program, clients: Vec<Client>, kill_after: u64) -> Vec<Client> {
    let (acknowledged, mut counted) = mpsc::unbounded_channel();
    let mut storming = JoinSet::new();
    for client in clients {
        storming.spawn(client.storm(program.rest, acknowledged.clone()));
    }
    drop(acknowledged);
    for _ in 0..kill_after {
        counted.recv().await.expect("a client failed");
    }
    program.kill_9();
    storming.join_all().await
}

/// Compares every document with what its writers know, and that there is nothing else.
async fn check(server: SocketAddr, clients: &mut [Client]) {
    let mut keys = 0;
    let mut shared = json!({});
    for client in clients {
        let http = Http::new(server).with(CLIENT_ID, &client.token);
        let answer = http.get(&client.path()).await;
        // A value of the JSON store that was never written is not found.
        let document = if answer.status == 404 {
            json!({})
        } else {
            answer.ok()
        };
        client.check(&document);
        if let Work::Shared(_) = client.work {
            keys += client.there.len() * 2;
            shared = document;
        }
    }
    let surplus = shared.as_object().unwrap().len() - keys;
    assert_eq!(surplus, 0, "keys that nobody wrote, or half a write");
}

#[tokio::test]
async fn in_a_storm_of_writes_what_was_acknowledged_survives_kill_9_and_nothing_is_there_by_half() {
    let folder = tempfile::tempdir().unwrap();
    let random = SeededRandom::from_seed(32);
    let mut program = Program::start_with(folder.path(), &FAST);
    let mut clients = clients(program.rest).await;
    let mut cut_short = 0;
    for round in 0..ROUNDS {
        if round.is_multiple_of(ROUNDS_PER_DOCUMENT) {
            move_on(&mut clients, round);
        }
        let mut seed = [0; 8];
        random.fill(&mut seed);
        let span = ACKNOWLEDGED.end - ACKNOWLEDGED.start;
        let kill_after = ACKNOWLEDGED.start + u64::from_le_bytes(seed) % span;
        let stormed = storm(program, clients, kill_after);
        clients = tokio::time::timeout(PATIENCE, stormed).await.unwrap();
        clients.sort_by_key(|client| client.index);
        cut_short += clients
            .iter()
            .filter(|client| client.unknown.is_some())
            .count();
        program = Program::start_with(folder.path(), &FAST);
        check(program.rest, &mut clients).await;
    }
    assert_eq!(cut_short, ROUNDS * CLIENTS, "every client wrote to the end");
}
