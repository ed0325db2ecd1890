//! As much HTTP as a page needs.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::EXTENSION;

/// A page of the test extension.
pub struct Http {
    address: SocketAddr,
    token: String,
}

impl Http {
    /// A page in the sandbox with a role in a channel, as user 77.
    pub async fn page(address: SocketAddr, role: &str, channel: &str) -> Self {
        Self::page_of(address, role, channel, "77").await
    }

    /// The same of another user.
    pub async fn page_of(address: SocketAddr, role: &str, channel: &str, user: &str) -> Self {
        let token = String::new();
        let page = Self { address, token };
        let body = json!({
            "app_id": EXTENSION, "channel_id": channel, "user_id": user, "role": role,
        });
        let answer = page.send("POST", "/v1/e/authtoken", &body).await.1;
        let token = answer["token"].as_str().unwrap().to_owned();
        Self { address, token }
    }

    /// A call that must succeed.
    pub async fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.send("POST", path, body).await;
        assert!((200..300).contains(&status), "{status} {answer}");
        answer
    }

    /// A PIN for a game.
    pub async fn pin(&self) -> String {
        let answer = self.post("/v1/e/gamelink/token", &json!({})).await;
        answer["token"].as_str().unwrap().to_owned()
    }

    /// A call: its status and what came.
    pub async fn send(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = body.to_string();
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n",
            body.len()
        );
        if !self.token.is_empty() {
            let line = format!("authorization: {EXTENSION} {}\r\n", self.token);
            head.push_str(&line);
        }
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("{head}\r\n{body}");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap())
    }
}
