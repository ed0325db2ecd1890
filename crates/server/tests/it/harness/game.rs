//! A game: a WebSocket client of GameLink that is not ours.

use std::net::SocketAddr;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connected game.
pub struct Game {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    next_id: u16,
}

/// What the server does next on a connection.
#[derive(Debug, PartialEq)]
pub enum Incoming {
    /// A frame.
    Frame(Value),
    /// The end, with its close code.
    Closed(Option<u16>),
}

impl Game {
    /// Connects to a path.
    pub async fn connect(address: SocketAddr, path: &str) -> Self {
        Self::try_connect(address, path).await.unwrap()
    }

    /// Connects, or tells the HTTP status of the refusal.
    pub async fn try_connect(address: SocketAddr, path: &str) -> Result<Self, u16> {
        match connect_async(format!("ws://{address}{path}")).await {
            Ok((socket, _)) => Ok(Self { socket, next_id: 0 }),
            Err(tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// Sends a text frame as it stands.
    pub async fn send_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// Sends a binary frame as it stands.
    pub async fn send_binary(&mut self, bytes: &[u8]) {
        self.socket
            .send(Message::binary(bytes.to_vec()))
            .await
            .unwrap();
    }

    /// Sends a request without waiting for its answer; tells its id.
    pub async fn send(&mut self, action: &str, target: &str, data: Value) -> u16 {
        let id = self.next_id;
        self.next_id = (id + 1) % 128;
        let request = json!({
            "action": action, "params": { "request_id": id, "target": target }, "data": data,
        });
        self.send_text(&request.to_string()).await;
        id
    }

    /// Sends a request and gives the next frame, which must be its answer.
    pub async fn call(&mut self, action: &str, target: &str, data: Value) -> Value {
        let id = self.send(action, target, data).await;
        let frame = self.frame().await;
        assert_eq!(frame["meta"]["request_id"], id, "{frame}");
        frame
    }

    /// Authenticates as shipped clients do: with the id of the path's extension.
    pub async fn authenticate(&mut self, data: Value) -> Value {
        self.call("authenticate", "", data).await
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

    /// The next frame, or the end. Pings are answered by the way.
    pub async fn next(&mut self) -> Incoming {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            match next.expect("the server says nothing") {
                Some(Ok(Message::Text(text))) => {
                    return Incoming::Frame(serde_json::from_str(&text).unwrap());
                }
                Some(Ok(Message::Close(frame))) => {
                    return Incoming::Closed(frame.map(|frame| frame.code.into()));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(other)) => panic!("unexpected {other:?}"),
                Some(Err(_)) | None => return Incoming::Closed(None),
            }
        }
    }
}

/// Asserts that a frame is a refusal with this number; gives its title and detail.
pub fn refusal(frame: &Value, number: u16) -> (String, String) {
    let error = &frame["errors"][0];
    assert_eq!((error["number"].as_u64(), error["status"].as_u64()), {
        let number = Some(u64::from(number));
        (number, number)
    });
    assert!(frame.get("data").is_none(), "{frame}");
    let text = |name: &str| error[name].as_str().unwrap().to_owned();
    (text("title"), text("detail"))
}
