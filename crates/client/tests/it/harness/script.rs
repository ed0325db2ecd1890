//! A server that a test plays itself.

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, accept_async};

use super::soon;

/// When every answer is given, by the script's clock (Unix ms).
pub const SERVER_MS: i64 = 1_583_777_221_501;

/// Listens for games.
pub struct Script(TcpListener);

impl Script {
    pub async fn listen() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub fn url(&self) -> String {
        format!("ws://{}", self.0.local_addr().unwrap())
    }

    /// The next connection.
    pub async fn accept(&self) -> Connection {
        let (stream, _) = soon("a connection", self.0.accept()).await.unwrap();
        Connection(accept_async(stream).await.unwrap())
    }

    /// The next connection is closed before it says anything.
    pub async fn turn_away(&self) {
        drop(soon("a connection", self.0.accept()).await.unwrap());
    }

    /// Closes every connection before it says anything, as long as `task` takes. One that nobody looks at
    /// would wait in the queue of the system, and then be taken for a live one.
    pub async fn turn_away_during<T>(&self, task: impl Future<Output = T>) -> T {
        let all = async {
            loop {
                drop(self.0.accept().await.unwrap());
            }
        };
        tokio::select! {
            done = task => done,
            () = all => unreachable!(),
        }
    }

    /// The next connection, authenticated: what it authenticated with. It gets `refresh`.
    pub async fn welcome(&self, refresh: &str) -> (Connection, Value) {
        let mut connection = self.accept().await;
        let request = connection.request().await;
        assert_eq!(request["action"], "authenticate");
        let data = json!({
            "jwt": "j", "refresh": refresh, "twitch_name": "bobross", "twitch_id": "42",
        });
        connection.answer(&request, &data).await;
        connection.expect_subscription("authentication").await;
        (connection, request["data"].clone())
    }
}

/// One game's connection, seen from the server.
pub struct Connection(WebSocketStream<TcpStream>);

impl Connection {
    /// The next request.
    pub async fn request(&mut self) -> Value {
        let text = match soon("a request", self.0.next()).await {
            Some(Ok(Message::Text(text))) => text,
            other => panic!("instead of a request: {other:?}"),
        };
        serde_json::from_str(&text).unwrap()
    }

    /// The next request must be this subscription; it is granted. Its data.
    pub async fn expect_subscription(&mut self, target: &str) -> Value {
        let request = self.request().await;
        assert_eq!(request["action"], "subscribe", "{request}");
        assert_eq!(target_of(&request), target, "{request}");
        self.answer(&request, &json!({ "ok": true })).await;
        request["data"].clone()
    }

    /// The next request must be this; it is answered. Its data.
    pub async fn expect(&mut self, action: &str, target: &str, answer: &Value) -> Value {
        let request = self.request().await;
        assert_eq!(request["action"], action, "{request}");
        assert_eq!(target_of(&request), target, "{request}");
        self.answer(&request, answer).await;
        request["data"].clone()
    }

    pub async fn answer(&mut self, request: &Value, data: &Value) {
        let frame = json!({ "meta": meta(request), "data": data });
        self.send(&frame.to_string()).await;
    }

    pub async fn refuse(&mut self, request: &Value, number: u16) {
        let error = json!({ "number": number, "status": number, "title": "No", "detail": "no" });
        let frame = json!({ "meta": meta(request), "errors": [error] });
        self.send(&frame.to_string()).await;
    }

    pub async fn event(&mut self, target: &str, data: &Value) {
        let meta = json!({
            "request_id": 65_535, "action": "update", "target": target, "timestamp": SERVER_MS,
        });
        self.send(&json!({ "meta": meta, "data": data }).to_string())
            .await;
    }

    /// Sends a text as it stands.
    pub async fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// The same where the game may not read it to its end.
    pub async fn send_in_vain(&mut self, text: &str) {
        let _ = self.0.send(Message::text(text)).await;
    }

    /// Closes with a code.
    pub async fn close(mut self, code: u16) {
        let reason = "".into();
        let frame = CloseFrame {
            code: code.into(),
            reason,
        };
        self.0.close(Some(frame)).await.unwrap();
        while let Some(Ok(_)) = self.0.next().await {}
    }

    /// Waits for the game to close: its code.
    pub async fn closed(&mut self) -> Option<u16> {
        loop {
            match soon("the end", self.0.next()).await {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }
}

fn target_of(request: &Value) -> &str {
    request["params"]["target"].as_str().unwrap_or_default()
}

fn meta(request: &Value) -> Value {
    json!({
        "request_id": request["params"]["request_id"],
        "action": request["action"],
        "target": target_of(request),
        "timestamp": SERVER_MS,
    })
}
