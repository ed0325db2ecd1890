//! A game: a WebSocket client of GameLink that is not ours. Every frame it gets is held against
//! the hard rules of `spec 2.2`.

use std::net::SocketAddr;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::{Wire, dial, frame_rules};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connected game.
pub struct Game {
    socket: WebSocketStream<Wire>,
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
        Self::connect_from("127.0.0.1", address, path).await
    }

    /// The same, from a source address of its own.
    pub async fn connect_from(source: &str, address: SocketAddr, path: &str) -> Result<Self, u16> {
        Self::over(dial(source, address, None).await, address, path).await
    }

    /// The same on a connection that is there.
    pub async fn over(stream: Wire, address: SocketAddr, path: &str) -> Result<Self, u16> {
        match client_async(format!("ws://{address}{path}"), stream).await {
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

    /// Sends a request that must be fulfilled with nothing but `{"ok":true}`.
    pub async fn done(&mut self, action: &str, target: &str, data: Value) {
        let answer = self.call(action, target, data).await;
        assert_eq!(answer["data"], json!({ "ok": true }), "{answer}");
    }

    /// The data of the next frame, which must be an event of a target.
    pub async fn event(&mut self, target: &str) -> Value {
        let frame = self.frame().await;
        let meta = &frame["meta"];
        assert_eq!(
            (&meta["request_id"], &meta["action"], &meta["target"]),
            (&json!(65_535), &json!("update"), &json!(target)),
            "{frame}"
        );
        frame["data"].clone()
    }

    /// Pings the server and waits for the pong: whatever was sent before has been dealt with, and
    /// the server has heard of this game. No frame may come meanwhile.
    pub async fn heartbeat(&mut self) {
        self.socket
            .send(Message::Ping("beat".into()))
            .await
            .unwrap();
        loop {
            match self.message().await {
                Some(Message::Pong(_)) => return,
                Some(Message::Ping(_)) => {}
                other => panic!("instead of a pong: {other:?}"),
            }
        }
    }

    /// Waits for a ping of the server; it is answered with the next thing done here.
    pub async fn pinged(&mut self) {
        match self.message().await {
            Some(Message::Ping(_)) => {}
            other => panic!("instead of a ping: {other:?}"),
        }
    }

    /// The code of the close frame, or none where the connection just ended; pings before it do not
    /// matter.
    pub async fn ended(&mut self) -> Option<u16> {
        loop {
            match self.message().await {
                Some(Message::Ping(_)) => {}
                Some(Message::Close(frame)) => return frame.map(|frame| frame.code.into()),
                None => return None,
                other => panic!("instead of the end: {other:?}"),
            }
        }
    }

    /// Waits to be closed and answers as a well-behaved client does; the code.
    pub async fn leave(mut self) -> Option<u16> {
        let code = self.closed().await;
        while self.message().await.is_some() {}
        code
    }

    /// Sends a close frame.
    pub async fn send_close(&mut self, code: u16) {
        let frame = CloseFrame {
            code: code.into(),
            reason: "".into(),
        };
        self.socket.send(Message::Close(Some(frame))).await.unwrap();
    }

    /// Closes as a game does that its player ends.
    pub async fn close(mut self) {
        self.socket.close(None).await.unwrap();
        while self.message().await.is_some() {}
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
            match self.message().await {
                Some(Message::Text(text)) => {
                    return Incoming::Frame(frame_rules::checked(&text));
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

    async fn message(&mut self) -> Option<Message> {
        let next = tokio::time::timeout(PATIENCE, self.socket.next()).await;
        next.expect("the server says nothing").and_then(Result::ok)
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
