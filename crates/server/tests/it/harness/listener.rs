//! A WebSocket client that listens, and what viewers are told through it.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::read::ZlibDecoder;
use futures::{SinkExt, StreamExt};
use serde_json::Value;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::{Incoming, Wire, dial_narrow};

const PATIENCE: Duration = Duration::from_secs(10);
/// Longest message to viewers (`spec 4.1`).
const MESSAGE_BYTES_MAX: usize = 5_000;

/// A connected client.
pub struct Listener {
    socket: WebSocketStream<Wire>,
}

impl Listener {
    /// Connects from an address to a path, or tells the HTTP status of the refusal.
    pub async fn connect_from(source: &str, address: SocketAddr, path: &str) -> Result<Self, u16> {
        Self::over(dial_narrow(source, address, None).await, address, path).await
    }

    /// The same on a connection that is there.
    pub async fn over(stream: Wire, address: SocketAddr, path: &str) -> Result<Self, u16> {
        match client_async(format!("ws://{address}{path}"), stream).await {
            Ok((socket, _)) => Ok(Self { socket }),
            Err(tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// Sends a text frame.
    pub async fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// Sends a text frame where the connection still takes one.
    pub async fn try_send(&mut self, text: &str) -> bool {
        self.socket.send(Message::text(text)).await.is_ok()
    }

    /// Sends a binary frame.
    pub async fn send_binary(&mut self, bytes: &[u8]) {
        self.socket
            .send(Message::binary(bytes.to_vec()))
            .await
            .unwrap();
    }

    /// The next frame, or the end.
    pub async fn next(&mut self) -> Incoming {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            match next.expect("the server says nothing").and_then(Result::ok) {
                Some(Message::Text(text)) => {
                    return Incoming::Frame(serde_json::from_str(&text).unwrap());
                }
                Some(Message::Close(frame)) => {
                    return Incoming::Closed(frame.map(|frame| frame.code.into()));
                }
                Some(Message::Ping(_) | Message::Pong(_)) => {}
                Some(other) => panic!("unexpected {other:?}"),
                None => return Incoming::Closed(None),
            }
        }
    }

    /// The next frame.
    pub async fn frame(&mut self) -> Value {
        match self.next().await {
            Incoming::Frame(frame) => frame,
            Incoming::Closed(code) => panic!("closed with {code:?} instead of a frame"),
        }
    }

    /// The code the server closes with; no frame may come before.
    pub async fn closed(&mut self) -> Option<u16> {
        match self.next().await {
            Incoming::Closed(code) => code,
            Incoming::Frame(frame) => panic!("a frame instead of the end: {frame}"),
        }
    }

    /// Pings the server and waits for the pong, before which no frame may come.
    pub async fn heartbeat(&mut self) {
        self.socket
            .send(Message::Ping("beat".into()))
            .await
            .unwrap();
        loop {
            let next = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            match next.expect("no pong").and_then(Result::ok) {
                Some(Message::Pong(_)) => return,
                Some(Message::Ping(_)) => {}
                other => panic!("instead of a pong: {other:?}"),
            }
        }
    }
}

/// Puts messages to viewers together, as the page library does but less forgiving: the parts of one
/// come in order, with nothing between.
#[derive(Default)]
pub struct Assembly {
    parts: Vec<String>,
    /// How many messages the last event came in.
    pub messages: usize,
}

impl Assembly {
    /// Takes a message of a target; the event, once it is whole.
    pub fn take(&mut self, message: &str) -> Option<Value> {
        assert!(message.len() <= MESSAGE_BYTES_MAX, "{}", message.len());
        if message.starts_with('{') {
            assert!(self.parts.is_empty(), "between the parts: {message}");
            assert!(message.len() < MESSAGE_BYTES_MAX);
            self.messages = 1;
            return Some(serde_json::from_str(message).unwrap());
        }
        let Some(part) = message.strip_prefix('<') else {
            assert!(self.parts.is_empty(), "between the parts: {message}");
            self.messages = 1;
            return Some(inflated(message));
        };
        let (header, part) = part.split_once('>').unwrap();
        let (index, count) = header.split_once(',').unwrap();
        assert_eq!(index.parse(), Ok(self.parts.len()), "{header}");
        self.parts.push(part.to_owned());
        let whole = count.parse() == Ok(self.parts.len());
        whole.then(|| {
            self.messages = self.parts.len();
            inflated(&std::mem::take(&mut self.parts).concat())
        })
    }
}

fn inflated(packed: &str) -> Value {
    let deflated = BASE64_STANDARD.decode(packed).unwrap();
    serde_json::from_reader(ZlibDecoder::new(&*deflated)).unwrap()
}
