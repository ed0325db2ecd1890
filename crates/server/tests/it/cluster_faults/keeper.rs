//! A game that keeps its pairing, as shipped ones do: it presents its newest refresh token again
//! and again, elsewhere when a connection ends, and gives up at an error (`spec 1.4`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::{Addresses, CLIENT_ID, Cluster};
use crate::harness::eventually;

/// What an answer or the end must come in.
const ANSWER: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(5);

#[derive(Default)]
struct Seen {
    stop: AtomicBool,
    refreshed: AtomicU64,
    told_to_try_later: AtomicU64,
}

/// The running game.
pub(super) struct Keeper {
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

impl Keeper {
    /// A game whose home is this node; it moves to the next one where it may not stay.
    pub(super) async fn start(cluster: &Cluster, home: usize, moves: bool) -> Self {
        let (game, token) = cluster.paired_game(home).await;
        game.close().await;
        let seen = Arc::new(Seen::default());
        let keeping = keep(
            Arc::clone(&seen),
            Arc::clone(&cluster.addresses),
            home,
            moves,
            token,
        );
        let task = tokio::spawn(keeping);
        let keeper = Self { seen, task };
        keeper.goes_on().await;
        keeper
    }

    /// Waits until it was given new tokens.
    pub(super) async fn goes_on(&self) {
        self.more(&self.seen.refreshed, 3, "the game refreshes")
            .await;
    }

    /// Waits until it was closed with 1013.
    pub(super) async fn is_put_off(&self) {
        let put_off = &self.seen.told_to_try_later;
        self.more(put_off, 1, "the game is told to try later").await;
    }

    async fn more(&self, figure: &AtomicU64, by: u64, what: &str) {
        let enough = figure.load(Ordering::SeqCst) + by;
        eventually(what, async || {
            assert!(!self.task.is_finished(), "the game has given up");
            figure.load(Ordering::SeqCst) >= enough
        })
        .await;
    }

    pub(super) async fn finish(self) {
        self.goes_on().await;
        self.seen.stop.store(true, Ordering::SeqCst);
        self.task.await.unwrap();
    }
}

async fn keep(
    seen: Arc<Seen>,
    addresses: Arc<Mutex<Vec<Addresses>>>,
    mut node: usize,
    moves: bool,
    mut token: Value,
) {
    let mut game = None;
    while !seen.stop.load(Ordering::SeqCst) {
        let gamelink = addresses.lock()[node];
        let answer = tokio::time::timeout(ANSWER, refresh(&mut game, gamelink, &token)).await;
        if let Some(frame) = answer.expect("a refresh hangs") {
            let next = &frame["data"]["refresh"];
            // An error would cost a shipped game its pairing.
            assert!(next.is_string(), "{frame}");
            token = next.clone();
            seen.refreshed.fetch_add(1, Ordering::SeqCst);
            continue;
        }
        if game.take().is_some_and(|game: Connected| game.put_off) {
            seen.told_to_try_later.fetch_add(1, Ordering::SeqCst);
        }
        if moves {
            node = (node + 1) % addresses.lock().len();
        }
        tokio::time::sleep(PAUSE).await;
    }
}

struct Connected {
    socket: WebSocketStream<TcpStream>,
    /// Whether it was closed with 1013.
    put_off: bool,
}

/// The answer to a refresh; none where the connection ended.
async fn refresh(game: &mut Option<Connected>, at: Addresses, token: &Value) -> Option<Value> {
    if game.is_none() {
        let stream = TcpStream::connect(at.gamelink).await.ok()?;
        let url = format!("ws://{}/0.0.1/{CLIENT_ID}", at.gamelink);
        let (socket, _) = client_async(url, stream).await.ok()?;
        *game = Some(Connected {
            socket,
            put_off: false,
        });
    }
    let game = game.as_mut()?;
    let request = json!({
        "action": "authenticate", "params": { "request_id": 7 }, "data": { "refresh": token },
    });
    let text = Message::text(request.to_string());
    // Where it ended meanwhile, its last words are still read.
    let _ = game.socket.send(text).await;
    loop {
        match game.socket.next().await? {
            Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
            Ok(Message::Close(frame)) => {
                let code = frame.map(|frame| u16::from(frame.code));
                assert_eq!(code, Some(1013), "a refresh is met with another end");
                game.put_off = true;
                return None;
            }
            Ok(_) => {}
            Err(_) => return None,
        }
    }
}
